"""The target cluster: Kafka and KafkaNodePool (`strimzi.md` §§2.1-2.3)."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.manifests.names import resource
from kmigrate.model import Json, JsonObject, Target

KAFKA_VERSION = "4.3.1"
LISTENER_PORT = 9094


def kafka(
    target: Target, *, brokers: int, config: Mapping[str, Json] | None = None, storage: str = "100Gi"
) -> tuple[JsonObject, ...]:
    """The Kafka and one pool of nodes that are broker and controller; pool first, as the operator needs it.

    One listener with TLS and SCRAM-SHA-512, simple authorization without super users, no topics made by accident.
    `config` is laid over the defaults. The way clients reach it: `bootstrap(target)`.
    """
    settings: dict[str, Json] = {**safe_config(brokers), **(config or {})}
    listener: JsonObject = {
        "name": target.listener,
        "port": LISTENER_PORT,
        "type": "internal",
        "tls": True,
        "authentication": {"type": "scram-sha-512"},
    }
    cluster: JsonObject = {
        "kafka": {
            "version": KAFKA_VERSION,
            "listeners": [listener],
            "authorization": {"type": "simple"},
            "config": settings,
        },
        "entityOperator": {"topicOperator": {}, "userOperator": {}},
    }
    return (
        _pool(target, brokers, storage),
        resource("Kafka", target.cluster, target.namespace, cluster),
    )


def bootstrap(target: Target) -> str:
    """Where clients inside Kubernetes find the cluster: the Service `<cluster>-kafka-bootstrap` (`strimzi.md` §2.3)."""
    return f"{target.cluster}-kafka-bootstrap.{target.namespace}.svc:{LISTENER_PORT}"


def ca_secret(target: Target) -> str:
    """The Secret with the certificate authority that clients trust, key `ca.crt` (`strimzi.md` §3)."""
    return f"{target.cluster}-cluster-ca-cert"


def small_machine_config() -> dict[str, Json]:
    """Broker settings for a cluster on one machine: small internal topics, short session time-outs (`lab.md`)."""
    return {
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.num.partitions": 4,
        "log.cleaner.dedupe.buffer.size": 16_777_216,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "group.coordinator.threads": 1,
        "group.min.session.timeout.ms": 1_000,
        "group.consumer.session.timeout.ms": 6_000,
        "group.consumer.min.session.timeout.ms": 6_000,
        "group.consumer.heartbeat.interval.ms": 2_000,
        "group.consumer.min.heartbeat.interval.ms": 2_000,
    }


def safe_config(brokers: int) -> dict[str, Json]:
    """What every cluster gets, as far as its brokers allow: three copies, two of them in sync."""
    copies, in_sync = min(3, brokers), min(2, brokers)
    return {
        "auto.create.topics.enable": False,
        # a group that comes back waits this long for more members before it reads: the default of 3 s is part of every
        # pause (`lab.md`); members that start together come within a quarter second
        "group.initial.rebalance.delay.ms": 250,
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _pool(target: Target, brokers: int, size: str) -> JsonObject:
    volume: JsonObject = {"id": 0, "type": "persistent-claim", "size": size, "kraftMetadata": "shared"}
    spec: JsonObject = {
        "replicas": brokers,
        "roles": ["controller", "broker"],
        "storage": {"type": "jbod", "volumes": [volume]},
    }
    return resource("KafkaNodePool", "dual", target.namespace, spec, cluster=target.cluster)
