"""The target's cluster as it is made where there is none, and how many brokers there are or will be."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.model import JsonObject, Migration
from kmigrate.probes.lanes import part
from kmigrate.world import World


def new_cluster(migration: Migration) -> tuple[JsonObject, ...]:
    """The pool and the Kafka for a target that has none: three brokers, or a small one on the lab's machine."""
    if migration.target.platform == "lab":
        return kafka(migration.target, brokers=1, config=small_machine_config())
    return kafka(migration.target, brokers=3)


def brokers(world: World, migration: Migration) -> int:
    """How many brokers the target's node pools ask for, or would where there is no cluster yet."""
    cluster = migration.target.cluster
    pools = world.resources.list("KafkaNodePool", migration.target.namespace)
    found = sum(_brokers(pool.metadata, pool.spec, cluster) for pool in pools)
    return found or sum(
        _brokers(part(body, "metadata"), part(body, "spec"), cluster) for body in new_cluster(migration)
    )


def _brokers(metadata: JsonObject, spec: JsonObject, cluster: str) -> int:
    labels, roles, replicas = metadata.get("labels"), spec.get("roles"), spec.get("replicas")
    ours = isinstance(labels, Mapping) and labels.get("strimzi.io/cluster") == cluster
    return replicas if ours and isinstance(roles, list) and "broker" in roles and isinstance(replicas, int) else 0
