"""Many resources are looked up with one request for a kind, few and secret ones by their names alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from memory_estate import Estate

from kmigrate.adapters.memory import MemoryStore, MemoryWorld
from kmigrate.model import JsonObject
from kmigrate.probes.resources import await_ready, key_of, missing, stored
from kmigrate.steps.resources import find
from kmigrate.world import Key, Resource

TOPICS = 1_000


@dataclass(frozen=True)
class Counting:
    """A store that counts what it is asked."""

    store: MemoryStore
    asked: Counter[str] = field(default_factory=Counter)

    def get(self, key: Key) -> Resource | None:
        self.asked[f"get {key.kind}"] += 1
        return self.store.get(key)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        self.asked[f"list {kind}"] += 1
        return self.store.list(kind, namespace)


@dataclass(frozen=True)
class Counted(MemoryWorld):
    """The world over such a store."""

    counting: list[Counting] = field(default_factory=list)

    @property
    def resources(self) -> Counting:
        if not self.counting:
            self.counting.append(Counting(self.estate.store))
        return self.counting[0]

    @property
    def asked(self) -> Counter[str]:
        return self.counting[0].asked


def topic(number: int) -> JsonObject:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": f"made-{number}", "namespace": "kafka", "labels": {"strimzi.io/cluster": "shop"}},
        "spec": {"topicName": f"made-{number}", "partitions": 1, "replicas": 1},
    }


def world_with(bodies: list[JsonObject]) -> Counted:
    estate = Estate()
    for body in bodies:
        estate.store.apply(body)
    estate.turns(3)
    return Counted(estate)


def test_a_thousand_topics_are_looked_for_with_one_request() -> None:
    there, more = [topic(n) for n in range(TOPICS)], [topic(TOPICS + n) for n in range(3)]
    world = world_with(there)
    assert missing(world, [*there, *more]) == tuple(more)
    assert world.asked == {"list KafkaTopic": 1}
    assert {change.subject for change in find(world, [*there, *more]).changes} == {str(key_of(body)) for body in more}
    assert world.asked == {"list KafkaTopic": 2}


def test_who_waits_for_them_asks_once_a_look() -> None:
    there = [topic(n) for n in range(TOPICS)]
    world = world_with(there)
    await_ready(world, there, what="topics", deadline_ms=1_000)
    assert world.asked == {"list KafkaTopic": 1}


def test_one_alone_and_secrets_are_asked_for_by_name() -> None:
    secrets = [Key("Secret", "kafka", name) for name in ("one", "other")]
    world = world_with([topic(1)])
    assert set(stored(world.resources, [key_of(topic(1)), *secrets])) == {key_of(topic(1))}
    assert world.asked == {"get KafkaTopic": 1, "get Secret": 2}
