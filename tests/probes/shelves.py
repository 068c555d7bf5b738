"""Two sides whose records have contents, in memory: what a content proof looks at, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from kmigrate.adapters.memory import MemoryClock, telling
from kmigrate.errors import Transient
from kmigrate.model import FullRecord, KeyedRows, OffsetRange, Partition, Record, Side, Stretch, Topic
from kmigrate.positions import digest
from kmigrate.world import Reporter, World

P = Partition("orders", 0)
Entry = FullRecord | None  # None is a marker, or a record of an aborted transaction


def record(number: int, **other: object) -> FullRecord:
    """The record of that number, with other fields where given."""
    plain = FullRecord(
        offset=-1,
        timestamp=1_000 + number,
        key=b"k%d" % number,
        value=b"v%d" % number,
        headers=(("trace", b"%d" % number), ("kind", b"plain")),
    )
    return replace(plain, **other)


@dataclass
class Shelf:
    """A cluster; logs are lists of entries, whose places are their offsets."""

    logs: dict[Partition, list[Entry]] = field(default_factory=dict)
    starts: dict[Partition, int] = field(default_factory=dict)
    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    unstable: dict[Partition, int] = field(default_factory=dict)
    stalls_at: list[int] = field(default_factory=list)
    asked: list[OffsetRange] = field(default_factory=list)
    tails: list[tuple[Partition, Entry]] = field(default_factory=list)

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        count = {name: sum(p.topic == name for p in self.logs) for name in names}
        return {n: Topic(name=n, partitions=c, config=self.configs.get(n, {})) for n, c in count.items() if c}

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        return {p: OffsetRange(start=self.starts.get(p, 0), end=len(self.logs[p])) for p in partitions}

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return {p: self._at(p, time) for p, time in times.items()}

    def read(self, ranges: Mapping[Partition, OffsetRange]) -> Mapping[Partition, tuple[Record, ...]]:
        return {p: tuple(map(_told, self._full(p, each))) for p, each in ranges.items()}

    def stretches(
        self, ranges: Mapping[Partition, OffsetRange], records: int
    ) -> Generator[tuple[Partition, Stretch], None, None]:
        self.asked += ranges.values()
        for number, told in enumerate(telling.stretches(self.read(ranges), ranges, records)):
            if self.stalls_at and self.stalls_at[0] == number:
                del self.stalls_at[0]
                raise Transient("no record for 30 s")
            yield told

    def keyed(
        self, ranges: Mapping[Partition, OffsetRange], parts: int
    ) -> Generator[tuple[Partition, KeyedRows], None, None]:
        for p, each in ranges.items():
            for one in self._full(p, each):
                assert one.key is not None
                who = hashlib.sha256(one.key).digest()[:16]
                rest = bytes(16) if one.value is None else _told(one).digest
                row = who + one.offset.to_bytes(8, "big") + rest
                yield p, KeyedRows(part=who[0] % parts, end=one.offset + 1, records=1, size=40, rows=row)
            yield p, KeyedRows(part=0, end=each.end, records=0, size=0, rows=b"")
        while self.tails:
            partition, entry = self.tails.pop()
            self.logs[partition].append(entry)

    def records_in_full(self, places: Iterable[tuple[Partition, int]]) -> Mapping[tuple[Partition, int], FullRecord]:
        return {(p, o): full for p, o in places for full in self._full(p, OffsetRange(start=o, end=o + 1))}

    def _full(self, partition: Partition, wanted: OffsetRange) -> list[FullRecord]:
        start = self.starts.get(partition, 0)
        if wanted.start < wanted.end and wanted.start < start:
            raise Transient("retention has taken what was to be read")
        numbered = enumerate(self.logs[partition][wanted.start : wanted.end], start=wanted.start)
        return [replace(entry, offset=offset) for offset, entry in numbered if entry is not None]

    def _at(self, partition: Partition, time: int) -> int:
        whole = OffsetRange(start=self.starts.get(partition, 0), end=len(self.logs[partition]))
        return next((r.offset for r in self._full(partition, whole) if r.timestamp >= time), whole.end)


def _told(full: FullRecord) -> Record:
    told = digest(full.timestamp, full.key, full.value, full.headers)
    return Record(offset=full.offset, timestamp=full.timestamp, digest=told)


@dataclass
class Told(Reporter):
    """What was told."""

    lines: list[str] = field(default_factory=list)

    def progress(self, what: str, detail: str) -> None:
        self.lines.append(f"{what}: {detail}")


@dataclass
class TwoShelves:
    """As much of a world as a content proof needs."""

    sides: dict[Side, Shelf]
    clock: MemoryClock = field(default_factory=MemoryClock)
    reporter: Told = field(default_factory=Told)

    def cluster(self, side: Side) -> Shelf:
        return self.sides[side]

    @property
    def world(self) -> World:
        return cast("World", self)


def two(source: list[Entry], target: list[Entry], config: dict[str, str] | None = None) -> TwoShelves:
    """One topic of one partition."""
    logs = {Side.SOURCE: source, Side.TARGET: target}
    return TwoShelves(
        {side: Shelf({P: list(log)}, configs={P.topic: dict(config or {})}) for side, log in logs.items()}
    )
