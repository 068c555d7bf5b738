"""What every Transactions promises (kmigrate.world): what is open is told, and who held an ended id writes no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol
from uuid import uuid4

import pytest
from memory_estate import migration
from stages import NOW, eventually, told

from kmigrate.adapters.memory import MemoryEstate
from kmigrate.errors import Blocked
from kmigrate.model import OffsetRange, Partition, Side, Topic
from kmigrate.world import Cluster, Transactions


class Producer(Protocol):
    """A client that holds a transactional id."""

    def put(self, partition: Partition, value: str) -> None:
        """A record that the broker has, within a transaction that stays open."""
        ...

    def commit(self) -> bool:
        """End the transaction; False when another holds the id by now."""
        ...


class Stage(Protocol):
    """A cluster, and clients with transactional ids."""

    cluster: Cluster
    transactions: Transactions

    def topic(self, partitions: int) -> str: ...

    def producer(self, name: str) -> Producer: ...

    def withhold(self, name: str) -> None:
        """kmigrate may not write that id (any more)."""
        ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


class MemoryProducer:
    """Writes into logs by its own hand, as long as it holds its id."""

    def __init__(self, estate: MemoryEstate, side: Side, name: str) -> None:
        self._logs, self._transactions, self._name = estate.clusters[side].logs, estate.transactions[side], name
        self._epoch = self._transactions.take(name)
        self._transactions.begin(name)

    def put(self, partition: Partition, value: str) -> None:
        self._logs[partition].put(NOW, told(value), transaction=self._name)

    def commit(self) -> bool:
        if not self._transactions.holds(self._name, self._epoch):
            return False
        self._transactions.finish(self._name, commit=True)
        return True


class MemoryStage:
    """One side of an estate in memory."""

    def __init__(self, side: Side) -> None:
        self._estate, self._side = MemoryEstate(migration()), side
        self.cluster, self.transactions = self._estate.clusters[side], self._estate.transactions[side]

    def topic(self, partitions: int) -> str:
        self.cluster.create(Topic(name="t", partitions=partitions))
        return "t"

    def producer(self, name: str) -> Producer:
        return MemoryProducer(self._estate, self._side, name)

    def withhold(self, name: str) -> None:
        self.transactions.withheld.add(name)

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self._estate, what, holds)


class KafkaProducer:
    """A transactional producer of the writer's."""

    def __init__(self, settings, name: str) -> None:
        from confluent_kafka import Producer

        self._producer = Producer({**settings, "transactional.id": name, "linger.ms": 0})
        self._producer.init_transactions(30)
        self._producer.begin_transaction()

    def put(self, partition: Partition, value: str) -> None:
        self._producer.produce(partition.topic, value, partition=partition.number, timestamp=NOW)
        assert self._producer.flush(30) == 0

    def commit(self) -> bool:
        from confluent_kafka import KafkaError, KafkaException

        try:
            self._producer.commit_transaction(30)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED):
                return False
            raise
        return True


class KafkaStage:
    """One of the two clusters; kmigrate may write every id that is not withheld."""

    def __init__(self, two, side: Side, stack: ExitStack) -> None:
        from two_clusters import KMIGRATE, WRITER

        from kmigrate.adapters.kafka import KafkaCluster, KafkaTransactions
        from kmigrate.manifests.users import Rule

        self._two, self._one, self._rule, self._who, self._stack = two, two.sides[side], Rule, KMIGRATE, stack
        connection = self._one.connection(str(side))
        stack.callback(connection.close)
        self.cluster, self.transactions = KafkaCluster(connection), KafkaTransactions(connection=connection)
        self._writer = self._one.client(WRITER)
        self._allow(Rule(resource="transactionalId", name="x-", operations=("Describe", "Write"), pattern="prefix"))
        self.eventually("kmigrate's rights", lambda: self._may(f"x-{uuid4().hex}"))

    def topic(self, partitions: int) -> str:
        name = f"t-{uuid4().hex[:8]}"
        self._one.topic(name, partitions)
        self.eventually("the topic is known", lambda: name in self.cluster.topics([name]))
        return name

    def producer(self, name: str) -> Producer:
        return KafkaProducer(self._writer, name)

    def withhold(self, name: str) -> None:
        self._allow(self._rule(resource="transactionalId", name=name, operations=("Write",), type="deny"))
        self.eventually("the right is gone", lambda: not self._may(name))

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        self._two.until(what, holds)

    def _allow(self, rule) -> None:
        self._one.allow(self._who, [rule])
        self._stack.callback(self._one.withdraw, self._who, [rule])

    def _may(self, name: str) -> bool:
        try:
            self.transactions.allowed([name])
        except Blocked:
            return False
        return True


