"""Logs of which every passage is read once: groups that stopped together mostly stand between the same two marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from kmigrate.model import OffsetRange, Partition, Record, Run, Side
from kmigrate.probes.sieve import Logs, Sides

T = TypeVar("T")
_MOST = 100_000
"""Offsets that are kept of a side as records, some 200 bytes of memory each, and as many as runs."""

_Ranges: TypeAlias = Mapping[Partition, OffsetRange]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Both sides, each passage and each end of a log as it was when first asked for.

    Only for a translator that is asked for nothing but what stood still and was copied before (`Translator.still`). Its
    own ends are others: those of originals are first asked for here once its windows are made (`positions.Windows`).
    """

    sides: Sides
    _logs: dict[Side, Logs] = field(default_factory=dict)

    def cluster(self, side: Side) -> Logs:
        """The logs of a side."""
        if side not in self._logs:
            self._logs[side] = _Remembering(self.sides.cluster(side))
        return self._logs[side]


@dataclass(slots=True)
class _Kept(Generic[T]):
    """What was read of some ranges."""

    passages: dict[tuple[Partition, OffsetRange, bool], T] = field(default_factory=dict)
    held: int = 0

    def ask(
        self, ranges: _Ranges, read: Callable[[_Ranges], Callable[[], Mapping[Partition, T]]], *, timed: bool
    ) -> Callable[[], Mapping[Partition, T]]:
        """Begin to read what is not known; what comes back waits for it."""
        known = {p: self.passages[p, span, timed] for p, span in ranges.items() if (p, span, timed) in self.passages}
        new = {p: span for p, span in ranges.items() if p not in known}
        if not new:
            return lambda: known
        waits = read(new)

        def finish() -> Mapping[Partition, T]:
            found = waits()
            kept = self._keep(new, found, timed=timed)
            if len(kept) == len(new):  # what a worker told is unpacked whenever it is looked up
                return {**known, **kept}
            return {**known, **found} if known else found

        return finish

    def _keep(self, ranges: _Ranges, found: Mapping[Partition, T], *, timed: bool) -> Mapping[Partition, T]:
        kept: dict[Partition, T] = {}
        for p, span in ranges.items():
            size = max(1, span.end - span.start)
            if self.held + size <= _MOST:
                kept[p] = self.passages[p, span, timed] = found[p]
                self.held += size
        return kept


@dataclass(slots=True)
class _Remembering:
    """One side; what is uncommitted, and what is looked for by time, is asked anew each time."""

    logs: Logs
    _ends: dict[Partition, OffsetRange] = field(default_factory=dict)
    _records: _Kept[tuple[Record, ...]] = field(default_factory=_Kept)
    _runs: _Kept[Run] = field(default_factory=_Kept)

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> _Ranges:
        wanted = tuple(partitions)
        if not committed:
            return self.logs.ranges(wanted, committed=False)
        new = [p for p in wanted if p not in self._ends]
        self._ends |= self.logs.ranges(new) if new else {}
        return {p: self._ends[p] for p in wanted}

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return self.logs.offsets_at(times)

    def read(
        self, ranges: _Ranges, *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        if not committed:
            return self.logs.read(ranges, committed=False, timed=timed)

        def at_once(new: _Ranges) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
            return lambda: self.logs.read(new, timed=timed)

        return self._records.ask(ranges, at_once, timed=timed)()

    def reading(self, ranges: _Ranges, *, timed: bool = True) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        return self._records.ask(ranges, lambda new: self.logs.reading(new, timed=timed), timed=timed)

    def runs(self, ranges: _Ranges, *, timed: bool = True) -> Callable[[], Mapping[Partition, Run]]:
        return self._runs.ask(ranges, lambda new: self.logs.runs(new, timed=timed), timed=timed)
