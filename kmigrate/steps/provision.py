"""provision: topics and users on the target, before anything is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.internal import internal_topics
from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.manifests.topics import carried_topic
from kmigrate.manifests.users import application_rules, forward_mirror_rules, kmigrate_rules, user
from kmigrate.model import Json, JsonObject, Migration, Side, Topic
from kmigrate.plan import Finding, Step
from kmigrate.probes.resources import await_ready, require
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.world import Key, Resource, World

KMIGRATE_USER = "kmigrate"
MIRROR_USER = "kmigrate-mirror"

_DEADLINE_MS = 300_000


@dataclass(frozen=True, kw_only=True)
class FindCluster(Step):
    """The target's Kafka is Ready at its generation and says where it listens."""

    name: ClassVar[str] = "find-cluster"
    title: ClassVar[str] = "Find the target cluster"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Change nothing; raises Blocked when there is no such cluster, or when it is not ready."""
        kafka = self._kafka(world)
        if not isinstance(kafka.status.get("listeners"), Sequence):
            raise Blocked(f"{kafka.key} tells no listeners", hint="look at the operator's log, then run this again")
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do: this step only looks."""

    def verify(self, world: World) -> Json:
        """Who was found."""
        return {"clusterId": self._kafka(world).status.get("clusterId")}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _kafka(self, world: World) -> Resource:
        target = self.migration.target
        return require(world, Key("Kafka", target.namespace, target.cluster))


@dataclass(frozen=True, kw_only=True)
class CreateTopics(Step):
    """Every topic of the plan as the source has it, and the mirror's own, made before the mirror runs (design §4.8)."""

    name: ClassVar[str] = "create-topics"
    title: ClassVar[str] = "Create the topics"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: what is not stored as wanted or not Ready; raises Blocked for a topic the source does not have."""
        return find(world, self._wanted(world))

    def apply(self, world: World) -> None:
        """Apply them and wait until each is Ready at its generation."""
        wanted = self._wanted(world)
        apply_all(world, wanted)
        await_ready(world, wanted, what="topics", deadline_ms=_DEADLINE_MS)

    def verify(self, world: World) -> Json:
        """The target itself has each topic with the source's partitions."""
        super().verify(world)
        there = world.cluster(Side.TARGET).topics(self.migration.topics)
        wrong = [
            t.name
            for t in self._source(world)
            if there.get(t.name, t).partitions != t.partitions or t.name not in there
        ]
        if wrong:
            raise Blocked(
                f"Ready, and yet the target has not the partitions of the source in {', '.join(wrong)}",
                hint="look at the topic on the target; it may have been there before with other partitions",
            )
        return {"topics": len(there)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the topics that were not there; only the mirror's copies are in them."""
        restore(world, before)

    def _source(self, world: World) -> tuple[Topic, ...]:
        seen = world.cluster(Side.SOURCE).topics(self.migration.topics)
        missing = sorted(set(self.migration.topics) - set(seen))
        if missing:
            raise Blocked(
                f"the source has no topic {', '.join(missing)}, or kmigrate may not describe it",
                hint="correct topics.include in the plan file, or grant DESCRIBE on it",
            )
        return tuple(seen[name] for name in self.migration.topics)

    def _wanted(self, world: World) -> tuple[JsonObject, ...]:
        target = self.migration.target
        copies = brokers(world, self.migration)
        carried = [carried_topic(topic, target, brokers=copies).body for topic in self._source(world)]
        return (*carried, *internal_topics(FORWARD, forward_lanes(self.migration), target, brokers=copies))


@dataclass(frozen=True, kw_only=True)
class CreateUsers(Step):
    """A user with just its rights for every application, for the mirror, and for kmigrate itself."""

    name: ClassVar[str] = "create-users"
    title: ClassVar[str] = "Create the users"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: what is not stored as wanted or not Ready."""
        return find(world, self._wanted())

    def apply(self, world: World) -> None:
        """Apply them and wait until each is Ready at its generation."""
        apply_all(world, self._wanted())
        await_ready(world, self._wanted(), what="users", deadline_ms=_DEADLINE_MS)

    def verify(self, world: World) -> Json:
        """Sign in with one of them: kmigrate's own."""
        super().verify(world)
        return {"users": len(self._wanted()), "signedInTo": world.cluster(Side.TARGET).id()}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the users that were not there, give the others their rights back."""
        restore(world, before)

    def _wanted(self) -> tuple[JsonObject, ...]:
        target = self.migration.target
        lanes = forward_lanes(self.migration)
        rules = {KMIGRATE_USER: kmigrate_rules(), MIRROR_USER: forward_mirror_rules(lanes, FORWARD)}
        for app in self.migration.applications:
            for principal in app.principals:  # two applications may share one
                rules[principal.target] = (*rules.get(principal.target, ()), *application_rules(app))
        return tuple(user(name, of, target) for name, of in rules.items())


def brokers(world: World, migration: Migration) -> int:
    """How many brokers the target's node pools ask for."""
    pools = world.resources.list("KafkaNodePool", migration.target.namespace)
    return sum(_brokers(pool, migration.target.cluster) for pool in pools)


def _brokers(pool: Resource, cluster: str) -> int:
    labels, roles, replicas = pool.metadata.get("labels"), pool.spec.get("roles"), pool.spec.get("replicas")
    ours = isinstance(labels, dict) and labels.get("strimzi.io/cluster") == cluster
    return replicas if ours and isinstance(roles, list) and "broker" in roles and isinstance(replicas, int) else 0
