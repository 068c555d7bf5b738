"""Looking for a position by nothing but the records around it, where the mirror's own marks are missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kmigrate.model import Grade, OffsetRange, Partition, Record, Side
from kmigrate.positions import CONTEXT, Answer, locate
from kmigrate.world import Cluster, World

_FIRST_WINDOW = 4 * CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer, and the offset of the last record before the position on the side left, where there is one."""

    answer: Answer
    last: int | None


def look_up(
    world: World,
    leaving: Side,
    wanted: Mapping[Partition, int],
    *,
    owner: Side = Side.SOURCE,
    once: Collection[str] = (),
) -> dict[Partition, Found]:
    """Find positions of stopped groups by the records around them; reads all of both logs that could hold a twin.

    The last stable offset on the side left must have reached each position. `once` has the topics that the mirror
    writes exactly once.
    """
    here, there = world.cluster(leaving), world.cluster(leaving.other)
    logs, others = here.ranges(wanted), there.ranges(wanted)
    before = _records_before(here, wanted, logs)
    candidates = _candidates(there, before, wanted, others)
    earlier = _same_times(here, before)
    after = _tail(here, wanted)
    return {
        p: Found(
            answer=_nothing_left(others[p])
            if not before[p] and not after[p] and leaving is owner
            else locate(
                (*earlier.get(p, ()), *before[p]),
                after[p],
                candidates[p],
                from_log_start=logs[p].start == 0 == others[p].start and len(before[p]) < CONTEXT,
                left_is_owner=leaving is owner,
                once=p.topic in once,
            ),
            last=before[p][-1].offset if before[p] else None,
        )
        for p in wanted
    }


def _nothing_left(other: OffsetRange) -> Answer:
    """No original is readable at all, so whatever was copied was read, and what comes next comes at the end."""
    return Answer(
        offset=other.end, grade=Grade.EXACT_PROVEN, reason="no record is readable on the side left, before it or after"
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


def around(
    cluster: Cluster, wanted: Mapping[Partition, int]
) -> tuple[Mapping[Partition, tuple[Record, ...]], Mapping[Partition, tuple[Record, ...]]]:
    """Up to CONTEXT records right before each position, and up to CONTEXT from it on."""
    logs = cluster.ranges(wanted)
    held = {p: min(max(x, logs[p].start), logs[p].end) for p, x in wanted.items()}
    return _records_before(cluster, held, logs), records_after(cluster, held)


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
