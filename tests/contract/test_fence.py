"""What every Fence promises (kmigrate.world): a denied client is refused, and let in again once it is lifted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol
from uuid import uuid4

import pytest
from memory_estate import migration
from stages import eventually

from kmigrate.adapters.memory import MemoryAclFence, MemoryEstate, MemoryStore, MemoryUserFence
from kmigrate.errors import Blocked
from kmigrate.manifests.users import Rule, user
from kmigrate.model import Denial, Right, Side
from kmigrate.world import Fence

CLIENT, OURS = "reader", "kmigrate"
EVERYTHING = (
    Rule(resource="topic", name="*", operations=("All",)),
    Rule(resource="group", name="*", operations=("All",)),
)


class Stage(Protocol):
    """A fence, a client that reads with groups, and time that passes."""

    fence: Fence

    def may_read(self, group: str) -> bool:
        """Whether the client can join the group."""
        ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


class MemoryStage:
    """A fence of an estate in memory."""

    def __init__(self, side: Side) -> None:
        self.estate = MemoryEstate(migration())
        self.fence: MemoryAclFence | MemoryUserFence = self.estate.fences[side]
        self.fence.spared = frozenset({f"User:{OURS}"})
        self.acls = self.estate.clusters[side].acls
        if side is Side.SOURCE:
            right = Right(principal=f"User:{CLIENT}", resource="group", name="*", operation="All")
            self.acls.rules = self.acls.rules | {right}
        else:
            self.estate.store.apply(user(CLIENT, EVERYTHING, self.estate.migration.target))
        self.eventually("allowed", lambda: self.may_read("any"))

    def may_read(self, group: str) -> bool:
        return self.acls.allows(f"User:{CLIENT}", "group", group, "Read")

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self.estate, what, holds)


class KafkaStage:
    """A fence of one of the two clusters; rules of KafkaUsers are made real by the lab's operator, when asked to."""

    def __init__(self, two, side: Side, stack: ExitStack) -> None:
        from two_clusters import KMIGRATE, READER

        from kmigrate.adapters.fence import AclFence

        assert (READER, KMIGRATE) == (CLIENT, OURS)
        self._two, self._one, self._operate = two, two.sides[side], lambda: None
        connection, spared = self._one.connection(str(side)), frozenset({f"User:{OURS}"})
        self._topic = f"t-{uuid4().hex[:8]}"
        self._one.topic(self._topic, 1)
        if side is Side.SOURCE:
            alter = (Rule(resource="cluster", operations=("Alter",)),)
            self._one.allow(KMIGRATE, alter)
            stack.callback(self._one.withdraw, KMIGRATE, alter)
            self.fence: Fence = AclFence(connection=connection, spared=spared)
            self.eventually("the right to write ACLs", self._writes)
        else:
            self.fence = self._users(connection, spared)

    def _writes(self) -> bool:
        denial = Denial(principal="User:nobody", resource="group", name="nothing", operation="Read")
        try:
            self.fence.deny([denial])
            self.fence.lift([denial])
        except Blocked:
            return False
        return True

    def _users(self, connection, spared: frozenset[str]) -> Fence:
        from two_clusters import ALL, TARGET

        from kmigrate.adapters.fence import UserFence
        from kmigrate.lab.operator.users import UserReconciler

        clock = self._two.bench.clock
        store = MemoryStore(clock)
        metadata = {"name": CLIENT, "namespace": TARGET.namespace}
        password = {"password": self._one.passwords[CLIENT]}
        store.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": password})
        store.apply(user(CLIENT, ALL, TARGET))
        operator = UserReconciler(store, clock)
        self._operate = lambda: operator.reconcile(
            store.list("KafkaUser", TARGET.namespace), TARGET.cluster, self._one.admin, everything=False
        )
        return UserFence(store=store, namespace=TARGET.namespace, connection=connection, spared=spared)

    def may_read(self, group: str) -> bool:
        from confluent_kafka import Consumer, KafkaError

        consumer = Consumer({**self._one.client(CLIENT), "group.id": group, "enable.auto.commit": False})
        try:
            consumer.subscribe([self._topic])
            while True:
                message = consumer.poll(0.1)
                error = message.error() if message is not None else None
                if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    return False
                if consumer.assignment():
                    return True
        finally:
            consumer.close()

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        self._operate()
        self._two.until(what, holds)


