"""KafkaConnect made real: Connect workers as processes, with the Secrets they mount as files.

Source: io.strimzi.operator.cluster.operator.assembly.KafkaConnectAssemblyOperator.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import ClassVar

from kmigrate.errors import Transient
from kmigrate.lab.operator.connect import Connectors
from kmigrate.lab.operator.connect_spec import Here, Mount, below, connect_properties, mounts
from kmigrate.lab.operator.kafka import CLUSTER_LABEL
from kmigrate.lab.operator.reconciler import WorkerReconciler
from kmigrate.lab.operator.secret_files import SecretFiles
from kmigrate.lab.operator.status import READY, Rejected, annotation, label, whole
from kmigrate.lab.operator.workers import Workers
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource

USE_RESOURCES = "strimzi.io/use-connector-resources"


class ConnectReconciler(WorkerReconciler):
    """Starts, changes and ends the Connect groups of a namespace."""

    creating: ClassVar[str] = "Kafka Connect cluster is being deployed"
    suffix: ClassVar[str] = "connect"

    def connectors(self, name: str) -> Connectors:
        """The connectors of a group whose first worker answers; raises Transient while it does not."""
        workers = self._workers.get(name)
        if workers is None or not workers.answers():
            raise Transient(f"nobody answers at {name}-connect-api", hint="look at the KafkaConnect's status")
        return Connectors(workers.url())

    def here(self, name: str) -> Here:
        """Where the mounts of a group's workers lie on this machine."""
        return below(self._folder / name)

    def _converge(self, resource: Resource) -> bool:
        spec, name, namespace = resource.spec, resource.key.name, resource.key.namespace
        secrets = SecretFiles(self._store, namespace, self._folder / name / "secrets")
        properties = connect_properties(spec, secrets, resolve=self._resolve, here=self.here(name))
        for mount in mounts(spec):
            self._mount(mount, namespace, self._folder / name)
        workers = self._workers_of(name)
        if not workers.converge(whole(spec.get("replicas"), 1), properties, _pod_hash(spec, secrets)):
            return False
        return not self._write(resource, [READY], self._fields(resource, workers))

    def _fields(self, resource: Resource, workers: Workers) -> JsonObject:
        name, replicas = resource.key.name, whole(resource.spec.get("replicas"), 1)
        fields: dict[str, Json] = {
            "labelSelector": f"strimzi.io/cluster={name},strimzi.io/kind=KafkaConnect",
            "replicas": replicas,
        }
        if replicas:
            fields["url"] = workers.url()
        if replicas and uses_resources(resource):
            connectors = Connectors(workers.url())
            everyone = self._store.list("KafkaConnector", resource.key.namespace)
            connectors.keep(one.key.name for one in everyone if label(one, CLUSTER_LABEL) == name)
            fields["connectorPlugins"] = list(connectors.plugins())
        return fields

    def _mount(self, mount: Mount, namespace: str, root: Path) -> None:
        """Files as a kubelet keeps them: they follow the Secret; without it, or a key of it, no pod becomes ready."""
        secret = self._store.get(Key("Secret", namespace, mount.secret))
        data = secret.data if secret is not None else {}
        files = mount.files if mount.files is not None else {key: key for key in data}
        missing = sorted({*files.values()} - data.keys())
        if secret is None or missing:
            what = f"Secret {mount.secret} not found" if secret is None else f"Secret {mount.secret} has no {missing}"
            waited = "Exceeded timeout while waiting for Pods resource to be ready"
            raise Rejected("TimeoutException", f"{waited}: volume at {mount.path}: {what}")
        for file, key in files.items():
            path, text = root / mount.path.lstrip("/") / file, str(data[key])
            if not path.exists() or path.read_text() != text:
                write_secret(path, text)


def uses_resources(connect: Resource) -> bool:
    """Whether KafkaConnectors say which connectors there are."""
    return annotation(connect, USE_RESOURCES) == "true"


def _pod_hash(spec: JsonObject, secrets: SecretFiles) -> str:
    """What rolls the pods: all of the spec but their number, and the secrets of the workers' own sign-in."""
    pods = {name: value for name, value in spec.items() if name != "replicas"}
    return hashlib.sha256(json.dumps([pods, secrets.used()], sort_keys=True).encode()).hexdigest()
