"""What every SourceAdmin promises (kmigrate.world): rights of the mirror back and its topics, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

import pytest
from memory_estate import migration
from stages import eventually

from kmigrate.adapters.memory import MemoryEstate
from kmigrate.errors import Blocked, Refused
from kmigrate.manifests.lanes import REVERSE
from kmigrate.manifests.users import Rule, rights_of
from kmigrate.model import Right, Side, Topic
from kmigrate.world import SourceAdmin

MIRROR = "User:mirror-back"
WANTED = (
    Rule(resource="topic", name="orders", operations=("Describe",)),
    Rule(resource="cluster", operations=("Alter",)),
)
OFFSETS = Rule(resource="topic", name=REVERSE.all_connector_offsets, operations=("Create", "Delete"), pattern="prefix")


class Stage(Protocol):
    """A source, and time that passes."""

    admin: SourceAdmin

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...

    def without(self, operation: str) -> None:
        """Take from kmigrate the right to Alter rights, or to Create or Delete the mirror's topics."""
        ...

    def nobodys(self) -> SourceAdmin:
        """The same, of somebody who has no right at all."""
        ...

    def other_topic(self) -> str:
        """A topic of somebody else, there already."""
        ...

    def written(self) -> set[Right]:
        """Every ACL there."""
        ...


class MemoryStage:
    """The source of an estate in memory."""

    def __init__(self) -> None:
        self.estate = MemoryEstate(migration())
        self.admin = self.estate.source_admin
        self.admin.mirror = MIRROR

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self.estate, what, holds)

    def without(self, operation: str) -> None:
        self.admin.may.discard(operation)

    def nobodys(self) -> SourceAdmin:
        self.admin.may.clear()
        return self.admin

    def other_topic(self) -> str:
        self.estate.clusters[Side.SOURCE].create(Topic(name="other", partitions=1))
        return "other"

    def written(self) -> set[Right]:
        return self.estate.clusters[Side.SOURCE].acls.rules


class KafkaStage:
    """The source of the two clusters; kmigrate gets what it needs, and loses it again."""

    def __init__(self, two, stack: ExitStack) -> None:
        from two_clusters import KMIGRATE

        from kmigrate.adapters.source_admin import KafkaSourceAdmin

        self._two, self._who = two, KMIGRATE
        self._rules = {
            "Alter": Rule(resource="cluster", operations=("Alter",)),
            **{each: Rule(**{**_fields(OFFSETS), "operations": (each,)}) for each in OFFSETS.operations},
        }
        two.source.allow(KMIGRATE, self._rules.values())
        stack.callback(two.source.withdraw, KMIGRATE, self._rules.values())
        connection = two.source.connection("source")
        stack.callback(connection.close)
        self._stack = stack
        self.admin = KafkaSourceAdmin(connection=connection, mirror=MIRROR)
        self.eventually("kmigrate's rights", lambda: self._may([_topic()]))

    def _may(self, topics: list[Topic]) -> bool:
        try:
            self.admin.allowed(topics)
        except Blocked:
            return False
        return True

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        self._two.until(what, holds)

    def without(self, operation: str) -> None:
        self._two.source.withdraw(self._who, [self._rules[operation]])
        there = _topic()
        if operation == "Delete":
            self.admin.create_topic(there)
            self.eventually("there", lambda: self.admin.topic(there.name))
        self.eventually("the right is gone", lambda: not self._may([there]))

    def nobodys(self) -> SourceAdmin:
        from two_clusters import MIRROR as NOBODY

        login = replace(self.admin.connection.login, username=NOBODY, password=self._two.source.passwords[NOBODY])
        connection = type(self.admin.connection)(login)
        self._stack.callback(connection.close)
        return replace(self.admin, connection=connection)

    def other_topic(self) -> str:
        name = f"t-{uuid4().hex[:8]}"
        self._two.source.topic(name, 1)
        self.eventually("there", lambda: self.admin.topic(name))
        return name

    def written(self) -> set[Right]:
        from kmigrate.adapters.kafka.rights import rights

        return set(rights(self.admin.connection))


def _fields(rule: Rule) -> dict:
    return {name: getattr(rule, name) for name in ("resource", "name", "operations", "pattern", "type")}


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as stack:
        memory = request.param == "memory"
        yield MemoryStage() if memory else KafkaStage(request.getfixturevalue("two"), stack)


def _topic() -> Topic:
    name = f"{REVERSE.all_connector_offsets}lane-{uuid4().hex[:8]}"
    return Topic(name=name, partitions=1, config={"cleanup.policy": "compact"})


