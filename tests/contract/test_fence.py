"""What every Fence promises (kmigrate.world): a denied client is refused, and let in again once it is lifted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

import pytest
from memory_estate import migration
from stages import eventually

from kmigrate.adapters.memory import MemoryAclFence, MemoryEstate, MemoryStore, MemoryUserFence, MemoryWriter
from kmigrate.errors import Blocked
from kmigrate.manifests.users import Rule, rights_of, user
from kmigrate.model import Denial, Partition, Side, Topic
from kmigrate.world import Fence

CLIENT, OURS = "reader", "kmigrate"
EVERYTHING = (
    Rule(resource="topic", name="*", operations=("All",)),
    Rule(resource="group", name="*", operations=("All",)),
)


class Stage(Protocol):
    """A fence, a client that reads with groups and writes topics, and time that passes."""

    fence: Fence

    def name(self, resource: str) -> str:
        """A new `topic`, or the name of a new `group`."""
        ...

    def may(self, denial: Denial) -> bool:
        """Whether the client can do what is denied: join the group, or write the topic."""
        ...

    def know(self) -> None:
        """From now on the client's credential is known."""
        ...

    def written(self, topic: str) -> int:
        """How many records the topic holds."""
        ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


class MemoryStage:
    """A fence of an estate in memory."""

    def __init__(self, side: Side) -> None:
        self.estate = MemoryEstate(migration())
        self.fence: MemoryAclFence | MemoryUserFence = self.estate.fences[side]
        self.fence.spared = frozenset({f"User:{OURS}"})
        self.cluster, self.transactions = self.estate.clusters[side], self.estate.transactions[side]
        if side is Side.SOURCE:
            self.cluster.acls.rules = self.cluster.acls.rules | set(rights_of(f"User:{CLIENT}", EVERYTHING))
            self.cluster.users = {CLIENT}
        else:
            self.estate.store.apply(user(CLIENT, EVERYTHING, self.estate.migration.target))
        self.eventually("allowed", lambda: self.cluster.acls.allows(f"User:{CLIENT}", "group", "any", "Read"))

    def name(self, resource: str) -> str:
        name = f"{resource}-{uuid4().hex[:8]}"
        if resource == "topic":
            self.cluster.create(Topic(name=name, partitions=1))
        return name

    def may(self, denial: Denial) -> bool:
        if denial.resource == "group":
            return self.cluster.acls.allows(denial.principal, "group", denial.name, "Read")
        writer = self.writer(denial.name)
        writer.work()
        return not writer.refused

    def writer(self, topic: str) -> MemoryWriter:
        return MemoryWriter(user=CLIENT, cluster=self.cluster, transactions=self.transactions, topics=(topic,))

    def know(self) -> None:
        self.fence.known = frozenset({f"User:{CLIENT}"})

    def written(self, topic: str) -> int:
        return self.cluster.logs[Partition(topic, 0)].end

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self.estate, what, holds)


class KafkaStage:
    """A fence of one of the two clusters; rules of KafkaUsers are made real by the lab's operator, when asked to."""

    def __init__(self, two, side: Side, stack: ExitStack) -> None:
        from two_clusters import KMIGRATE, READER

        from kmigrate.adapters.fence import AclFence, UserFence

        assert (READER, KMIGRATE) == (CLIENT, OURS)
        self._two, self._one, self._operate = two, two.sides[side], lambda: None
        connection, spared = self._one.connection(str(side)), frozenset({f"User:{OURS}"})
        self._topic = f"t-{uuid4().hex[:8]}"
        self._one.topic(self._topic, 1)
        if side is Side.SOURCE:
            alter = (Rule(resource="cluster", operations=("Alter",)),)
            self._one.allow(KMIGRATE, alter)
            stack.callback(self._one.withdraw, KMIGRATE, alter)
            self.fence: AclFence | UserFence = AclFence(connection=connection, spared=spared)
            self.eventually("the right to write ACLs", self._denies)
        else:
            self.fence = self._users(connection, spared)

    def _denies(self) -> bool:
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

    def name(self, resource: str) -> str:
        name = f"{resource}-{uuid4().hex[:8]}"
        if resource == "topic":
            self._one.topic(name, 1)
        return name

    def may(self, denial: Denial) -> bool:
        return self._writes(denial.name) if denial.resource == "topic" else self._reads(denial.name)

    def _writes(self, topic: str) -> bool:
        from confluent_kafka import KafkaError, Producer

        told = []
        producer = Producer({**self._one.client(CLIENT), "linger.ms": 0})
        producer.produce(topic, "x", partition=0, on_delivery=lambda error, _: told.append(error))
        assert producer.flush(30) == 0
        (error,) = told
        assert error is None or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
        return error is None

    def _reads(self, group: str) -> bool:
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

    def know(self) -> None:
        own = self._one.connection("cluster").login
        login = replace(own, username=CLIENT, password=self._one.passwords[CLIENT])
        self.fence = replace(self.fence, logins=lambda who: login if who == f"User:{CLIENT}" else None)

    def written(self, topic: str) -> int:
        from kmigrate.adapters.kafka import KafkaCluster

        partition = Partition(topic, 0)
        return KafkaCluster(self._one.connection("cluster")).ranges([partition])[partition].end

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


