"""KafkaMirrorMaker2 made real: Connect workers as processes, connectors over Connect's REST interface.

Source: io.strimzi.operator.cluster.operator.assembly.KafkaMirrorMaker2AssemblyOperator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from kmigrate.lab.operator import offsets
from kmigrate.lab.operator.connect import Connectors, state_of
from kmigrate.lab.operator.connectors import KINDS, connector_name, connector_settings, mirrors, worker_properties
from kmigrate.lab.operator.reconciler import WorkerReconciler
from kmigrate.lab.operator.restarts import Restarts
from kmigrate.lab.operator.secret_files import ALIAS, PROVIDER, SecretFiles
from kmigrate.lab.operator.status import READY, Condition, Rejected, mapping, not_ready, objects, whole
from kmigrate.lab.operator.workers import Workers
from kmigrate.lab.runtime.bench import Bench
from kmigrate.model import Json, JsonObject
from kmigrate.world import Resource, ResourceStore


class MirrorMakerReconciler(WorkerReconciler):
    """Starts, changes and ends the mirrors of a namespace."""

    creating: ClassVar[str] = "Kafka Mirror Maker 2 cluster is being deployed"
    suffix: ClassVar[str] = "mirrormaker2"

    def __init__(
        self, store: ResourceStore, bench: Bench, folder: Path, resolve: Callable[[str], str], restarts: Restarts
    ) -> None:
        super().__init__(store, bench, folder, resolve)
        self._restarts = restarts

    def _converge(self, resource: Resource) -> bool:
        spec, name = resource.spec, resource.key.name
        secrets = SecretFiles(self._store, resource.key.namespace, self._folder / name / "secrets")
        wanted = _connectors(spec, secrets, self._resolve)
        workers = self._workers_of(name)
        properties = worker_properties(spec, secrets, rest_port=0, resolve=self._resolve)
        properties |= {"config.providers": ALIAS, f"config.providers.{ALIAS}.class": PROVIDER}
        if not workers.converge(whole(spec.get("replicas"), 1), properties, _pod_hash(spec, secrets)):
            return False
        connectors = Connectors(workers.url())
        statuses = connectors.converge(wanted)
        conditions = [condition_of(statuses), *offsets.serve_mirrors(self._store, resource, connectors)]
        again = self._again(resource, statuses, connectors)
        return not self._write(resource, conditions, {**_fields(resource, workers, statuses, connectors), **again})

    def _again(self, resource: Resource, statuses: Mapping[str, JsonObject], connectors: Connectors) -> JsonObject:
        """Start again what FAILED; `status.autoRestartStatuses` of all that were."""
        known = {str(each.get("connectorName")): each for each in objects(resource.status.get("autoRestartStatuses"))}
        told: list[Json] = []
        for name, spec in _specs(resource.spec).items():
            before, restart = known.get(name, {}), partial(connectors.restart, name)
            after = self._restarts.after(spec, statuses[name], before, restart)
            told += [{"connectorName": name, **after}] if after else []
        return {"autoRestartStatuses": told} if told else {}


def _specs(spec: JsonObject) -> dict[str, JsonObject]:
    """What is asked of each connector, by name."""
    every = ((mirror, kind) for mirror in mirrors(spec) for kind in KINDS if mirror.get(kind) is not None)
    return {connector_name(spec, mirror, kind): mapping(mirror[kind]) for mirror, kind in every}


def _connectors(
    spec: JsonObject, secrets: SecretFiles, resolve: Callable[[str], str]
) -> dict[str, tuple[dict[str, str], str]]:
    """Settings and wished state of every connector in the spec, by name."""
    wanted: dict[str, tuple[dict[str, str], str]] = {}
    for mirror in mirrors(spec):
        for kind in KINDS:
            connector = mirror.get(kind)
            if connector is None:
                continue
            name = connector_name(spec, mirror, kind)
            if name in wanted:
                raise Rejected("InvalidResourceException", f"two mirrors make the same connector {name}")
            settings = connector_settings(spec, mirror, secrets, kind=kind, resolve=resolve)
            wanted[name] = (settings, str(mapping(connector).get("state") or "running"))
    return wanted


def _pod_hash(spec: JsonObject, secrets: SecretFiles) -> str:
    """What rolls the pods when it changes beside the worker's settings: the list of mirrors, the secrets they use."""
    sources = [mapping(mirror.get("source")) for mirror in mirrors(spec)]
    return hashlib.sha256(json.dumps([sources, secrets.used()], sort_keys=True).encode()).hexdigest()


def condition_of(statuses: Mapping[str, JsonObject]) -> Condition:
    """Ready unless a connector is FAILED; what its tasks are does not count."""
    failed = sorted(name for name, status in statuses.items() if state_of(status) == "FAILED")
    if not failed:
        return READY
    return not_ready("Throwable", f"The following connectors have failed: {', '.join(failed)}")


def _fields(
    resource: Resource, workers: Workers, statuses: dict[str, JsonObject], connectors: Connectors
) -> JsonObject:
    plugins: list[Json] = list(connectors.plugins())
    return {
        "connectorPlugins": plugins,
        "connectors": [statuses[name] for name in sorted(statuses)],
        "labelSelector": f"strimzi.io/cluster={resource.key.name},strimzi.io/kind=KafkaMirrorMaker2",
        "replicas": whole(resource.spec.get("replicas"), 1),
        "url": workers.url(),
    }
