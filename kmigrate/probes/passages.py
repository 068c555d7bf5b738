"""Reading what searches ask for: the passages of both sides, in parts, the next one while a part is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from kmigrate.model import OffsetRange, Partition, Record, Side
from kmigrate.positions import Search, Windows, alike, by_place, enough_as_runs
from kmigrate.probes.sieve import Logs, Sides

_AT_ONCE = 300_000
"""Offsets that are read together, both sides counted; some 200 bytes of memory each, and as many are read meanwhile."""

_Records: TypeAlias = Mapping[Partition, tuple[Record, ...]]
_Part: TypeAlias = Mapping[Partition, Windows]


class Passages(NamedTuple):
    """The records of some partitions, as their windows asked for them."""

    originals: _Records
    copies: _Records


_Begun: TypeAlias = Callable[[], Callable[[], Passages]]
"""Waits for what is being read, so that more can be begun, and gives what makes passages of it."""


def passages(
    sides: Sides, owner: Side, windows: _Part, searches: Mapping[Partition, Search], *, timed: bool
) -> Iterator[Passages]:
    """Read all windows; each partition comes once.

    `owner` has the originals. Without `timed` digests leave the time out. Where it makes no difference to a search,
    records that are alike on both sides come by their places (positions.by_place).
    """
    read = _Read(sides.cluster(owner), sides.cluster(owner.other), timed)
    runs = {p: each for p, each in windows.items() if enough_as_runs(searches[p], each)}
    records = {p: each for p, each in windows.items() if p not in runs}
    begun: _Begun | None = None
    for begin, some in ((read.runs, runs), (read.records, records)):
        for part in _parts(some, searches):
            done = begun() if begun is not None else None
            begun = begin(part)
            if done is not None:
                yield done()
    if begun is not None:
        yield begun()()


@dataclass(frozen=True, slots=True)
class _Read:
    """Begins to read a part, in one of two ways."""

    source: Logs
    target: Logs
    timed: bool

    def runs(self, part: _Part) -> _Begun:
        """Both sides at once, as runs; those that are not alike are read once more, record by record."""
        copies = self.target.runs(_copies(part), timed=self.timed)
        originals = self.source.runs(_originals(part, {}), timed=self.timed)

        def finish() -> Callable[[], Passages]:
            there, here = copies(), originals()

            def look() -> Passages:
                equal = {p for p in part if alike(here[p], there[p])}
                told = self._in_turn({p: each for p, each in part.items() if p not in equal})
                return Passages(
                    {p: by_place(here[p]) if p in equal else told.originals[p] for p in part},
                    {p: by_place(there[p]) if p in equal else told.copies[p] for p in part},
                )

            return look

        return finish

    def records(self, part: _Part) -> _Begun:
        """Both sides at once, record by record.

        Where the end of the originals is open, they are read up to the last stable offset by now. The end of the copies
        was fixed before, when the windows were made, so every copy that is read has its original among those read.
        """
        open_ = [p for p, windows in part.items() if windows.originals_to is None]
        ends = {p: log.end for p, log in self.source.ranges(open_).items()} if open_ else {}
        copies = self.target.reading(_copies(part), timed=self.timed)
        originals = self.source.reading(_originals(part, ends), timed=self.timed)

        def finish() -> Callable[[], Passages]:
            there, here = copies(), originals()
            return lambda: Passages(here, there)

        return finish

    def _in_turn(self, part: _Part) -> Passages:
        if not part:
            return Passages({}, {})
        there = self.target.read(_copies(part), timed=self.timed)
        return Passages(self.source.read(_originals(part, {}), timed=self.timed), there)


def _parts(windows: _Part, searches: Mapping[Partition, Search]) -> Iterator[_Part]:
    """The windows in parts that are read together, so that memory stays flat in the number of partitions."""
    part: dict[Partition, Windows] = {}
    held = 0
    for p, each in windows.items():
        end = searches[p].originals.end if each.originals_to is None else each.originals_to
        size = end - each.originals_from + each.copies.end - each.copies.start
        if part and held + size > _AT_ONCE:
            yield part
            part, held = {}, 0
        part[p] = each
        held += size
    if part:
        yield part


def _copies(part: _Part) -> Mapping[Partition, OffsetRange]:
    return {p: windows.copies for p, windows in part.items()}


def _originals(part: _Part, ends: Mapping[Partition, int]) -> Mapping[Partition, OffsetRange]:
    """The ranges of the originals; `ends` are for windows that have none."""
    found: dict[Partition, OffsetRange] = {}
    for p, windows in part.items():
        reach = windows.originals_to if windows.originals_to is not None else ends[p]
        found[p] = OffsetRange(start=windows.originals_from, end=max(reach, windows.originals_from))
    return found
