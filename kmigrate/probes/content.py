"""Whether the content of both sides is equal up to a bound, in order, partition by partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kmigrate.errors import VerifyFailed
from kmigrate.model import Json, OffsetRange, Partition, Record, Side
from kmigrate.world import Cluster, World

_WINDOW = 20_000
"""Offsets of one partition that are read at a time; this bounds the memory."""
_HINT = "compare both records by hand; the mirror's copy must be made anew before any application moves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was compared in a partition: how many records, and the range of offsets on either side.

    `gone` counts records that only the target still has, since retention or compaction took them from the source.
    """

    records: int
    gone: int
    source: OffsetRange
    target: OffsetRange

    def told(self) -> Json:
        """For the journal."""
        ranges = {str(Side.SOURCE): self.source, str(Side.TARGET): self.target}
        told: dict[str, Json] = {name: [each.start, each.end] for name, each in ranges.items()}
        return {"records": self.records, "gone": self.gone, **told}


def compare(world: World, partition: Partition, ends: Mapping[Side, int], *, compacted: bool) -> Compared:
    """Compare every record before `ends`, newest first, so that what retention takes meanwhile does not shift anything.

    `ends` are the same place on both sides: the record after it on the source has its copy after it on the target.
    A compacted topic may hold more on the target, where compaction is held off: then the source's records must stand
    there in their order. Raises VerifyFailed with the newest difference; what the source has and the target lacks is
    always one. Memory does not grow with the log.
    """
    here = _Backwards(world.cluster(Side.SOURCE), partition, ends[Side.SOURCE])
    there = _Backwards(world.cluster(Side.TARGET), partition, ends[Side.TARGET])
    records = gone = 0
    copy = there.pop()
    while (record := here.pop()) is not None:
        while compacted and copy is not None and copy.digest != record.digest:
            gone += 1
            copy = there.pop()
        if copy is None or copy.digest != record.digest:
            raise VerifyFailed(f"the content differs in {partition}: {_difference(record, copy)}", hint=_HINT)
        records += 1
        copy = there.pop()
    while copy is not None:
        if here.start == 0 and not compacted:
            raise VerifyFailed(f"the content differs in {partition}: {_difference(None, copy)}", hint=_HINT)
        gone += 1
        copy = there.pop()
    return Compared(records=records, gone=gone, source=here.compared, target=there.compared)


def total(compared: Iterable[Compared]) -> int:
    """How many records were found equal."""
    return sum(each.records for each in compared)


@dataclass(slots=True)
class _Backwards:
    """The committed records of a partition, newest first, a window at a time."""

    cluster: Cluster
    partition: Partition
    end: int
    start: int = field(init=False)
    held: list[Record] = field(default_factory=list)
    bottom: int = field(init=False)

    def __post_init__(self) -> None:
        self.start, self.bottom = self._start(), self.end

    @property
    def compared(self) -> OffsetRange:
        return OffsetRange(start=min(self.start, self.end), end=self.end)

    def pop(self) -> Record | None:
        """The next older record, or None where the log starts."""
        while not self.held and self.bottom > self.start:
            self.start = self._start()  # retention may have moved on
            window = OffsetRange(start=max(self.start, self.bottom - _WINDOW), end=self.bottom)
            if window.start < window.end:
                self.held = list(self.cluster.read({self.partition: window})[self.partition])
            self.bottom = window.start
        return self.held.pop() if self.held else None

    def _start(self) -> int:
        return self.cluster.ranges([self.partition])[self.partition].start


def _difference(record: Record | None, copy: Record | None) -> str:
    return f"{_place(Side.SOURCE, record)}, {_place(Side.TARGET, copy)}"


def _place(side: Side, record: Record | None) -> str:
    if record is None:
        return f"no such record on the {side}"
    return f"offset {record.offset} (time {record.timestamp} ms) on the {side}"
