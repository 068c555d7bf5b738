"""Committed messages of many ranges, run by run, with one consumer and flat memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from itertools import groupby

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kmigrate import interrupt
from kmigrate.adapters.kafka.connection import Connection, failure
from kmigrate.errors import Transient
from kmigrate.model import OffsetRange, Partition

_PATIENCE_S = 30
_BATCH = 2_000
_LITTLE = 20_000
FLAT = {
    "queued.max.messages.kbytes": 16_384,
    "queued.min.messages": 1_000_000,  # the queue is bounded by its bytes, whatever a record's size
    "fetch.max.bytes": 8_388_608,
}
_LITTLE_AHEAD = {"fetch.message.max.bytes": 131_072, "queued.max.messages.kbytes": 1_024}
"""Who wants a few records fetches few: what is fetched beyond is paid for."""


def span(ranges: Mapping[Partition, OffsetRange]) -> int:
    """How many offsets the ranges hold."""
    return sum(max(0, each.end - each.start) for each in ranges.values())


def runs(
    connection: Connection, ranges: Mapping[Partition, OffsetRange]
) -> Generator[tuple[Partition, list[Message]], None, None]:
    """What came of each partition in order, a run at a time; an empty run ends a partition.

    At most one batch is held here, and 16 MB within the client. Raises Transient when nothing comes for 30 s before
    the end, or when retention has taken what was to come.
    """
    ends = {p: each.end for p, each in ranges.items() if each.end > each.start}
    for partition in ranges.keys() - ends.keys():
        yield partition, []
    if not ends:
        return
    ahead = _LITTLE_AHEAD if span(ranges) <= _LITTLE else FLAT
    consumer = connection.new_consumer(ahead=ahead)
    try:
        consumer.assign([TopicPartition(p.topic, p.number, ranges[p].start) for p in ends])
        while ends:
            yield from _sorted(next_batch(consumer, connection, ends), ends, consumer, connection)
    finally:
        consumer.close()


def next_batch(
    consumer: Consumer, connection: Connection, wanted: Iterable[Partition], most: int = _BATCH
) -> list[Message]:
    """Wait for one message, then take at most so many that came with it; raises Transient when none comes for 30 s."""
    for _ in range(_PATIENCE_S):
        first = consumer.poll(1.0)
        interrupt.check()
        if first is not None:
            return [first, *consumer.consume(most, 0.0)]
    late = ", ".join(str(p) for p in sorted(wanted)[:3])
    raise Transient(
        f"{connection.login.name}: reading {late}: no record for {_PATIENCE_S} s",
        hint=f"look whether every broker of the {connection.login.name} is up, then run the same command again",
    )


def _sorted(
    batch: list[Message], ends: dict[Partition, int], consumer: Consumer, connection: Connection
) -> Generator[tuple[Partition, list[Message]], None, None]:
    """The batch by partition, without what lies past an end; partitions that are done are let go of."""
    found: dict[tuple[str | None, int | None], list[Message]] = {}
    reached: dict[Partition, int] = {}
    if any(map(Message.error, batch)):
        for message in (each for each in batch if each.error() is not None):
            partition = Partition(str(message.topic()), int(message.partition() or 0))
            _refuse(message, partition, connection)
            reached[partition] = int(message.offset() or 0)
        batch = [message for message in batch if message.error() is None]
    at = 0
    # what every message is asked is asked by `map`: this is the innermost loop of a content proof
    for place, same in groupby(zip(map(Message.topic, batch), map(Message.partition, batch), strict=True)):
        start, at = at, at + len(list(same))
        found.setdefault(place, []).extend(batch[start:at])
    for (topic, number), messages in found.items():
        partition = Partition(str(topic), int(number or 0))
        if partition in ends:
            last = int(messages[-1].offset() or 0)
            reached[partition] = max(reached.get(partition, 0), last + 1)
            within = messages if last < ends[partition] else _before(ends[partition], messages)
            if within:
                yield partition, within
    for partition in [p for p, offset in reached.items() if offset >= ends.get(p, offset + 1)]:
        del ends[partition]
        consumer.incremental_unassign([TopicPartition(partition.topic, partition.number)])
        yield partition, []


def _before(end: int, messages: list[Message]) -> list[Message]:
    return [message for message in messages if int(message.offset() or 0) < end]


def _refuse(message: Message, partition: Partition, connection: Connection) -> None:
    error = message.error()
    assert error is not None
    if error.code() == KafkaError._PARTITION_EOF:
        return
    doing = f"{connection.login.name}: reading {partition}"
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        raise Transient(f"{doing}: retention has taken what was to be read next", hint="run the same command again")
    raise failure(error, doing, connection.login)
