"""Deny rules in KafkaUsers, while their operator writes, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kmigrate.adapters.memory import MemoryStore
from kmigrate.adapters.rules import deny, lift
from kmigrate.errors import Blocked, Conflict
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.manifests.users import Rule, denials, user
from kmigrate.model import Denial, Json, JsonObject, Target
from kmigrate.world import Key, Resource

TARGET = Target(platform="lab", store="", namespace="kafka", cluster="shop", listener="scram")
KEY = Key("KafkaUser", "kafka", "web")
READ = Denial(principal="User:web", resource="group", name="web", operation="Read")
WRITE = Denial(principal="User:web", resource="topic", name="orders", operation="Write")


class Busy:
    """A store whose operator writes a status after each of the next reads, before whoever read has answered."""

    def __init__(self, store: MemoryStore, reads: int) -> None:
        self.store, self.left, self.applied = store, reads, 0

    def get(self, key: Key) -> Resource | None:
        found = self.store.get(key)
        if found is not None and self.left:
            self.left -= 1
            self.store.write_status(key, {"looked": self.left})
        return found

    def apply(self, body: JsonObject) -> Resource:
        self.applied += 1
        return self.store.apply(body)

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(LabClock())
    made.apply(user("web", [Rule(resource="topic", name="orders", operations=("Read",))], TARGET))
    return made


def denied(store: MemoryStore) -> list[tuple[Json, Json]]:
    return sorted(_places(store))


def _places(store: MemoryStore) -> Iterator[tuple[Json, Json]]:
    found = store.get(KEY)
    assert found is not None
    for rule in denials(found.spec):
        place = rule["resource"]
        assert isinstance(place, dict)
        yield place["type"], place["name"]


def test_a_status_that_is_written_meanwhile_keeps_nobody_from_denying_or_lifting(store: MemoryStore) -> None:
    busy = Busy(store, reads=3)
    deny(busy, "kafka", [READ, WRITE])
    assert denied(store) == [("group", "web"), ("topic", "orders")]
    assert busy.applied == 4
    busy.left = 3
    lift(busy, "kafka", [READ])
    assert denied(store) == [("topic", "orders")]


def test_a_user_is_written_once_whatever_it_is_denied_and_not_at_all_for_what_stands(store: MemoryStore) -> None:
    busy = Busy(store, reads=0)
    for _ in range(2):
        deny(busy, "kafka", [READ, WRITE])
    assert busy.applied == 1


def test_who_is_always_slower_is_told_of_the_conflict(store: MemoryStore) -> None:
    busy = Busy(store, reads=1_000)
    with pytest.raises(Conflict):
        deny(busy, "kafka", [READ])
    assert (busy.applied, denied(store)) == (10, [])


def test_a_user_that_is_not_there_is_denied_nothing(store: MemoryStore) -> None:
    store.delete(KEY)
    lift(store, "kafka", [READ])
    with pytest.raises(Blocked, match="there is no KafkaUser for User:web"):
        deny(store, "kafka", [READ])
