"""Messages reduced to what a content proof compares, at the least cost per record.

What Python does for one record decides the speed, so a run of records becomes one call of `marshal` (its version 2,
whose bytes depend on the values alone, and tell null from empty and every length) and one of the hash. Both sides are
read by the same Python, and no digest of this kind is kept.
"""

from __future__ import annotations

import hashlib
import marshal
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Message

from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.messages import runs
from kmigrate.model import FullRecord, KeyedRows, OffsetRange, Partition, Stretch

_LIST_HEAD = 5  # the type and the length, which tell how the run was cut
_VERSION = 2
_TOMBSTONE = bytes(16)
_ROW = struct.Struct(">16sq16s")


def stretches(
    connection: Connection, ranges: Mapping[Partition, OffsetRange], records: int
) -> Generator[tuple[Partition, Stretch], None, None]:
    """world.Cluster.stretches, in this process."""
    open_ones = {p: _Open(records, each.start) for p, each in ranges.items()}
    for partition, messages in runs(connection, ranges):
        one = open_ones[partition]
        if messages:
            for stretch in one.add(messages):
                yield partition, stretch
        else:
            yield partition, one.close(ranges[partition].end)


@dataclass(slots=True)
class _Open:
    """A stretch that is not full yet; nothing of its records is held but their digest."""

    most: int
    start: int
    records: int = 0
    size: int = 0
    state: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, messages: list[Message]) -> Iterator[Stretch]:
        """Take the records in; gives each stretch that is full."""
        at = 0
        while len(messages) - at >= self.most - self.records:
            cut = at + self.most - self.records
            self._take(messages[at:cut])
            yield self.close(int(messages[cut - 1].offset() or 0) + 1)
            at = cut
        if at < len(messages):
            self._take(messages[at:])

    def close(self, end: int) -> Stretch:
        """The stretch as it is; the next begins where it ends."""
        end = max(end, self.start)
        told = self.state.digest()[:16]
        whole = Stretch(start=self.start, end=end, records=self.records, size=self.size, digest=told)
        self.start, self.records, self.size, self.state = end, 0, 0, hashlib.sha256()
        return whole

    def _take(self, messages: list[Message]) -> None:
        told = layout(messages)
        self.state.update(told)
        self.records += len(messages)
        self.size += len(told)


def layout(messages: list[Message], *, timed: bool = True) -> memoryview:
    """Bytes that stand for the records in order, however their run is cut; the time is left out unless `timed`."""
    times = [time if timed else None for _, time in map(Message.timestamp, messages)]
    parts = (map(part, messages) for part in (Message.key, Message.value, Message.headers))
    return memoryview(marshal.dumps(list(zip(times, *parts, strict=True)), _VERSION))[_LIST_HEAD:]


def keyed(
    connection: Connection, ranges: Mapping[Partition, OffsetRange], parts: int
) -> Generator[tuple[Partition, KeyedRows], None, None]:
    """world.Cluster.keyed, in this process."""
    for partition, messages in runs(connection, ranges):
        end = int(messages[-1].offset() or 0) + 1 if messages else ranges[partition].end
        rows, size = _rows(messages)
        for part, some in _by_part(rows, parts).items():
            yield partition, KeyedRows(part=part, end=end, records=len(some), size=size, rows=b"".join(some))
            size = 0
        if not messages:
            yield partition, KeyedRows(part=0, end=end, records=0, size=0, rows=b"")


def _by_part(rows: list[bytes], parts: int) -> dict[int, list[bytes]]:
    if parts == 1:
        return {0: rows} if rows else {}
    found: dict[int, list[bytes]] = {}
    for row in rows:
        found.setdefault(row[0] % parts, []).append(row)
    return found


def _rows(messages: list[Message]) -> tuple[list[bytes], int]:
    """The rows of those that have a key, and about how many bytes those are; a digest is cut where it is packed."""
    keys = list(map(Message.key, messages))
    if None in keys:
        messages = [message for message, key in zip(messages, keys, strict=True) if key is not None]
        keys = [key for key in keys if key is not None]
    values = list(map(Message.value, messages))
    times = [time for _, time in map(Message.timestamp, messages)]
    told = [marshal.dumps(rest, _VERSION) for rest in zip(times, values, map(Message.headers, messages), strict=True)]
    whos = [hashlib.sha256(cast("bytes", key)).digest() for key in keys]
    rests = [hashlib.sha256(rest).digest() for rest in told]
    if None in values:
        rests = [_TOMBSTONE if value is None else rest for value, rest in zip(values, rests, strict=True)]
    rows = list(map(_ROW.pack, whos, map(Message.offset, messages), rests))
    return rows, sum(map(len, told)) + sum(len(key or b"") for key in keys)


def in_full(connection: Connection, places: Iterable[tuple[Partition, int]]) -> dict[tuple[Partition, int], FullRecord]:
    """The committed records at those offsets, which lie within the logs; one of each partition at a time."""
    found, left = dict[tuple[Partition, int], FullRecord](), list(places)
    while left:
        now = dict(left)
        left = [(p, offset) for p, offset in left if now[p] != offset]
        for partition, messages in runs(connection, {p: OffsetRange(start=o, end=o + 1) for p, o in now.items()}):
            for message in messages:
                found[partition, now[partition]] = full(message)
    return found


def full(message: Message) -> FullRecord:
    """A message with all its contents."""
    sent = message.headers() or []
    pairs = sent.items() if isinstance(sent, dict) else sent
    return FullRecord(
        offset=int(message.offset() or 0),
        timestamp=message.timestamp()[1],
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=tuple((name, _bytes(value)) for name, value in pairs),
    )


def _bytes(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
