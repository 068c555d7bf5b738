"""What the contract suites do to a cluster with a producer and a consumer of their own: in memory, and on Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol
from uuid import uuid4

from memory_estate import migration

from kmigrate.adapters.memory import Death, MemoryEstate
from kmigrate.model import GroupKind, Partition, Side, Topic
from kmigrate.positions import digest
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Cluster, Groups, Reporter

NOW = time.time_ns() // 1_000_000
"""Records are of about now, or retention would take them."""


def told(value: str, at: int = NOW) -> bytes:
    """The digest of a record of the stages."""
    return digest(at, None, value.encode())


class Transaction(Protocol):
    """An open transaction."""

    def put(self, partition: Partition, *values: str) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Stage(Protocol):
    """One cluster, looked at through the protocols and changed by clients that are not kmigrate's."""

    cluster: Cluster
    groups: Groups

    def topic(self, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """A new topic; its name."""
        ...

    def put(self, partition: Partition, *values: str, at: int = NOW) -> None: ...

    def begin(self) -> Transaction: ...

    def expire(self, partition: Partition, start: int) -> None: ...

    def joined(self, group: str, topic: str, kind: GroupKind = GroupKind.CLASSIC) -> AbstractContextManager[None]:
        """A member of the group, as long as the context lasts."""
        ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


# ---- in memory ----


@dataclass
class MemoryTransaction:
    """In as many logs as it touched."""

    estate: MemoryEstate
    name: str
    touched: set[Partition] = field(default_factory=set)

    def put(self, partition: Partition, *values: str) -> None:
        self.touched.add(partition)
        for value in values:
            self._log(partition).put(NOW, told(value), transaction=self.name)

    def commit(self) -> None:
        for partition in self.touched:
            self._log(partition).commit(self.name)

    def abort(self) -> None:
        for partition in self.touched:
            self._log(partition).abort(self.name)

    def _log(self, partition: Partition):
        return self.estate.clusters[Side.SOURCE].logs[partition]


class MemoryStage:
    """The source of an estate in memory."""

    def __init__(self) -> None:
        self.death = Death()
        self.estate = MemoryEstate(migration(), self.death)
        self.cluster = self.estate.clusters[Side.SOURCE]
        self.groups = self.estate.groups[Side.SOURCE]
        self._names = count()

    def topic(self, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        name = f"t-{next(self._names)}"
        self.cluster.create(Topic(name=name, partitions=partitions, config=config or {}))
        return name

    def put(self, partition: Partition, *values: str, at: int = NOW) -> None:
        for value in values:
            stamped = self.cluster.made[partition.topic].config.get("message.timestamp.type") == "LogAppendTime"
            self.cluster.logs[partition].put(at, digest(None, None, value.encode()) if stamped else told(value, at))

    def begin(self) -> MemoryTransaction:
        return MemoryTransaction(self.estate, f"x-{next(self._names)}")

    def expire(self, partition: Partition, start: int) -> None:
        self.cluster.logs[partition].expire(start)

    @contextmanager
    def joined(self, group: str, topic: str, kind: GroupKind = GroupKind.CLASSIC) -> Iterator[None]:
        self.groups.members[group], self.groups.kinds[group] = ("member",), kind
        yield
        self.groups.members.pop(group)
        self.groups.held_by.setdefault(group, {})

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self.estate, what, holds)


def eventually(estate: MemoryEstate, what: str, holds: Callable[[], object]) -> None:
    """It becomes true while somebody waits."""

    def look() -> Ready[None] | NotYet:
        return Ready(None) if holds() else NotYet("not yet")

    wait_until(look, what=what, clock=estate.clock, reporter=Reporter(), deadline_ms=60_000)


# ---- on Kafka ----


class KafkaTransaction:
    """A transactional producer."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        from confluent_kafka import Producer

        self._producer = Producer({**settings, "transactional.id": uuid4().hex})
        self._producer.init_transactions(30)
        self._producer.begin_transaction()

    def put(self, partition: Partition, *values: str) -> None:
        for value in values:
            self._producer.produce(partition.topic, value, partition=partition.number, timestamp=NOW)
        assert self._producer.flush(30) == 0

    def commit(self) -> None:
        self._producer.commit_transaction(30)

    def abort(self) -> None:
        self._producer.abort_transaction(30)


class KafkaStage:
    """The source of the two clusters."""

    def __init__(self, two) -> None:
        from confluent_kafka import Producer
        from two_clusters import READER, WRITER

        from kmigrate.adapters.kafka import KafkaCluster, KafkaGroups

        self.two, self._reader = two, two.source.client(READER)
        connection = two.source.connection("source")
        self.cluster, self.groups = KafkaCluster(connection), KafkaGroups(connection)
        self._writer = two.source.client(WRITER)
        self._producer = Producer({**self._writer, "linger.ms": 0})

    def topic(self, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        name = f"t-{uuid4().hex[:8]}"
        self.two.source.topic(name, partitions, config)
        self.eventually("the topic is known", lambda: name in self.cluster.topics([name]))
        return name

    def put(self, partition: Partition, *values: str, at: int = NOW) -> None:
        for value in values:
            self._producer.produce(partition.topic, value, partition=partition.number, timestamp=at)
        assert self._producer.flush(30) == 0

    def begin(self) -> KafkaTransaction:
        return KafkaTransaction(self._writer)

    def expire(self, partition: Partition, start: int) -> None:
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import AdminClient

        admin = AdminClient(self._writer)
        for future in admin.delete_records([TopicPartition(*partition, start)]).values():
            future.result(30)

    @contextmanager
    def joined(self, group: str, topic: str, kind: GroupKind = GroupKind.CLASSIC) -> Iterator[None]:
        from confluent_kafka import Consumer

        settings = {**self._reader, "group.id": group, "enable.auto.commit": False, "client.id": "member"}
        consumer = Consumer({**settings, "group.protocol": str(kind), "auto.offset.reset": "earliest"})
        try:
            consumer.subscribe([topic])
            self.eventually("the member is in", lambda: consumer.poll(0.05) or consumer.assignment())
            yield
        finally:
            consumer.close()

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        self.two.until(what, holds)
