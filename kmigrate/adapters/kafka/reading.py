"""Reading exact ranges of many partitions with one consumer."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, repeat
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kmigrate.adapters.kafka.connection import Connection, failure
from kmigrate.adapters.kafka.messages import next_batch
from kmigrate.adapters.kafka.telling import layout
from kmigrate.model import OffsetRange, Partition, Record, Run
from kmigrate.positions import digest

_BATCH = 5_000
# fetches keep the client's size: one below the size of a batch is served one partition per request


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
        self._committed, self._timed = committed, timed
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
        """Every record; raises Transient when records stop coming before the end of a range."""
        self.finish()
        return {p: tuple(records) for p, records in self._found.items()}

    def finish(self) -> None:
        """Read until every range is done."""
        if self._ends:
            consumer = self._connection.consumer(committed=self._committed)
            consumer.assign([TopicPartition(p.topic, p.number, self._starts[p]) for p in self._ends])
            try:
                while self._ends:
                    self._take(consumer)
            finally:
                consumer.unassign()

    def _take(self, consumer: Consumer) -> None:
        done = self._keep(next_batch(consumer, self._connection, self._ends, _BATCH))
        if done:
            consumer.incremental_unassign([TopicPartition(p.topic, p.number) for p in done])

    def _keep(self, messages: list[Message]) -> list[Partition]:
        """Keep the records that lie within their range; gives the partitions whose range ended.

        What is fetched beyond a range is many times the range itself, so messages are looked at by runs of one
        partition, and by `map`: nothing else is done for each of them.
        """
        done, at = list[Partition](), 0
        for place, same in groupby(zip(map(Message.topic, messages), map(Message.partition, messages), strict=True)):
            start, at = at, at + len(list(same))
            partition = cast("Partition", place)
            if partition in self._ends and self._run(partition, messages[start:at]):
                del self._ends[partition]
                done.append(Partition(*partition))
        return done

    def _run(self, partition: Partition, run: list[Message]) -> bool:
        """Keep what one partition gave, in order; says whether its range ended."""
        end, reached = self._ends[partition], 0
        if any(map(Message.error, run)):
            told = [message for message in run if message.error() is not None]
            reached = max(self._reached(message, partition) for message in told)
            run = [message for message in run if message.error() is None]
        within = run[: bisect_left(run, end, key=_offset)]
        self._hold(partition, within)
        return len(within) < len(run) or reached >= end or (bool(within) and _offset(within[-1]) + 1 >= end)

    def _hold(self, partition: Partition, run: list[Message]) -> None:
        self._found[partition] += _records(run, timed=self._timed)

    def _reached(self, message: Message, partition: Partition) -> int:
        """Raise what went wrong; the end of a partition is nothing wrong, and tells how far it was read."""
        error = message.error()
        assert error is not None
        if error.code() != KafkaError._PARTITION_EOF:
            doing = f"{self._connection.login.name}: reading {Partition(*partition)}"
            raise failure(error, doing, self._connection.login)
        return _offset(message)


def _offset(message: Message) -> int:
    return cast("int", message.offset())


def _records(run: list[Message], *, timed: bool) -> Iterable[Record]:
    times = [ms for _, ms in map(Message.timestamp, run)]
    told = times if timed else repeat(None, len(run))
    parts = zip(told, *(map(part, run) for part in (Message.key, Message.value, Message.headers)), strict=True)
    digests = [digest(ms, key, value, headers or ()) for ms, key, value, headers in parts]
    return map(Record, map(_offset, run), times, digests)


class RunReading(Reading):
    """The same, where one digest over all records of a range is enough: nothing else is made of each but its offset."""

    def __init__(self, connection: Connection, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True) -> None:
        super().__init__(connection, ranges, timed=timed)
        self._offsets = {p: array("q") for p in ranges}
        self._states = {p: hashlib.sha256() for p in ranges}

    def runs(self) -> Mapping[Partition, Run]:
        """Read until every range is done; raises as `whole` does."""
        self.finish()
        return {p: Run(offsets=offsets, digest=self._states[p].digest()) for p, offsets in self._offsets.items()}

    def _hold(self, partition: Partition, run: list[Message]) -> None:
        self._offsets[partition].extend(map(_offset, run))
        self._states[partition].update(layout(run, timed=self._timed))
