"""KafkaConnector made real: one connector of a KafkaConnect, over Connect's REST interface.

Source: io.strimzi.operator.cluster.operator.assembly.KafkaConnectAssemblyOperator (connectorEventHandler,
reconcileConnector, maybeUpdateConnectorStatus).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kmigrate.errors import KmigrateError
from kmigrate.lab.operator.connect import state_of
from kmigrate.lab.operator.connect_spec import plain_settings
from kmigrate.lab.operator.kafka import CLUSTER_LABEL
from kmigrate.lab.operator.kafkaconnect import USE_RESOURCES, ConnectReconciler, uses_resources
from kmigrate.lab.operator.offsets import serve_connector
from kmigrate.lab.operator.reconciler import Reconciler
from kmigrate.lab.operator.restarts import Restarts
from kmigrate.lab.operator.status import READY, Condition, Rejected, label, mapping, not_ready, objects, whole
from kmigrate.lab.runtime.bench import Bench
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource, ResourceStore


class ConnectorReconciler(Reconciler):
    """Makes, changes, steers and deletes connectors of the groups that `connects` runs."""

    def __init__(
        self,
        store: ResourceStore,
        bench: Bench,
        folder: Path,
        resolve: Callable[[str], str],
        restarts: Restarts,
        connects: ConnectReconciler,
    ) -> None:
        super().__init__(store, bench, folder, resolve)
        self._restarts = restarts
        self._connects = connects

    def remove(self, gone: Resource) -> None:
        """Delete the connector of a resource that is gone, at the latest when its KafkaConnect is reconciled next."""
        name = label(gone, CLUSTER_LABEL)
        connect = self._store.get(Key("KafkaConnect", gone.key.namespace, name)) if name else None
        if connect is None or not uses_resources(connect):
            return
        try:
            self._connects.connectors(name).delete(gone.key.name)
        except KmigrateError as error:
            self._bench.reporter.note(f"operator: connector {gone.key.name} is not deleted yet: {error.message}")

    def _converge(self, resource: Resource) -> bool:
        name, group = resource.key.name, self._group(resource)
        connectors = self._connects.connectors(group)
        settings = plain_settings(name, resource.spec, resolve=self._resolve, here=self._connects.here(group))
        connectors.settle(name, settings, str(resource.spec.get("state") or "running"))
        warnings = serve_connector(self._store, resource, connectors)
        status = connectors.status(name)
        before = mapping(resource.status.get("autoRestart"))
        again = self._restarts.after(resource.spec, status, before, lambda: connectors.restart(name))
        topics: list[Json] = list(connectors.topics(name))
        fields: JsonObject = {
            "connectorStatus": status,
            "tasksMax": whole(resource.spec.get("tasksMax"), len(objects(status.get("tasks")))),
            "topics": topics,
            **({"autoRestart": again} if again else {}),
        }
        return not self._write(resource, [condition_of(status), *warnings], fields)

    def _group(self, resource: Resource) -> str:
        """The name of the KafkaConnect it belongs to; raises Rejected where that takes no connectors."""
        name, namespace = label(resource, CLUSTER_LABEL), resource.key.namespace
        if not name:
            why = f"Resource lacks label '{CLUSTER_LABEL}': No connect cluster in which to create this connector."
            raise Rejected("InvalidResourceException", why)
        connect = self._store.get(Key("KafkaConnect", namespace, name))
        if connect is None:
            named = f"KafkaConnect resource '{name}' identified by label '{CLUSTER_LABEL}'"
            raise Rejected("NoSuchResourceException", f"{named} does not exist in namespace {namespace}.")
        if not whole(connect.spec.get("replicas"), 1):
            why = f"Kafka Connect cluster '{name}' in namespace {namespace} has 0 replicas."
            raise Rejected("RuntimeException", why)
        if not uses_resources(connect):
            why = f"KafkaConnect {name} is not configured with annotation {USE_RESOURCES}"
            raise Rejected("NoSuchResourceException", why)
        return name

    def _left(self, resource: Resource) -> dict[str, Json]:
        return {"tasksMax": whole(resource.spec.get("tasksMax"), 0)}


def condition_of(status: JsonObject) -> Condition:
    """Ready unless the connector or any of its tasks is FAILED."""
    if state_of(status) == "FAILED":
        return not_ready("Throwable", "Connector has failed, see connectorStatus for more details.")
    failed = ", ".join(str(task.get("id")) for task in objects(status.get("tasks")) if task.get("state") == "FAILED")
    if not failed:
        return READY
    return not_ready("Throwable", f"The following tasks have failed: {failed}, see connectorStatus for more details.")
