"""KafkaMirrorMaker2 made real: Connect workers as processes, connectors over Connect's REST interface.

Source: io.strimzi.operator.cluster.operator.assembly.KafkaMirrorMaker2AssemblyOperator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from kmigrate.errors import PlatformError, Transient
from kmigrate.lab.operator import offsets
from kmigrate.lab.operator.connect import Connectors
from kmigrate.lab.operator.connectors import KINDS, connector_name, connector_settings, mirrors, worker_properties
from kmigrate.lab.operator.secret_files import ALIAS, PROVIDER, SecretFiles
from kmigrate.lab.operator.status import READY, Condition, Rejected, mapping, not_ready, whole, write
from kmigrate.lab.operator.workers import Workers
from kmigrate.lab.runtime.bench import Bench
from kmigrate.model import Json, JsonObject
from kmigrate.world import Resource, ResourceStore

_BUSY_MS = 20_000


class MirrorMakerReconciler:
    """Starts, changes and ends the mirrors of a namespace; `resolve` finds the address behind a Service's name."""

    def __init__(self, store: ResourceStore, bench: Bench, folder: Path, resolve: Callable[[str], str]) -> None:
        self._store = store
        self._bench = bench
        self._folder = folder
        self._resolve = resolve
        self._workers: dict[str, Workers] = {}
        self._troubled: dict[str, int] = {}

    def reconcile(self, resource: Resource) -> bool:
        """One step towards what the resource says; False when it must be looked at again in a moment."""
        if not resource.status:
            creating = not_ready("Creating", "Kafka Mirror Maker 2 cluster is being deployed")
            write(self._store, self._bench.clock, resource, [creating], {})
        try:
            done = self._converge(resource)
            self._troubled.pop(resource.key.name, None)
        except Transient as error:
            return self._bear(resource, error)
        except (Rejected, PlatformError) as error:
            self._fail(resource, error.reason if isinstance(error, Rejected) else "ConnectRestException", error.message)
            return True
        return done

    def _bear(self, resource: Resource, error: Transient) -> bool:
        """Connect is busy for a while in every rebalance; only what lasts is told. It is tried again either way."""
        now = self._bench.clock.monotonic_ms()
        if now - self._troubled.setdefault(resource.key.name, now) > _BUSY_MS:
            self._fail(resource, "ConnectRestException", error.message)
        return False

    def _fail(self, resource: Resource, reason: str, message: str) -> None:
        write(self._store, self._bench.clock, resource, [not_ready(reason, message)], {})

    def revive(self) -> None:
        """Start again workers that ended by themselves, as a kubelet does."""
        for workers in self._workers.values():
            workers.revive()

    def remove(self, name: str) -> None:
        """End the workers of a resource that is gone; what they wrote into topics stays."""
        workers = self._workers.pop(name, None)
        if workers is not None:
            workers.stop()

    def stop(self) -> None:
        """End all workers."""
        for name in tuple(self._workers):
            self.remove(name)

    def _converge(self, resource: Resource) -> bool:
        spec, name = resource.spec, resource.key.name
        secrets = SecretFiles(self._store, resource.key.namespace, self._folder / name / "secrets")
        wanted = _connectors(spec, secrets, self._resolve)
        workers = self._workers.setdefault(name, Workers(f"{name}-mirrormaker2", self._folder / name, self._bench))
        properties = worker_properties(spec, secrets, rest_port=0, resolve=self._resolve)
        properties |= {"config.providers": ALIAS, f"config.providers.{ALIAS}.class": PROVIDER}
        if not workers.converge(whole(spec.get("replicas"), 1), properties, _pod_hash(spec, secrets)):
            return False
        connectors = Connectors(workers.url())
        statuses = connectors.converge(wanted)
        conditions = [condition_of(statuses), *offsets.serve(self._store, resource, connectors)]
        write(self._store, self._bench.clock, resource, conditions, _fields(resource, workers, statuses, connectors))
        return True


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
            if mapping(mapping(connector).get("autoRestart")).get("enabled"):
                raise Rejected("InvalidResourceException", "the stand-in does not restart connectors by itself")
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
    failed = sorted(name for name, status in statuses.items() if _state(status) == "FAILED")
    if not failed:
        return READY
    return not_ready("Throwable", f"The following connectors have failed: {', '.join(failed)}")


def _state(status: JsonObject) -> str:
    return str(mapping(status.get("connector")).get("state"))


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
