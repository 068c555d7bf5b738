"""Kafka and KafkaNodePool made real: broker processes, their listeners, the Secret with the certificate authority."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kmigrate.errors import PlatformError, StillUnderWay
from kmigrate.lab.operator.admin import ClusterAdmin
from kmigrate.lab.operator.kafka_spec import checked_settings, node_ids, refuse_or_warn, refuse_unaddressable
from kmigrate.lab.operator.status import (
    READY,
    Rejected,
    kept,
    label,
    mapping,
    not_ready,
    objects,
    strings,
    whole,
    write,
)
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.kafka import SCRAM, ClusterLayout, KafkaCluster, Listener, Node, new_cluster_id
from kmigrate.lab.runtime.ports import HOST
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource, ResourceStore

STRIMZI_VERSION = "1.2.0"
CLUSTER_LABEL = "strimzi.io/cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningKafka:
    """A cluster whose brokers are up; `ports` are listener name to port of the spec."""

    cluster: KafkaCluster
    admin: ClusterAdmin
    ports: dict[str, int]

    def bootstrap(self, port: int) -> str:
        """The real addresses behind a listener's port in the spec; "" when no listener has it."""
        names = [name for name, given in self.ports.items() if given == port]
        return self.cluster.layout.bootstrap(_listener_name(names[0], port)) if names else ""


class KafkaReconciler:
    """Starts, changes and ends the clusters of one namespace."""

    def __init__(self, store: ResourceStore, bench: Bench, folder: Path) -> None:
        self._store = store
        self._bench = bench
        self._folder = folder
        self._running: dict[str, RunningKafka] = {}

    def running(self, name: str) -> RunningKafka | None:
        """The cluster of that name while its brokers are up."""
        return self._running.get(name)

    def reconcile(self, resource: Resource) -> None:
        """Make the cluster what the Kafka and its pools say; every refusal ends in status."""
        if not resource.status:
            creating = not_ready("Creating", "Kafka cluster is being deployed")
            write(self._store, self._bench.clock, resource, [creating], {})
        pools = self._pools(resource)
        try:
            warnings = refuse_or_warn(resource.spec, pools)
            refuse_unaddressable(resource.spec, resource.key.name, self._namespace)
            cluster = self._converge(resource, pools)
        except (Rejected, PlatformError, StillUnderWay) as error:
            reason = error.reason if isinstance(error, Rejected) else type(error).__name__
            fields = kept(
                resource, "clusterId", "kafkaVersion", "kafkaMetadataVersion", "operatorLastSuccessfulVersion"
            )
            write(self._store, self._bench.clock, resource, [not_ready(reason, error.message)], fields)
            return
        self._tell_pools(pools, cluster.cluster.layout)
        ready = [READY, *warnings]
        write(self._store, self._bench.clock, resource, ready, _fields(resource, pools, cluster))

    def revive(self) -> None:
        """Start again what ended by itself, as a kubelet does."""
        for running in self._running.values():
            for node in running.cluster.layout.nodes:
                if not self._bench.machine.alive(running.cluster.layout.process(node.id)):
                    running.cluster.start_node(node.id)

    def remove(self, name: str) -> None:
        """End the cluster; its data stays in the folder, as a persistent volume claim would."""
        running = self._running.pop(name, None)
        if running is not None:
            running.cluster.stop()
        self._store.delete(Key("Secret", self._namespace, _ca_secret(name)))

    def stop(self) -> None:
        """End all clusters."""
        for running in self._running.values():
            running.cluster.stop()
        self._running.clear()

    @property
    def _namespace(self) -> str:
        return self._folder.name

    def _pools(self, kafka: Resource) -> tuple[Resource, ...]:
        pools = self._store.list("KafkaNodePool", kafka.key.namespace)
        return tuple(pool for pool in pools if label(pool, CLUSTER_LABEL) == kafka.key.name)

    def _converge(self, resource: Resource, pools: Sequence[Resource]) -> RunningKafka:
        running = self._running.get(resource.key.name)
        settings = checked_settings(resource.spec, self._bench.reporter)
        if running is None:
            return self._begin(resource, pools, settings)
        numbers = {number for ids in node_ids(pools).values() for number in ids}
        if {node.id for node in running.cluster.layout.nodes} != numbers:
            raise Rejected("InvalidResourceException", "the stand-in does not change the number of nodes")
        if running.ports != _listener_ports(resource):
            raise Rejected("InvalidResourceException", "the stand-in does not change listeners")
        if dict(running.cluster.layout.extra) != settings:
            return self._roll(resource.key.name, running, settings)
        return running

    def _begin(self, resource: Resource, pools: Sequence[Resource], settings: dict[str, str]) -> RunningKafka:
        layout = self._layout(resource, pools, settings)
        cluster = KafkaCluster(layout, self._bench)
        try:
            cluster.start()
        except BaseException:
            cluster.stop(grace_ms=0)
            raise
        running = RunningKafka(
            cluster=cluster, admin=ClusterAdmin(layout.admin_config()), ports=_listener_ports(resource)
        )
        self._running[resource.key.name] = running
        self._store.apply(_ca(resource, self._bench.certificates.ca.read_text()))
        return running

    def _roll(self, name: str, running: RunningKafka, settings: dict[str, str]) -> RunningKafka:
        """New settings, one node after the other."""
        layout = replace(running.cluster.layout, extra=settings)
        rolled = RunningKafka(cluster=KafkaCluster(layout, self._bench), admin=running.admin, ports=running.ports)
        rolled.cluster.write_settings()
        for node in layout.nodes:
            self._bench.machine.stop(layout.process(node.id))
            rolled.cluster.start_node(node.id)
        self._running[name] = rolled
        return rolled

    def _layout(self, resource: Resource, pools: Sequence[Resource], settings: dict[str, str]) -> ClusterLayout:
        known = str(resource.status.get("clusterId") or "")
        return ClusterLayout(
            name=f"{self._namespace}-{resource.key.name}",
            cluster_id=known or new_cluster_id(),
            folder=self._folder / resource.key.name,
            nodes=tuple(self._nodes(resource, pools)),
            certificates=self._bench.certificates,
            admin_password=secrets.token_urlsafe(24),
            extra=settings,
        )

    def _nodes(self, resource: Resource, pools: Sequence[Resource]) -> list[Node]:
        """Controllers first: Kafka's tool formats one of them."""
        numbers = node_ids(pools)
        made = [
            self._node(number, strings(pool.spec.get("roles")), resource)
            for pool in pools
            for number in numbers[pool.key.name]
        ]
        return sorted(made, key=lambda node: "controller" not in node.roles)

    def _node(self, number: int, roles: tuple[str, ...], resource: Resource) -> Node:
        listeners: list[Listener] = []
        for name, given in _listener_ports(resource).items() if "broker" in roles else ():
            (port,) = self._bench.ports.take(1)
            told = _advertised_port(resource, name, number) or port
            listeners.append(
                Listener(name=_listener_name(name, given), port=port, advertised_port=told, mechanism=SCRAM)
            )
        internal, controller = self._bench.ports.take(2)
        return Node(
            id=number, roles=roles, listeners=tuple(listeners), internal_port=internal, controller_port=controller
        )

    def _tell_pools(self, pools: Sequence[Resource], layout: ClusterLayout) -> None:
        for name, ids in node_ids(pools).items():
            pool = next(pool for pool in pools if pool.key.name == name)
            fields: dict[str, Json] = {
                "clusterId": layout.cluster_id,
                "nodeIds": list(ids),
                "replicas": len(ids),
                "roles": list(strings(pool.spec.get("roles"))),
            }
            write(self._store, self._bench.clock, pool, [], fields)


