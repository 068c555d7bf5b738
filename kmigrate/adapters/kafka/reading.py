"""Reading exact ranges of many partitions with one consumer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kmigrate.adapters.kafka.connection import Connection, failure
from kmigrate.errors import Transient
from kmigrate.model import OffsetRange, Partition, Record
from kmigrate.positions import digest

_READ_TIMEOUT_S = 30.0
_BATCH = 2_000


class Reading:
    """One read of many ranges with one consumer: each partition is let go of as soon as its range is done."""

    def __init__(
        self,
        connection: Connection,
        ranges: Mapping[Partition, OffsetRange],
        *,
        committed: bool = True,
        timed: bool = True,
    ) -> None:
        self._committed = committed
        self._told = told if timed else told_without_time
        self._connection = connection
        self._ends = {p: r.end for p, r in ranges.items() if r.end > r.start}
        self._starts = {p: r.start for p, r in ranges.items()}
        self._found: dict[Partition, list[Record]] = {p: [] for p in ranges}

    def batches(self) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        """What came, batch by batch, with a consumer of its own; only one batch is held at a time."""
        open_ranges = set(self._found)
        if self._ends:
            consumer = self._connection.new_consumer(committed=self._committed)
            try:
                consumer.assign([TopicPartition(p.topic, p.number, self._starts[p]) for p in self._ends])
                while self._ends:
                    self._take(consumer)
                    yield from self._given()
                    yield from self._ended(open_ranges)
            finally:
                consumer.close()
        yield from self._ended(open_ranges)

    def _given(self) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        for partition, records in self._found.items():
            if records:
                batch = tuple(records)
                records.clear()
                yield partition, batch

    def _ended(self, open_ranges: set[Partition]) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        for partition in sorted(open_ranges - self._ends.keys()):
            open_ranges.discard(partition)
            yield partition, ()

    def whole(self) -> Mapping[Partition, tuple[Record, ...]]:
        """Read until every range is done; raises Transient when records stop coming before that."""
        if self._ends:
            consumer = self._connection.consumer(committed=self._committed)
            consumer.assign([TopicPartition(p.topic, p.number, self._starts[p]) for p in self._ends])
            try:
                while self._ends:
                    self._take(consumer)
            finally:
                consumer.unassign()
        return {p: tuple(records) for p, records in self._found.items()}

    def _take(self, consumer: Consumer) -> None:
        """Wait for one message, then take all that came with it."""
        first = consumer.poll(_READ_TIMEOUT_S)
        if first is None:
            late = ", ".join(str(p) for p in sorted(self._ends)[:3])
            raise Transient(f"{self._connection.login.name}: reading {late}: no record for {_READ_TIMEOUT_S:.0f} s")
        done = self._keep((first, *consumer.consume(_BATCH, 0.0)))
        if done:
            consumer.incremental_unassign([TopicPartition(p.topic, p.number) for p in done])

    def _keep(self, messages: Iterable[Message]) -> list[Partition]:
        """Keep the records that lie within their range; gives the partitions whose range ended. The hot loop."""
        ends, found, done, tell = self._ends, self._found, list[Partition](), self._told
        for message in messages:
            partition = cast("Partition", (message.topic(), message.partition()))
            end = ends.get(partition)
            if end is None:
                continue
            offset = cast("int", message.offset())
            if message.error() is not None:
                self._refuse(message, partition)
            elif offset < end:
                found[partition].append(Record(offset, message.timestamp()[1], tell(message)))
                offset += 1
            if offset >= end:
                del ends[partition]
                done.append(Partition(*partition))
        return done

    def _refuse(self, message: Message, partition: Partition) -> None:
        """Raise what went wrong; the end of a partition is nothing wrong."""
        error = message.error()
        assert error is not None
        if error.code() != KafkaError._PARTITION_EOF:
            doing = f"{self._connection.login.name}: reading {Partition(*partition)}"
            raise failure(error, doing, self._connection.login)


def told(message: Message) -> bytes:
    """The digest of a message; one from a cluster has bytes or nothing in every part."""
    headers = cast("list[tuple[str, bytes | None]] | None", message.headers())
    return digest(message.timestamp()[1], message.key(), message.value(), headers or ())


def told_without_time(message: Message) -> bytes:
    """The digest of a message that one of the sides stamped with a time of its own."""
    headers = cast("list[tuple[str, bytes | None]] | None", message.headers())
    return digest(None, message.key(), message.value(), headers or ())