FENCES = [
    *(pytest.param(("memory", side), id=f"memory-{side}") for side in Side),
    *(pytest.param(("kafka", side), id=f"kafka-{side}", marks=pytest.mark.kafka) for side in Side),
]


@pytest.fixture(params=FENCES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    kind, side = request.param
    if kind == "memory":
        yield MemoryStage(side)
        return
    with ExitStack() as stack:
        yield KafkaStage(request.getfixturevalue("two"), side, stack)


@pytest.fixture
def denial() -> Denial:
    return Denial(principal=f"User:{CLIENT}", resource="group", name=f"g-{uuid4().hex[:8]}", operation="Read")


def test_nothing_stands_at_first_and_lifting_it_is_fine(stage: Stage, denial: Denial) -> None:
    stage.fence.lift([denial])
    assert stage.fence.standing([denial]) == frozenset()
    assert stage.fence.proof([denial]) == {}
    assert stage.may_read(denial.name)


def test_a_denied_client_is_refused_on_every_broker_until_it_is_lifted(stage: Stage, denial: Denial) -> None:
    other = Denial(principal=denial.principal, resource="group", name=f"{denial.name}-other", operation="Read")
    for _ in range(2):
        stage.fence.deny([denial])
    stage.eventually("proven", lambda: denial in stage.fence.proof([denial, other]))
    assert stage.fence.standing([denial, other]) == {denial}
    (proof,) = stage.fence.proof([denial, other]).values()
    assert proof.startswith(("listed: ", "tried: "))
    assert not stage.may_read(denial.name)
    assert stage.may_read(other.name)
    for _ in range(2):
        stage.fence.lift([denial])
    stage.eventually("gone", lambda: not stage.fence.proof([denial]) and not stage.fence.standing([denial]))
    assert stage.may_read(denial.name)


def test_lifting_one_leaves_the_others_standing(stage: Stage, denial: Denial) -> None:
    other = Denial(principal=denial.principal, resource="group", name=f"{denial.name}-other", operation="Read")
    stage.fence.deny([denial, other])
    stage.eventually("both", lambda: stage.fence.standing([denial, other]) == {denial, other})
    stage.fence.lift([denial])
    stage.eventually("one", lambda: stage.fence.standing([denial, other]) == {other})
    stage.eventually("one is enforced", lambda: set(stage.fence.proof([denial, other])) == {other})
    stage.fence.lift([other])
    stage.eventually("none", lambda: not stage.fence.proof([other]) and not stage.fence.standing([other]))


@pytest.mark.parametrize("principal", [f"User:{OURS}", "User:*"])
def test_kmigrate_itself_is_never_denied_and_nothing_is_written_then(
    stage: Stage, denial: Denial, principal: str
) -> None:
    ours = Denial(principal=principal, resource="group", name=denial.name, operation="Read")
    with pytest.raises(Blocked, match="is not denied anything"):
        stage.fence.deny([denial, ours])
    stage.eventually("time has passed", lambda: True)
    assert stage.fence.standing([denial, ours]) == frozenset()


def test_the_commands_that_lift_it_name_principal_and_group(stage: Stage, denial: Denial) -> None:
    (command,) = stage.fence.commands([denial])
    assert denial.principal in command
    assert denial.name in command
    assert stage.fence.commands([]) == ()


# ---- in memory: nothing is enforced before somebody waited ----


@pytest.mark.parametrize("side", list(Side))
def test_a_denial_is_proven_and_gone_only_after_somebody_waited(side: Side, denial: Denial) -> None:
    stage = MemoryStage(side)
    stage.fence.deny([denial])
    assert stage.fence.proof([denial]) == {}
    assert stage.may_read(denial.name)
    stage.eventually("proven", lambda: stage.fence.proof([denial]))
    stage.fence.lift([denial])
    assert denial in stage.fence.proof([denial])
    assert not stage.may_read(denial.name)
