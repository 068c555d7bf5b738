"""Records that somebody wrote whom the plan does not know, on the side that is left: naming them, and keeping them.

Before the hand-over the mirror copies such a record like any other. After it, it stands on the side left alone: whoever
had not read it there is never given it on the side entered, and whoever comes back finds it behind. So positions are
not carried across one that nobody took on (design §4.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kmigrate.advice import FOREIGN_WRITE
from kmigrate.errors import ForeignWrite
from kmigrate.model import Grade, Json, OffsetRange, Partition, Position, Side
from kmigrate.probes.ownership import that_hold
from kmigrate.probes.writers import may_write
from kmigrate.world import World

FOREIGN = "foreign"
"""The fact of the foreign records that a move met after its hand-over, by side: where they lie."""
_NAMED = 5
"""So many places are named; there may be thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Foreign records without another between them, from `offset` to `last`.

    `time` (ms) is that of the first; None where nothing came but the marker of a transaction.
    """

    partition: Partition
    offset: int
    last: int
    time: int | None

    def __str__(self) -> str:
        where = f"{self.partition} at {self.offset}" + (f" to {self.last}" if self.last > self.offset else "")
        if self.time is None:
            return f"{where} (the marker of a transaction)"
        return f"{where} ({datetime.fromtimestamp(self.time / 1000, UTC).isoformat()})"


def strays(
    world: World, side: Side, spans: Mapping[Partition, OffsetRange], *, committed: bool = False
) -> tuple[Foreign, ...]:
    """The records of each span, in which nobody may have written; by default those of open transactions, too."""
    came = world.cluster(side).read(spans, committed=committed)
    return tuple(
        Foreign(partition=p, offset=came[p][0].offset, last=came[p][-1].offset, time=came[p][0].timestamp)
        if came.get(p)
        else Foreign(partition=p, offset=span.start, last=span.start, time=None)
        for p, span in sorted(spans.items())
    )


def spans_behind(
    world: World, side: Side, ends: Mapping[Partition, int], *, committed: bool = False
) -> dict[Partition, OffsetRange]:
    """What lies behind these ends by now, by default with open transactions; only partitions that went on."""
    logs = world.cluster(side).ranges(ends, committed=committed)
    return {p: OffsetRange(start=end, end=logs[p].end) for p, end in ends.items() if logs[p].end != end}


def named(world: World, side: Side, found: Iterable[Foreign], ours: Collection[str] = ()) -> str:
    """The records with their places and times, and who may have written them; `ours` are principals that did not."""
    every = tuple(found)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    who = "; ".join(may_write(world, side, topic, ours) for topic in _topics(every))
    return f"somebody writes on the {side}: {', '.join(map(str, every[:_NAMED]))}{more}; {who}"


def find_writer(topics: str) -> str:
    """What to do about whoever writes there."""
    return f"find out who writes {topics} there in spite of the fence and stop it, then run the same command again"


def foreign_write(
    world: World, side: Side, found: Iterable[Foreign], ours: Collection[str] = (), *, handed_over: bool = False
) -> ForeignWrite:
    """What to raise for records that came to the side left before anybody has worked on the side entered.

    Before the topics are `handed_over` the same command copies them; after it, a human may go on without them.
    """
    every = tuple(found)
    hint = find_writer(", ".join(_topics(every)))
    held = f"{hint}; or {ways_on(every)}" if handed_over else hint
    return ForeignWrite(named(world, side, every, ours), hint=hint, held=held)


def ways_on(found: Iterable[Foreign]) -> str:
    """How to go on with records that stand on the side left alone."""
    each = ", ".join(accepting(topic) for topic in _topics(found))
    return (
        f"go on without them, which takes accept: [{each}] in the plan file: they stay on that side alone, and what "
        f"they say has to be written again by hand if it is needed across; `kmigrate explain {FOREIGN_WRITE}` says more"
    )


def accepting(topic: str) -> str:
    """The entry of the plan file's `accept`."""
    return f"{{id: {FOREIGN_WRITE}, subject: '{topic}', reason: …}}"


def keep(world: World, side: Side, found: Iterable[Foreign]) -> None:
    """Write down what was found on a side, beside what this unit knows of already."""
    sides = _read(world.ledger.get(FOREIGN))
    here = {(each.partition, each.offset): each for each in sides.get(side, ())}
    before = dict(here)
    for each in found:
        known = here.get((each.partition, each.offset))
        if known is None or known.last < each.last:
            here[each.partition, each.offset] = each
    if here != before:
        world.ledger.put(FOREIGN, _told({**sides, side: tuple(each for _, each in sorted(here.items()))}))


def kept(world: World, side: Side) -> tuple[Foreign, ...]:
    """What this unit has met there."""
    return _read(world.ledger.get(FOREIGN)).get(side, ())


def known(world: World) -> dict[Side, tuple[Foreign, ...]]:
    """What any unit has met, by side."""
    found: dict[Side, tuple[Foreign, ...]] = {}
    for fact, gone in that_hold(world, FOREIGN):
        for side, records in _read(fact).items():
            there = [each for each in records if each.partition.topic not in gone]
            found[side] = tuple(dict.fromkeys((*found.get(side, ()), *there)))
    return found


def across(
    world: World, leaving: Side, positions: Mapping[Partition, Position], accepted: Collection[str] = ()
) -> dict[Partition, str]:
    """Why positions must not be carried: whoever stands there is never given a foreign record that lies between.

    On its own side that is who has not read it yet; coming to its side, who is put behind it. `accepted` are topics.
    """
    met = known(world)
    found: dict[Partition, str] = {}
    for p, at in positions.items():
        for side, place in ((leaving, at.came_from), (leaving.other, at.offset)):
            mine = (each for each in met.get(side, ()) if each.partition == p and p.topic not in accepted)
            lost = [each for each in mine if place is not None and _is_lost(each, place, stays=side is leaving)]
            if lost:
                found[p] = f"it would never be given what somebody wrote on the {side}: {lost[0]}"
    return found


def without_the_lost(world: World, leaving: Side, positions: Mapping[Partition, Position]) -> dict[Partition, Position]:
    """The positions, those REFUSED that would pass a foreign record; for whoever only looks."""
    lost = across(world, leaving, positions)
    return {
        p: replace(at, offset=None, grade=Grade.REFUSED, reason=lost[p]) if p in lost else at
        for p, at in positions.items()
    }


def _is_lost(each: Foreign, place: int, *, stays: bool) -> bool:
    """Whether it lies ahead of a place that is left, or behind one that is entered."""
    return place <= each.last if stays else place > each.offset


def unaccepted(found: Iterable[Foreign], accepted: Collection[str]) -> tuple[Foreign, ...]:
    """Those that nobody took on."""
    return tuple(each for each in found if each.partition.topic not in accepted)


def _topics(found: Iterable[Foreign]) -> list[str]:
    return sorted({each.partition.topic for each in found})


def _told(found: Mapping[Side, tuple[Foreign, ...]]) -> Json:
    return {
        str(side): [[str(each.partition), each.offset, each.last, each.time] for each in records]
        for side, records in found.items()
    }


def _read(fact: Json) -> dict[Side, tuple[Foreign, ...]]:
    sides = fact.items() if isinstance(fact, Mapping) else ()
    return {Side(side): tuple(map(_foreign, of)) for side, of in sides if isinstance(of, Sequence)}


def _foreign(told: Json) -> Foreign:
    assert isinstance(told, Sequence)
    partition, offset, last, time = told
    when = time if isinstance(time, int) else None
    return Foreign(partition=Partition.parse(str(partition)), offset=int(str(offset)), last=int(str(last)), time=when)
