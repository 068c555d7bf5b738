"""Comparing in order: both sides in stretches of as many records, and a close look where two of them differ."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from kmigrate.errors import Transient
from kmigrate.model import OffsetRange, Partition, Side, Stretch
from kmigrate.probes.content.beginning import Beginning, beginning
from kmigrate.probes.content.compared import Compared, Ends
from kmigrate.probes.content.differences import Difference
from kmigrate.probes.content.looking import Piece, difference, stray
from kmigrate.probes.content.reading import Pace
from kmigrate.world import World

STRETCH = 1_000
"""Records per stretch: what is looked at closely when two differ, and what an interrupted proof reads again at most."""
_TRIES = 3
_MOST_MISLED = 8
"""So many twins of where the source begins are tried on the target; each costs reading the partition again."""
_ONLY_IN_BULK = "it differed when it was read in bulk, and no more when it was looked at closely: run this again"

_Pairs: TypeAlias = Generator[tuple[Partition, Stretch, Stretch], None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Misled:
    """A beginning on the target that was found by matching and led to a difference, the first one of so many times."""

    target: int
    difference: Difference
    times: int


@dataclass(slots=True, kw_only=True)
class Ordered:
    """One comparing of many partitions; `compared` grows, and is handed in from what an earlier call kept."""

    world: World
    ends: Mapping[Partition, Ends]
    compared: dict[Partition, Compared]
    pace: Pace
    moved: Callable[[], None]
    """Called when `compared` has grown."""
    different: dict[Partition, Difference] = field(default_factory=dict)
    _begun: dict[Partition, Beginning] = field(default_factory=dict)
    _before: dict[Partition, Beginning] = field(default_factory=dict)
    _misled: dict[Partition, _Misled] = field(default_factory=dict)

    def run(self) -> None:
        """Compare all there is. A read that stalls, or that retention overtakes, begins again where it got to."""
        fails, reached = 0, -1
        while todo := self._todo():
            try:
                self._once(todo)
            except Transient:
                done = sum(each.source.end for each in self.compared.values())
                fails, reached = (fails + 1, reached) if done == reached else (1, done)
                if fails > _TRIES:
                    raise

    def _todo(self) -> tuple[Partition, ...]:
        done = (p for p, each in self.compared.items() if each.finished)
        return tuple(sorted(self.ends.keys() - self.different.keys() - set(done)))

    def _once(self, todo: Iterable[Partition]) -> None:
        self._begin(todo)
        open_ones = set(self._begun)
        with closing(self._pairs()) as pairs:
            while open_ones:
                partition, here, there = next(pairs)
                if partition not in open_ones:
                    continue
                if (here.records, here.digest) != (there.records, there.digest):
                    open_ones.discard(partition)
                    self._differs(partition, here, there)
                    continue
                self._equal(partition, here, there)
                if here.records < STRETCH:
                    open_ones.discard(partition)
                    self._finish(partition)

    def _begin(self, todo: Iterable[Partition]) -> None:
        """Find where each begins; one whose first records the target does not have is different already."""
        wanted = tuple(todo)
        logs = {side: self.world.cluster(side).ranges(wanted) for side in Side}
        self._begun.clear()
        self._before.clear()
        for p in wanted:
            sides = {side: logs[side][p] for side in Side}
            earlier = self._misled.get(p)
            after = earlier.target if earlier is not None else -1
            found = beginning(self.world, p, sides, self.ends[p], self.compared.get(p), after)
            if found is not None:
                self._begun[p] = found
                self.compared[p] = self._start(p, found)
            else:
                what = "the target has no copy of the first records that the source still has"
                none = Difference(partition=p, source=sides[Side.SOURCE].start, target=None, what=what)
                self.different[p] = earlier.difference if earlier is not None else none

    def _start(self, partition: Partition, found: Beginning) -> Compared:
        known = self.compared.get(partition)
        if known is not None and (known.source.end, known.target.end) == (found.source, found.target):
            return known
        return Compared(
            source=OffsetRange(start=found.source, end=found.source),
            target=OffsetRange(start=found.target, end=found.target),
        )

    def _pairs(self) -> _Pairs:
        """Stretches of the same records by their number, as both sides give them; the side that is behind is read."""
        waiting = {side: {p: deque[Stretch]() for p in self._begun} for side in Side}
        ahead = dict.fromkeys(Side, 0)
        with ExitStack() as stack:
            streams = {}
            for side in Side:
                ranges = {p: _left(at.on(side), self.ends[p].on(side)) for p, at in self._begun.items()}
                stretches = self.world.cluster(side).stretches(ranges, STRETCH)
                streams[side] = stack.enter_context(closing(stretches))
            while streams:
                side = min(streams, key=lambda s: ahead[s])
                told = next(streams[side], None)
                if told is None:
                    del streams[side]
                    continue
                partition, stretch = told
                self.pace.passed(stretch.end - stretch.start, stretch.size)
                waiting[side][partition].append(stretch)
                ahead[side] += 1
                if all(waiting[each][partition] for each in Side):
                    here, there = (waiting[each][partition].popleft() for each in Side)
                    ahead = {each: count - 1 for each, count in ahead.items()}
                    yield partition, here, there

    def _equal(self, partition: Partition, here: Stretch, there: Stretch) -> None:
        known = self.compared[partition]
        self._before[partition] = Beginning(source=known.source.end, target=known.target.end)
        self.compared[partition] = replace(
            known,
            source=replace(known.source, end=here.end),
            target=replace(known.target, end=there.end),
            records=known.records + here.records,
            size=known.size + here.size,
        )
        self.moved()

    def _finish(self, partition: Partition) -> None:
        """All is equal up to the ends; nothing that is no copy may stand after them."""
        found = stray(self.world, partition, self.ends[partition], self.ends[partition].target)
        if found is not None:
            self.different[partition] = found
        else:
            self._done(partition)

    def _done(self, partition: Partition) -> None:
        self.compared[partition] = replace(self.compared[partition], finished=True)
        self.pace.equal += 1
        self.moved()

    def _differs(self, partition: Partition, here: Stretch, there: Stretch) -> None:
        """Name the difference; where the beginning was found by matching, a twin of it may still be the right one."""
        at, ends, begun = self.compared[partition], self.ends[partition], self._begun[partition]
        before = self._before.get(partition) or Beginning(source=at.source.end, target=at.target.end)
        piece = Piece(
            partition=partition,
            source=OffsetRange(start=before.source, end=here.end),
            target=OffsetRange(start=before.target, end=there.end),
        )
        found = difference(self.world, piece, ends)
        if found is None and ends.unknown and not begun.matched and there.records > here.records:
            self._equal(partition, here, there)  # all of the source stands there in order, and younger copies after it
            self._done(partition)
            return
        if found is None:
            what = f"the place on the target is not known: {ends.unknown}" if ends.unknown else _ONLY_IN_BULK
            found = Difference(partition=partition, source=at.source.end, target=at.target.end, what=what)
        earlier = self._misled.get(partition) or _Misled(target=-1, difference=found, times=0)
        if begun.matched and earlier.times < _MOST_MISLED:
            self._misled[partition] = replace(earlier, target=begun.target, times=earlier.times + 1)
            del self.compared[partition]
        else:
            self.different[partition] = earlier.difference


def _left(start: int, end: int) -> OffsetRange:
    return OffsetRange(start=start, end=max(start, end))