@pytest.fixture(
    params=[
        *(pytest.param(("memory", side), id=f"memory-{side}") for side in Side),
        *(pytest.param(("kafka", side), id=f"kafka-{side}", marks=pytest.mark.kafka) for side in Side),
    ]
)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    kind, side = request.param
    if kind == "memory":
        yield MemoryStage(side)
        return
    with ExitStack() as stack:
        yield KafkaStage(request.getfixturevalue("two"), side, stack)


@pytest.fixture
def name() -> str:
    return f"x-{uuid4().hex[:8]}"


def test_where_nothing_is_open_nothing_is_told(stage: Stage, name: str) -> None:
    topic = stage.topic(2)
    wanted = [Partition(topic, 0), Partition(topic, 1)]
    assert stage.transactions.open(wanted) == ()
    producer = stage.producer(name)
    producer.put(wanted[0], "a")
    assert producer.commit()
    stage.eventually("ended", lambda: stage.transactions.open(wanted) == ())
    assert stage.transactions.open([]) == ()


def test_what_is_open_is_told_with_who_holds_it_from_where_the_last_stable_offset_stands(
    stage: Stage, name: str
) -> None:
    topic = stage.topic(3)
    first, second, other = (Partition(topic, number) for number in range(3))
    for _ in range(2):
        done = stage.producer(name)
        done.put(first, "before")
        assert done.commit()
    stage.eventually("ended", lambda: stage.transactions.open([first]) == ())
    later = f"{name}-later"
    for holder, partitions in ((name, (first, second)), (later, (first, other))):
        producer = stage.producer(holder)
        for partition in partitions:
            producer.put(partition, "open")
    found = stage.transactions.open([second, first])
    assert [(each.partition, each.transactional_id) for each in found] == [
        (first, name),
        (first, later),
        (second, name),
    ]
    stable = stage.cluster.ranges([first, second])
    assert (found[0].start, found[2].start) == (stable[first].end, stable[second].end)
    assert found[1].start > found[0].start
    assert found[0].producer_id == found[2].producer_id != found[1].producer_id
    assert found[0].epoch == found[2].epoch
    assert all(each.started_ms is not None and each.started_ms > 0 for each in found)
    assert name in str(found[0])
    stage.transactions.end([name, later])


def test_who_held_an_ended_id_is_fenced_and_what_it_had_open_is_never_seen(stage: Stage, name: str) -> None:
    topic = stage.topic(2)
    partitions = [Partition(topic, 0), Partition(topic, 1)]
    frozen = stage.producer(name)
    for partition in partitions:
        frozen.put(partition, "never")
    assert {each.transactional_id for each in stage.transactions.open(partitions)} == {name}
    for _ in range(2):
        stage.transactions.end([name, f"{name}-never-used"])
    assert stage.transactions.open(partitions) == ()
    whole, stable = stage.cluster.ranges(partitions, committed=False), stage.cluster.ranges(partitions)
    assert whole == stable
    assert not frozen.commit()
    assert stage.cluster.ranges(partitions, committed=False) == whole
    wanted = {p: OffsetRange(start=0, end=log.end) for p, log in whole.items()}
    assert stage.cluster.read(wanted) == dict.fromkeys(partitions, ())
    assert all(log.end == 2 for log in whole.values())


def test_an_id_that_was_ended_can_be_taken_again(stage: Stage, name: str) -> None:
    partition = Partition(stage.topic(1), 0)
    stage.transactions.end([name])
    again = stage.producer(name)
    again.put(partition, "a")
    assert again.commit()
    wanted = {partition: OffsetRange(start=0, end=1)}
    stage.eventually("seen", lambda: stage.cluster.ranges([partition])[partition].end == 2)
    assert [record.digest for record in stage.cluster.read(wanted)[partition]] == [told("a")]


def test_an_id_that_kmigrate_may_not_write_is_told_with_the_command_and_nothing_is_ended(
    stage: Stage, name: str
) -> None:
    partition = Partition(stage.topic(1), 0)
    holder, other = stage.producer(name), f"{name}-other"
    holder.put(partition, "a")
    stage.transactions.allowed([name, other])
    stage.withhold(other)
    for refused in (stage.transactions.allowed, stage.transactions.end):
        with pytest.raises(Blocked, match=f"ending transactions of {other}: User:kmigrate lacks Write") as why:
            refused([name, other])
        assert "kafka-acls.sh" in why.value.hint
        assert f"--operation Write --operation Describe --transactional-id {other}" in why.value.hint
    assert [each.transactional_id for each in stage.transactions.open([partition])] == [name]
    assert holder.commit()
