"""provision: the target's cluster, found or made where there is none, and how many brokers there are or will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.cluster import STAYING, cluster
from kmigrate.manifests.kafka import LISTENER_PORT, kafka, small_machine_config
from kmigrate.manifests.listeners import lets_mirrors_in
from kmigrate.manifests.sizes import largest_message
from kmigrate.model import Json, JsonObject, Migration, Side
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.resources import await_ready, key_of, require, unready
from kmigrate.probes.topics import is_ours
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.world import Key, Resource, World

_BY_ITSELF = 1
_DEADLINE_MS = 900_000


def new_cluster(world: World, migration: Migration) -> tuple[JsonObject, ...]:
    """The cluster that the plan asks for, large enough for the source's messages, or a small one on a lab's machine."""
    target = migration.target
    if target.spec is not None:
        return cluster(target, target.spec, largest=largest(world, migration))
    return kafka(target, brokers=_BY_ITSELF, config=small_machine_config())


def largest(world: World, migration: Migration) -> int:
    """The size in bytes of the largest message that a topic of the plan takes on the source."""
    topics = world.cluster(Side.SOURCE).topics(migration.topics)
    return largest_message(topics.values(), migration.overrides)


def brokers(world: World, migration: Migration) -> int:
    """How many brokers the target's node pools ask for, or would where there is no cluster yet."""
    cluster_name = migration.target.cluster
    pools = world.resources.list("KafkaNodePool", migration.target.namespace)
    found = sum(_brokers(pool.metadata, pool.spec, cluster_name) for pool in pools)
    if found or migration.target.spec is None:
        return found or _BY_ITSELF
    return migration.target.spec.brokers


def _brokers(metadata: JsonObject, spec: JsonObject, cluster_name: str) -> int:
    labels, roles, replicas = metadata.get("labels"), spec.get("roles"), spec.get("replicas")
    ours = isinstance(labels, Mapping) and labels.get("strimzi.io/cluster") == cluster_name
    return replicas if ours and isinstance(roles, list) and "broker" in roles and isinstance(replicas, int) else 0


@dataclass(frozen=True, kw_only=True)
class FindCluster(Step):
    """The target's Kafka is Ready at its generation and says where it listens; one is made where there is none."""

    name: ClassVar[str] = "find-cluster"
    title: ClassVar[str] = "Find the target cluster, or make it"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: Kafka and its pool where there is none; raises Blocked when somebody's cluster is not ready."""
        wanted = self.wanted(world)
        if not wanted:
            self._refuse_closed(self._listening(world))
            return Finding()
        finding = find(world, wanted)
        return replace(finding, changes=tuple(self._loudly(world, change) for change in finding.changes))

    def apply(self, world: World) -> None:
        """Make what is missing and wait until the cluster is Ready; a cluster that is there is left as it is."""
        wanted = self.wanted(world)
        apply_all(world, wanted)
        kafka_first = sorted(wanted, key=lambda body: body["kind"] != "Kafka")  # it says best what is the matter
        await_ready(world, kafka_first, what="cluster", deadline_ms=_DEADLINE_MS)

    def verify(self, world: World) -> Json:
        """Who was found; raises Blocked when it is the source."""
        super().verify(world)
        cluster_id = self._listening(world).status.get("clusterId")
        if cluster_id is not None and cluster_id == world.cluster(Side.SOURCE).id():
            raise Blocked(
                f"source and target are the same cluster, {cluster_id}",
                hint="correct source.bootstrapServers or target.cluster in the plan file",
            )
        return {"clusterId": cluster_id}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the cluster if it was made here; its namespace stays, with all that others put there."""
        restore(world, {name: body for name, body in before.items() if name.partition("|")[0] != STAYING})

    def _loudly(self, world: World, change: Change) -> Change:
        """A mistyped name asks for a new cluster as well as a wish for one does: say what else is there."""
        if change.action is Action.CREATE and change.subject.partition(" ")[0] == STAYING:
            return replace(change, detail="stays when the cluster is taken back")
        if change.action is not Action.CREATE or change.subject != str(self._key):
            return change
        others = [
            f"Kafka {each.key.name} in namespace {each.key.namespace}" for each in world.resources.everywhere("Kafka")
        ]
        instead = f"there is {', '.join(others)}; if you mean that one, correct target in the plan file"
        told = f"there is no Kafka {self._key.name} in namespace {self._key.namespace}"
        return replace(
            change, detail=f"A NEW CLUSTER: {told}; {instead if others else 'there is none elsewhere either'}"
        )

    def wanted(self, world: World) -> tuple[JsonObject, ...]:
        """What to make: nothing once a Kafka is there that is not marked as ours, unless it is ours and on its way."""
        ours = new_cluster(world, self.migration)
        found = world.resources.get(self._key)
        if found is None or is_ours(found):
            return ours
        made_here = any(key_of(body) == self._key and body["spec"] == found.spec for body in ours)
        return ours if made_here and unready(found) else ()

    def _refuse_closed(self, found: Resource) -> None:
        """On Kubernetes the mirrors come in from inside, also to a cluster that somebody else made."""
        if self.migration.target.spec and "kafka" in found.spec and not lets_mirrors_in(found.spec):
            raise Blocked(
                f"{found.key} has no listener inside Kubernetes on port {LISTENER_PORT} with TLS and SCRAM-SHA-512, by "
                "which the mirrors would come in",
                hint=f"add one: {{name: inside, port: {LISTENER_PORT}, type: internal, tls: true, authentication: "
                "{type: scram-sha-512}}",
            )

    def _listening(self, world: World) -> Resource:
        found = require(world, self._key)
        if not isinstance(found.status.get("listeners"), Sequence):
            raise Blocked(f"{found.key} tells no listeners", hint="look at the operator's log, then run this again")
        return found

    @property
    def _key(self) -> Key:
        return Key("Kafka", self.migration.target.namespace, self.migration.target.cluster)