def test_rights_stand_once_they_were_granted_and_until_they_are_revoked_and_others_stay(stage: Stage) -> None:
    one, other = rights_of(MIRROR, WANTED)
    before = stage.written()
    assert stage.admin.grants([one, other]) == frozenset()
    stage.admin.revoke([one])
    for _ in range(2):
        stage.admin.grant([one, other])
    stage.eventually("both", lambda: stage.admin.grants([one, other]) == {one, other})
    assert stage.written() == before | {one, other}
    for _ in range(2):
        stage.admin.revoke([one])
    stage.eventually("one", lambda: stage.admin.grants([one, other]) == {other})
    stage.admin.revoke([other])
    stage.eventually("as before", lambda: stage.written() == before)


def test_a_topic_is_there_after_a_while_as_it_was_asked_and_gone_after_a_while(stage: Stage) -> None:
    topic = _topic()
    assert stage.admin.topic(topic.name) is None
    stage.admin.remove_topic(topic.name)
    for _ in range(2):
        stage.admin.create_topic(topic)
    stage.eventually("there", lambda: stage.admin.topic(topic.name) == topic)
    stage.admin.create_topic(Topic(name=topic.name, partitions=3))
    stage.eventually("time has passed", lambda: True)
    assert stage.admin.topic(topic.name) == topic
    stage.admin.allowed([topic, _topic()])
    for _ in range(2):
        stage.admin.remove_topic(topic.name)
    stage.eventually("gone", lambda: stage.admin.topic(topic.name) is None)


@pytest.mark.parametrize(
    "right",
    [
        Right(principal="User:storefront", resource="topic", name="orders", operation="Write"),
        Right(principal="User:*", resource="topic", name="orders", operation="Describe"),
        Right(principal=MIRROR, resource="topic", name="orders", operation="Write", type="deny"),
    ],
)
def test_nobody_but_the_mirror_back_is_given_or_loses_anything_and_nothing_is_written_then(
    stage: Stage, right: Right
) -> None:
    before, ours = stage.written(), rights_of(MIRROR, WANTED)
    for verb in (stage.admin.grant, stage.admin.revoke):
        with pytest.raises(Refused, match="only the mirror back"):
            verb([*ours, right])
    assert stage.written() == before


@pytest.mark.parametrize("name", ["orders", "kmigrate-reverse-offsets", "__consumer_offsets"])
def test_no_topic_but_the_mirrors_own_is_made_or_removed(stage: Stage, name: str) -> None:
    for refused in (
        lambda: stage.admin.create_topic(Topic(name=name, partitions=1)),
        lambda: stage.admin.remove_topic(name),
        lambda: stage.admin.allowed([Topic(name=name, partitions=1)]),
    ):
        with pytest.raises(Refused, match="not a reverse lane's own"):
            refused()
    assert name == "__consumer_offsets" or stage.admin.topic(name) is None


def test_a_topic_of_somebody_else_is_seen_and_stays(stage: Stage) -> None:
    name = stage.other_topic()
    with pytest.raises(Refused):
        stage.admin.remove_topic(name)
    assert stage.admin.topic(name) is not None


def test_who_has_no_right_on_the_cluster_at_all_is_not_believed_to_have_one(stage: Stage) -> None:
    with pytest.raises(Blocked, match=r"changing ACLs: .* lacks Alter") as told:
        stage.nobodys().allowed([])
    assert "--operation Alter" in told.value.hint


@pytest.mark.parametrize("operation", ["Alter", "Create", "Delete"])
def test_a_missing_right_is_told_before_with_the_command_that_grants_it(stage: Stage, operation: str) -> None:
    topic = _topic()
    if operation == "Delete":
        stage.admin.create_topic(topic)
        stage.eventually("there", lambda: stage.admin.topic(topic.name))
    stage.without(operation)
    with pytest.raises(Blocked, match=operation) as told:
        stage.admin.allowed([topic])
    assert "kafka-acls.sh" in told.value.hint
    assert f"--operation {operation}" in told.value.hint
    if operation == "Create":
        with pytest.raises(Blocked, match="Create"):
            stage.admin.create_topic(topic)
    if operation == "Delete":
        with pytest.raises(Blocked, match="Delete"):
            stage.admin.remove_topic(topic.name)
    if operation == "Alter":
        with pytest.raises(Blocked, match="Alter"):
            stage.admin.grant(rights_of(MIRROR, WANTED))