def _fields(resource: Resource, pools: Sequence[Resource], running: RunningKafka) -> JsonObject:
    ca = running.cluster.layout.certificates.ca.read_text()
    listeners: list[JsonObject] = []
    for name, port in running.ports.items():
        servers = running.bootstrap(port)
        addresses: list[JsonObject] = [
            {"host": HOST, "port": int(server.rpartition(":")[2])} for server in servers.split(",")
        ]
        listeners.append({"name": name, "addresses": addresses, "bootstrapServers": servers, "certificates": [ca]})
    version = str(mapping(resource.spec.get("kafka")).get("version") or "4.3.1")
    return {
        "clusterId": running.cluster.layout.cluster_id,
        "kafkaVersion": version,
        "kafkaMetadataVersion": "4.3-IV0",
        "kafkaNodePools": [{"name": pool.key.name} for pool in pools],
        "listeners": listeners,
        "operatorLastSuccessfulVersion": STRIMZI_VERSION,
    }


def _ca_secret(cluster: str) -> str:
    return f"{cluster}-cluster-ca-cert"


def _ca(resource: Resource, certificate: str) -> JsonObject:
    metadata: JsonObject = {
        "name": _ca_secret(resource.key.name),
        "namespace": resource.key.namespace,
        "labels": {CLUSTER_LABEL: resource.key.name, "strimzi.io/kind": "Kafka"},
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"ca.crt": certificate}}


def _listener_ports(resource: Resource) -> dict[str, int]:
    listeners = objects(mapping(resource.spec.get("kafka")).get("listeners"))
    return {str(listener["name"]): whole(listener.get("port"), 0) for listener in listeners}


def _advertised_port(resource: Resource, listener: str, broker: int) -> int:
    """What `configuration.brokers` has clients told instead of the broker's own port; 0 where it says nothing."""
    listeners = objects(mapping(resource.spec.get("kafka")).get("listeners"))
    chosen = next(each for each in listeners if each["name"] == listener)
    brokers = objects(mapping(chosen.get("configuration")).get("brokers"))
    return next((whole(each.get("advertisedPort"), 0) for each in brokers if each.get("broker") == broker), 0)


def _listener_name(name: str, port: int) -> str:
    """As Strimzi names it in the broker's settings: `SCRAM-9094` (KafkaBrokerConfigurationBuilder)."""
    return f"{name.upper()}-{port}"
