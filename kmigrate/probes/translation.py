"""Where positions of one side lie on the other: fetch the records around them on both sides and match.

Safe while writers go on: only the group must be stopped, and the mirror past its last record (design §4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.errors import Refused
from kmigrate.model import Grade, OffsetRange, Partition, Position, Record, Side
from kmigrate.positions import CONTEXT, Answer, locate
from kmigrate.world import Cluster, World

_FIRST_WINDOW = 4 * CONTEXT
_ORDER = (Grade.REFUSED, Grade.SAFE_LOWER_BOUND, Grade.EXACT_MATCHED, Grade.EXACT_PROVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The positions asked for, on the other side.

    `waiting` names those whose last record has no copy yet; `last` holds the offset of that record on the side left,
    where there is one.
    """

    positions: Mapping[Partition, Position]
    waiting: tuple[Partition, ...]
    last: Mapping[Partition, int]


def translate(
    world: World, leaving: Side, wanted: Mapping[Partition, int], *, owner: Side = Side.SOURCE
) -> Translation:
    """Translate positions from the side left to the other one.

    `wanted` holds, per partition, the next offset the stopped group would read. Committed records only; the last stable
    offset must have reached each position (a read_uncommitted reader may stand past it: then it is waited for).
    Raises Refused when retention has eaten a position on the side left.
    """
    here, there = world.cluster(leaving), world.cluster(leaving.other)
    logs = here.ranges(wanted)
    _refuse_eaten(wanted, logs)
    stable = {p: x for p, x in wanted.items() if logs[p].end >= x}
    others = there.ranges(stable)
    before = _records_before(here, stable, logs)
    candidates = _candidates(there, before, stable, others)
    earlier = _same_times(here, before)
    after = _tail(here, stable)
    answers = {
        p: locate(
            (*earlier.get(p, ()), *before[p]),
            after[p],
            candidates[p],
            from_log_start=logs[p].start == 0 == others[p].start and len(before[p]) < CONTEXT,
            left_is_owner=leaving is owner,
        )
        for p in stable
    }
    late = tuple(sorted(set(wanted) - set(stable)))
    positions = {p: _position(p, wanted[p], answers[p]) for p in sorted(stable)}
    last = {p: records[-1].offset for p, records in before.items() if records}
    waiting = late + tuple(p for p in sorted(stable) if answers[p].not_yet)
    return Translation(positions=positions, waiting=waiting, last=last)


def refuse_low_grades(positions: Iterable[Position], minimum: Grade) -> None:
    """Raise Refused, naming each, for positions of a lower grade than may be gone on with."""
    bad = [at for at in positions if _ORDER.index(at.grade) < _ORDER.index(minimum)]
    if bad:
        told = "; ".join(f"{at.partition} at {at.came_from}: {at.grade}, {at.reason}" for at in bad)
        raise Refused(
            f"no position good enough for {told}",
            hint="see `kmigrate status`; roll back, or lower policy.minimumGrade",
        )


def _refuse_eaten(wanted: Mapping[Partition, int], logs: Mapping[Partition, OffsetRange]) -> None:
    eaten = [p for p, x in wanted.items() if x < logs[p].start]
    if eaten:
        told = ", ".join(f"{p} at {wanted[p]} (log starts at {logs[p].start})" for p in sorted(eaten))
        raise Refused(
            f"retention has eaten records these positions still wanted: {told}",
            hint="decide where the group shall go on and set its positions yourself, then run this again",
        )


def _records_before(
    cluster: Cluster, wanted: Mapping[Partition, int], logs: Mapping[Partition, OffsetRange]
) -> dict[Partition, tuple[Record, ...]]:
    """Up to CONTEXT records right before each position; the window grows where markers and aborted records fill it."""
    found: dict[Partition, tuple[Record, ...]] = {}
    window, missing = _FIRST_WINDOW, dict(wanted)
    while missing:
        ranges = {p: OffsetRange(start=max(logs[p].start, x - window), end=x) for p, x in missing.items()}
        for p, records in cluster.read(ranges).items():
            found[p] = records[-CONTEXT:]
            if len(records) >= CONTEXT or ranges[p].start == logs[p].start:
                del missing[p]
        window *= 8
    return found


def _candidates(
    there: Cluster,
    before: Mapping[Partition, tuple[Record, ...]],
    wanted: Mapping[Partition, int],
    logs: Mapping[Partition, OffsetRange],
) -> Mapping[Partition, tuple[Record, ...]]:
    """Every record on the other side that can be a copy of the context, or lie after it.

    A copy keeps its timestamp, so it stands at or after the first record with that timestamp or a later one
    (`mirrormaker2.md` §3.2), also where timestamps go back. Without a context only the first records matter.
    """
    starts = there.offsets_at({p: min(r.timestamp for r in records) for p, records in before.items() if records})
    ranges = {
        p: OffsetRange(start=starts[p], end=max(logs[p].end, starts[p]))
        if p in starts
        else OffsetRange(start=logs[p].start, end=min(logs[p].end, logs[p].start + _FIRST_WINDOW))
        for p in wanted
    }
    return there.read(ranges)


def _same_times(
    here: Cluster, before: Mapping[Partition, tuple[Record, ...]]
) -> Mapping[Partition, tuple[Record, ...]]:
    """Every record before the context that is as young as its oldest: there a twin of the whole context could stand."""
    firsts = {p: records[0].offset for p, records in before.items() if records}
    starts = here.offsets_at({p: min(r.timestamp for r in before[p]) for p in firsts})
    ranges = {p: OffsetRange(start=starts[p], end=first) for p, first in firsts.items() if starts[p] < first}
    return here.read(ranges)


def _tail(cluster: Cluster, wanted: Mapping[Partition, int]) -> Mapping[Partition, tuple[Record, ...]]:
    """Every record from each position on: among them, too, the records before the position could stand once more."""
    logs = cluster.ranges(wanted)
    return cluster.read({p: OffsetRange(start=x, end=max(x, logs[p].end)) for p, x in wanted.items()})


def records_after(cluster: Cluster, wanted: Mapping[Partition, int]) -> Mapping[Partition, tuple[Record, ...]]:
    """Up to CONTEXT records from each position on; fewer only where the log ends."""
    found: dict[Partition, tuple[Record, ...]] = {}
    logs = cluster.ranges(wanted)
    window, missing = _FIRST_WINDOW, dict(wanted)
    while missing:
        ranges = {p: OffsetRange(start=x, end=min(logs[p].end, x + window)) for p, x in missing.items()}
        for p, records in cluster.read(ranges).items():
            found[p] = records[:CONTEXT]
            if len(records) >= CONTEXT or ranges[p].end == logs[p].end:
                del missing[p]
        window *= 8
    return found


def _position(partition: Partition, came_from: int, answer: Answer) -> Position:
    grade = answer.grade if answer.offset is not None else Grade.REFUSED
    return Position(partition=partition, came_from=came_from, offset=answer.offset, grade=grade, reason=answer.reason)
