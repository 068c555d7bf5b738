"""Reading exact ranges of many partitions with one consumer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kmigrate.adapters.kafka.connection import Connection, failure
from kmigrate.errors import Transient
from kmigrate.model import OffsetRange, Partition, Record
from kmigrate.positions import digest

_READ_TIMEOUT_S = 30.0


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
        for message in (first, *consumer.consume(2_000, 0.0)):
            self._one(message, consumer)

    def _one(self, message: Message, consumer: Consumer) -> None:
        partition = Partition(str(message.topic()), int(message.partition() or 0))
        if partition not in self._ends:
            return
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise failure(error, f"{self._connection.login.name}: reading {partition}", self._connection.login)
        offset = int(message.offset() or 0)
        if error is None and offset < self._ends[partition]:
            self._found[partition].append(record(message))
        if offset >= self._ends[partition] - (1 if error is None else 0):
            del self._ends[partition]
            consumer.incremental_unassign([TopicPartition(partition.topic, partition.number)])


def record(message: Message) -> Record:
    """What positions need of a message."""
    _, timestamp = message.timestamp()
    sent = message.headers() or []
    pairs = sent.items() if isinstance(sent, dict) else sent
    headers = [(name, _bytes(value)) for name, value in pairs]
    told = digest(timestamp, _bytes(message.key()), _bytes(message.value()), headers)
    return Record(offset=int(message.offset() or 0), timestamp=timestamp, digest=told)


def _bytes(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