@pytest.fixture(params=["group", "topic"])
def denial(request: pytest.FixtureRequest, stage: Stage) -> Denial:
    return _denial(stage, request.param)


def _denial(stage: Stage, resource: str) -> Denial:
    operation = "Write" if resource == "topic" else "Read"
    return Denial(principal=f"User:{CLIENT}", resource=resource, name=stage.name(resource), operation=operation)


def test_nothing_stands_at_first_and_lifting_it_is_fine(stage: Stage, denial: Denial) -> None:
    stage.fence.lift([denial])
    assert stage.fence.standing([denial]) == frozenset()
    assert stage.fence.proof([denial]) == {}
    assert stage.may(denial)


@pytest.mark.parametrize("known", [False, True], ids=["listed", "tried"])
def test_a_denied_client_is_refused_on_every_broker_until_it_is_lifted(
    stage: Stage, denial: Denial, known: bool
) -> None:
    if known:
        stage.know()
    other = _denial(stage, denial.resource)
    for _ in range(2):
        stage.fence.deny([denial])
    stage.eventually("proven", lambda: denial in stage.fence.proof([denial, other]))
    assert stage.fence.standing([denial, other]) == {denial}
    (proof,) = stage.fence.proof([denial, other]).values()
    assert proof.startswith("tried: all 1 brokers refuse" if known else "listed: all 1 brokers answer")
    assert not stage.may(denial)
    assert stage.may(other)
    for _ in range(2):
        stage.fence.lift([denial])
    stage.eventually("gone", lambda: not stage.fence.proof([denial]) and not stage.fence.standing([denial]))
    assert stage.may(denial)


def test_a_denied_writer_writes_nothing_and_reads_on(stage: Stage) -> None:
    denial, group = _denial(stage, "topic"), stage.name("group")
    assert stage.may(denial)
    stage.fence.deny([denial])
    stage.eventually("proven", lambda: stage.fence.proof([denial]))
    before = stage.written(denial.name)
    assert not stage.may(denial)
    assert stage.written(denial.name) == before == 1
    assert stage.may(Denial(principal=denial.principal, resource="group", name=group, operation="Read"))
    stage.fence.lift([denial])
    stage.eventually("gone", lambda: not stage.fence.proof([denial]) and not stage.fence.standing([denial]))
    assert stage.may(denial)
    assert stage.written(denial.name) == 2


def test_lifting_one_leaves_the_others_standing(stage: Stage) -> None:
    denial, other = _denial(stage, "topic"), _denial(stage, "group")
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
    ours = replace(denial, principal=principal)
    with pytest.raises(Blocked, match="is not denied anything"):
        stage.fence.deny([denial, ours])
    stage.eventually("time has passed", lambda: True)
    assert stage.fence.standing([denial, ours]) == frozenset()


def test_the_commands_that_lift_it_name_principal_resource_and_name(stage: Stage, denial: Denial) -> None:
    (command,) = stage.fence.commands([denial])
    assert denial.principal in command
    assert f"{denial.resource} {denial.name}" in command
    assert denial.operation in command
    assert stage.fence.commands([]) == ()


# ---- in memory: nothing is enforced before somebody waited ----


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("resource", ["group", "topic"])
def test_a_denial_is_proven_and_gone_only_after_somebody_waited(side: Side, resource: str) -> None:
    stage = MemoryStage(side)
    denial = _denial(stage, resource)
    stage.fence.deny([denial])
    assert stage.fence.proof([denial]) == {}
    assert stage.may(denial)
    stage.eventually("proven", lambda: stage.fence.proof([denial]))
    stage.fence.lift([denial])
    assert denial in stage.fence.proof([denial])
    assert not stage.may(denial)


def test_a_transaction_that_was_open_before_can_still_commit_and_no_new_one_writes() -> None:
    """`lab.md`: that is why a drain waits until nothing is open, too."""
    stage = MemoryStage(Side.SOURCE)
    denial = _denial(stage, "topic")
    log = stage.cluster.logs[Partition(denial.name, 0)]
    writer = replace(stage.writer(denial.name), transactional_id="x", hangs=True)
    writer.work()
    stage.fence.deny([denial])
    stage.eventually("proven", lambda: stage.fence.proof([denial]))
    writer.work()
    assert (writer.refused, log.stable, log.end) == (1, 0, 1)
    assert writer.commit()
    writer.hangs = False
    for _ in range(3):
        writer.work()
    assert (writer.refused, log.stable, log.end) == (4, 2, 2)
    assert [entry.number for entry in log.visible()] == [0]


def test_a_writer_whose_id_was_ended_is_fenced_and_its_numbers_are_given_again() -> None:
    stage = MemoryStage(Side.SOURCE)
    topic = stage.name("topic")
    log = stage.cluster.logs[Partition(topic, 0)]
    first = replace(stage.writer(topic), transactional_id="x", hangs=True)
    first.work()
    stage.transactions.end(["x"])
    for _ in range(2):
        first.work()
        assert not first.commit()
    assert (first.fenced, log.end) == (True, 2)
    second = replace(stage.writer(topic), transactional_id="x")
    second.work()
    assert [entry.number for entry in log.visible()] == [0]
    first.restart()
    first.hangs = False
    first.work()
    second.work()
    assert [entry.number for entry in log.visible()] == [0, 1]
    assert second.fenced
