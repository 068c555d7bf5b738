"""Reading exact ranges of many partitions with one consumer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
        self, connection: Connection, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True
    ) -> None:
        self._committed = committed
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
        done: list[TopicPartition] = []
        for message in (first, *consumer.consume(_BATCH, 0.0)):
            partition = Partition(message.topic() or "", message.partition() or 0)
            end = self._ends.get(partition)
            if end is not None and self._ended_by(message, partition, end):
                del self._ends[partition]
                done.append(TopicPartition(partition.topic, partition.number))
        if done:
            consumer.incremental_unassign(done)

    def _ended_by(self, message: Message, partition: Partition, end: int) -> bool:
        """Keep the record if it is within the range; whether the range ends with it."""
        error, offset = message.error(), message.offset() or 0
        if error is None:
            if offset < end:
                self._found[partition].append(record(message))
            return offset >= end - 1
        if error.code() != KafkaError._PARTITION_EOF:
            raise failure(error, f"{self._connection.login.name}: reading {partition}", self._connection.login)
        return offset >= end


def record(message: Message) -> Record:
    """What positions need of a message."""
    _, timestamp = message.timestamp()
    sent = message.headers() or ()
    headers = [(name, _bytes(value)) for name, value in (sent.items() if isinstance(sent, dict) else sent)]
    told = digest(timestamp, _bytes(message.key()), _bytes(message.value()), headers)
    return Record(message.offset() or 0, timestamp, told)


def _bytes(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
