"""Whether everything up to a bound has been copied to the other side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from kmigrate.errors import Blocked
from kmigrate.model import Lane, Partition, Position, Side
from kmigrate.probes.lanes import GETS_UP
from kmigrate.probes.ownership import origin
from kmigrate.probes.translation import Translation, Translator, translator
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Cluster, World

Watch: TypeAlias = Callable[[Iterable[Partition]], None]
"""Is handed what is still waited for at every look of a wait, and may raise: that ends the wait."""


def unwatched(waiting: Iterable[Partition]) -> None:
    """Nobody looks at anything besides."""


def await_copies(
    world: World,
    leaving: Side,
    bounds: Mapping[Partition, int],
    lane: Lane,
    *,
    what: str,
    deadline_ms: int,
    watch: Watch = unwatched,
) -> Translation:
    """Wait until the last record before each bound stands on the other side; returns what was found.

    That is: found among the records, copied by Connect's own word, and not hidden behind an open transaction. Offsets
    share the transaction of the data, but each partition gets its marker in its own time, and until then a twin could
    be taken for the copy. Where the lane writes, every record is itself the copy of one that stands on the other side.
    Nothing here asks where a log ends: writers may go on (design §4.1, group drain). Raises Blocked at once when the
    lane has failed, StillUnderWay after the deadline with the partition that is waited for.
    """
    copies = _Copies(
        world=world,
        lane=lane,
        translator=translator(world, leaving, (lane,)),
        pace=_Pace(world, leaving, lane, bounds),
        watch=watch,
        todo=dict(bounds),
    )
    clock, reporter = world.clock, world.reporter
    return wait_until(copies.look, what=what, clock=clock, reporter=reporter, deadline_ms=deadline_ms, every_ms=20)


@dataclass(slots=True, kw_only=True)
class _Copies:
    """What is still waited for, and what was found so far."""

    world: World
    lane: Lane
    translator: Translator
    pace: _Pace
    watch: Watch
    todo: dict[Partition, int]
    found: dict[Partition, Position] = field(default_factory=dict)
    last: dict[Partition, int] = field(default_factory=dict)
    heads: dict[Partition, int] = field(default_factory=dict)

    def look(self) -> Ready[Translation] | NotYet:
        """Translate what is left; once nothing is, ask Connect and the target's own marks."""
        seen = self.translator.translate(self.todo)
        self.last.update(seen.last)
        for partition in set(self.todo) - set(seen.waiting):
            del self.todo[partition]
            self.found[partition] = seen.positions[partition]
        if self.todo:
            _healthy(self.world, self.lane)
            self.watch(self.todo)
            return NotYet(self.pace.told(self.todo))
        late = self._unsaid()
        if late:
            _healthy(self.world, self.lane)
            return NotYet(f"Connect's own word is missing for {', '.join(map(str, late))}")
        return Ready(Translation(positions=self.found, waiting=(), last=self.last))

    def _unsaid(self) -> tuple[Partition, ...]:
        """Where every record is a copy itself nobody need say that it was copied."""
        if self.translator.leaving is not origin(self.lane):
            return ()
        late = still_copied(self.world, self.last, self.lane)
        return late or _hidden(self.world.cluster(self.translator.leaving.other), self.last, self.heads)


def _hidden(cluster: Cluster, partitions: Iterable[Partition], heads: dict[Partition, int]) -> tuple[Partition, ...]:
    """Partitions of the side entered whose last stable offset has not reached where the log ended at the first call."""
    if not heads:
        heads.update(cluster.ends(partitions, committed=False))
    return tuple(sorted(p for p, end in cluster.ends(heads).items() if end < heads[p]))


def still_copied(world: World, last: Mapping[Partition, int], lane: Lane) -> tuple[Partition, ...]:
    """Partitions whose last record, by Connect's own offsets, is not copied (any more)."""
    copied = world.mirror.copied(lane)
    return tuple(sorted(p for p, offset in last.items() if copied.get(p, -1) < offset))


def _healthy(world: World, lane: Lane) -> None:
    trouble = world.mirror.trouble(lane)
    if trouble:
        raise Blocked(f"the mirror cannot finish: {'; '.join(trouble)}", hint=GETS_UP)


@dataclass(slots=True)
class _Pace:
    """How far a wait is, how fast it went since it began, and when it would end at that rate."""

    world: World
    leaving: Side
    lane: Lane
    bounds: Mapping[Partition, int]
    began_ms: int = -1
    began_behind: int = 0
    starts: dict[Partition, int] = field(default_factory=dict)

    def told(self, waiting: Iterable[Partition]) -> str:
        """For humans. Connect tells offsets of originals only, so among copies only partitions are counted."""
        late = tuple(waiting)
        counted = f"{len(self.bounds) - len(late)} of {len(self.bounds)} partitions copied"
        if self.leaving is not origin(self.lane):
            return counted
        behind = self._behind(late)
        worst = max(behind, key=lambda p: behind[p])
        left = sum(behind.values())
        if not left:
            return counted
        return (
            f"{counted}; at most {left} records behind, {self._rate(left)}; {worst} by at most {behind[worst]} records"
        )

    def _behind(self, late: Iterable[Partition]) -> Mapping[Partition, int]:
        if not self.starts:
            logs = self.world.cluster(self.leaving).ranges(self.bounds)
            self.starts.update({p: log.start for p, log in logs.items()})
        wanted = {p: self.bounds[p] for p in late}
        return records_behind(self.world, wanted, self.lane, self.starts)

    def _rate(self, left: int) -> str:
        now = self.world.clock.monotonic_ms()
        if self.began_ms < 0:
            self.began_ms, self.began_behind = now, left
        done, ms = self.began_behind - left, now - self.began_ms
        if done <= 0 or ms <= 0:
            return f"none copied in {ms / 1000:.0f} s"
        return f"{done * 1000 / ms:.0f} records/s, about {left * ms / done / 1000:.0f} s left"


def records_behind(
    world: World, bounds: Mapping[Partition, int], lane: Lane, starts: Mapping[Partition, int]
) -> dict[Partition, int]:
    """How many records of each partition of originals are not copied up to its bound, by Connect's own offsets.

    An upper bound: markers and holes count too. Where nothing was copied yet it counts from `starts`, the log's start.
    """
    copied = world.mirror.copied(lane)
    return {p: max(0, end - max(copied.get(p, -1) + 1, starts[p])) for p, end in bounds.items()}
