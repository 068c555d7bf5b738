"""What the operator makes of a Kafka's spec before it touches anything: refusals, warnings, settings it passes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count

from kmigrate.lab.operator.status import Condition, Rejected, mapping, objects, setting, strings, warning, whole
from kmigrate.model import JsonObject
from kmigrate.world import Reporter, Resource

NEXT_IDS = "strimzi.io/next-node-ids"
SUPPORTED = ("4.2.0", "4.2.1", "4.3.0", "4.3.1")
# io.strimzi.api.kafka.model.kafka.KafkaClusterSpec.FORBIDDEN_PREFIXES and FORBIDDEN_PREFIX_EXCEPTIONS
_FORBIDDEN = (
    *("listeners", "advertised.", "broker.", "listener.", "host.name", "port", "inter.broker.listener.name", "sasl."),
    *("ssl.", "security.", "password.", "log.dir", "zookeeper.connect", "zookeeper.ssl", "authorizer.", "super.user"),
    *(
        "node.id",
        "process.roles",
        "controller.",
        "metadata.log.dir",
        "prometheus.metrics.reporter.",
        "cordoned.log.dirs",
    ),
)
_ALLOWED = (
    *("ssl.cipher.suites", "ssl.protocol", "ssl.enabled.protocols", "sasl.server.max.receive.size"),
    *(
        "broker.session.timeout.ms",
        "broker.heartbeat.interval.ms",
        "controller.quorum.election",
        "controller.quorum.fetch",
    ),
)
_COPIES = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
)


def refuse_or_warn(spec: JsonObject, pools: Sequence[Resource]) -> tuple[Condition, ...]:
    """Raise Rejected for what the operator refuses; the Warning conditions for what it only says.

    Sources: KafkaCluster, KafkaPoolUtils, KafkaSpecChecker (io.strimzi.operator.cluster.model), KafkaVersion.
    """
    kafka = mapping(spec.get("kafka"))
    version = str(kafka.get("version") or SUPPORTED[-1])
    if version not in SUPPORTED:
        message = f"Unsupported Kafka.spec.kafka.version: {version}. Supported versions are: {list(SUPPORTED)}"
        raise Rejected("UnsupportedKafkaVersionException", message)
    _refuse_roles(pools)
    brokers = _count(pools, "broker")
    config = mapping(kafka.get("config"))
    _refuse_copies(config, brokers)
    _refuse_listeners(kafka)
    return _warnings(config, brokers)


def checked_settings(spec: JsonObject, reporter: Reporter) -> dict[str, str]:
    """`spec.kafka.config` without what belongs to the operator; `min.insync.replicas` is 1 when it is absent.

    What is left out is only logged by the operator, and told to the reporter here (AbstractConfiguration).
    """
    config = mapping(mapping(spec.get("kafka")).get("config"))
    passed = {name: setting(value) for name, value in config.items() if _is_passed_on(name)}
    for name in sorted(config.keys() - passed.keys()):
        reporter.note(f"Kafka: setting {name} is forbidden and ignored")
    return {"min.insync.replicas": "1", **passed}


def node_ids(pools: Sequence[Resource]) -> dict[str, tuple[int, ...]]:
    """The ids of each pool's nodes, in the order of pools: those it has, then the first free of `next-node-ids`.

    Where the annotation has none left the first free from 0 (NodeIdAssignor).
    """
    found = {pool.key.name: _kept_ids(pool) for pool in pools}
    for pool in pools:
        taken = {number for ids in found.values() for number in ids}
        free = (number for number in chain(_asked_ids(pool), count()) if number not in taken)
        for _ in range(whole(pool.spec.get("replicas"), 0) - len(found[pool.key.name])):
            number = next(free)
            taken.add(number)
            found[pool.key.name] = (*found[pool.key.name], number)
    return found


def refuse_unaddressable(spec: JsonObject, cluster: str, namespace: str) -> None:
    """Raise Rejected as the operator does after five minutes: nothing here gives a load balancer its address."""
    for listener in objects(mapping(spec.get("kafka")).get("listeners")):
        if listener.get("type") == "loadbalancer":
            service = f"{cluster}-kafka-{listener.get('name')}-bootstrap"
            message = (
                f"Exceeded timeout of 300000ms while waiting for Service resource {service} in namespace {namespace} "
                "to be addressable"
            )
            raise Rejected("TimeoutException", message)


def _kept_ids(pool: Resource) -> tuple[int, ...]:
    kept = pool.status.get("nodeIds")
    ids = [number for number in kept if isinstance(number, int)] if isinstance(kept, list | tuple) else []
    return tuple(ids[: whole(pool.spec.get("replicas"), 0)])


def _asked_ids(pool: Resource) -> Iterator[int]:
    """The numbers of `[0-2, 10]`, in its order."""
    annotations = mapping(mapping(pool.body.get("metadata")).get("annotations"))
    for part in str(annotations.get(NEXT_IDS, "")).strip("[] ").split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit():
            yield from range(int(first), int(last or first) + 1)


def _is_passed_on(name: str) -> bool:
    return name.startswith(_ALLOWED) or not name.startswith(_FORBIDDEN)


def _count(pools: Sequence[Resource], role: str) -> int:
    return sum(whole(pool.spec.get("replicas"), 0) for pool in pools if role in strings(pool.spec.get("roles")))


def _refuse_roles(pools: Sequence[Resource]) -> None:
    if not pools:
        raise Rejected("InvalidResourceException", "No KafkaNodePools found for this Kafka cluster")
    for role in ("controller", "broker"):
        if _count(pools, role) == 0:
            message = f"At least one KafkaNodePool with the {role} role and at least one replica is required"
            raise Rejected("InvalidResourceException", message)


def _refuse_copies(config: JsonObject, brokers: int) -> None:
    for name in _COPIES:
        if whole(config.get(name), 1) > brokers:
            message = (
                f"Kafka configuration option '{name}' should be set to {brokers} or less because this cluster has only "
                f"{brokers} Kafka broker(s)"
            )
            raise Rejected("InvalidResourceException", message)


def _refuse_listeners(kafka: JsonObject) -> None:
    listeners = objects(kafka.get("listeners"))
    for field in ("name", "port"):
        values = [listener.get(field) for listener in listeners]
        if len(set(values)) < len(values):
            raise Rejected("InvalidResourceException", f"every listener needs to have a unique {field}")
    for listener in listeners:
        kind = mapping(listener.get("authentication")).get("type")
        if not listener.get("tls") or kind != "scram-sha-512":
            message = f"listener {listener.get('name')}: the stand-in has listeners with TLS and scram-sha-512 only"
            raise Rejected("InvalidResourceException", message)


def _warnings(config: JsonObject, brokers: int) -> tuple[Condition, ...]:
    told: list[Condition] = []
    if brokers > 1 and "default.replication.factor" not in config:
        message = "default.replication.factor option is not configured. It defaults to 1 which is not recommended"
        told.append(warning("KafkaDefaultReplicationFactor", message))
    if brokers > 1 and "min.insync.replicas" not in config:
        message = "min.insync.replicas option is not configured. It defaults to 1 which is not recommended"
        told.append(warning("KafkaMinInsyncReplicas", message))
    return tuple(told)
