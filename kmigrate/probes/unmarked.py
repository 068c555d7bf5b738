"""Looking for a position by nothing but the records around it, where the mirror's own marks are missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kmigrate.model import Grade, OffsetRange, Partition, Record, Side
from kmigrate.positions import CONTEXT, Answer, Epoch, Epochs, locate
from kmigrate.probes.sieve import Logs, Sides

_FIRST_WINDOW = 4 * CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer, and the offset of the last record before the position on the side left, where there is one."""

    answer: Answer
    last: int | None


def look_up(
    sides: Sides,
    leaving: Side,
    wanted: Mapping[Partition, int],
    epochs: Mapping[Partition, Epochs],
    *,
    stamping: Collection[tuple[str, Side]] = (),
    once: Collection[str] = (),
) -> dict[Partition, Found]:
    """Find positions of stopped groups by the records around them; reads all of both logs that could hold a twin.

    Of a partition that was handed over that is the epoch which the position lies in; `epochs` names such partitions,
    and what lies before the first epoch is left out. The last stable offset on the side left must have reached each
    position. `once` has the topics that the mirror writes exactly once. `stamping` holds topics with the sides that
    give their records a time of their own: where copies are received there, no time tells where they lie, and all of
    the log is read.
    """
    timeless = {p for p, x in wanted.items() if (p.topic, _receiving(epochs.get(p, Epochs()), leaving, x)) in stamping}
    found: dict[Partition, Found] = {}
    for timed in (True, False):
        some = {p: x for p, x in wanted.items() if (p not in timeless) is timed}
        found |= _look_up(sides, leaving, some, epochs, once=once, timed=timed) if some else {}
    return found


def _receiving(epochs: Epochs, leaving: Side, position: int) -> Side:
    epoch = epochs.of(leaving, position)
    return (epochs.owner if epoch is None else epoch.begin.owner).other


def _look_up(
    sides: Sides,
    leaving: Side,
    wanted: Mapping[Partition, int],
    epochs: Mapping[Partition, Epochs],
    *,
    once: Collection[str],
    timed: bool,
) -> dict[Partition, Found]:
    here, there = sides.cluster(leaving), sides.cluster(leaving.other)
    found = {p: epochs.get(p, Epochs()).of(leaving, x) for p, x in wanted.items()}
    lives = {p: life for p, life in found.items() if life is not None}
    logs = {p: lives[p].within(leaving, log) for p, log in here.ranges(lives).items()}
    others = {p: lives[p].within(leaving.other, log) for p, log in there.ranges(lives).items()}
    before = _records_before(here, wanted, logs, timed=timed)
    candidates = _candidates(there, before, wanted, others, timed=timed)
    earlier = _same_times(here, before, logs, timed=timed)
    after = _tail(here, wanted, lives, leaving, timed=timed)
    return {
        p: Found(
            answer=_nothing_left(others[p])
            if not before[p] and not after[p] and leaving is lives[p].begin.owner
            else locate(
                (*earlier.get(p, ()), *before[p]),
                after[p],
                candidates[p],
                from_log_start=lives[p].begins(leaving, logs[p], others[p]) and len(before[p]) < CONTEXT,
                left_is_owner=leaving is lives[p].begin.owner,
                once=p.topic in once,
            ),
            last=before[p][-1].offset if before[p] else None,
        )
        for p in lives
    }


def _nothing_left(other: OffsetRange) -> Answer:
    """No original is readable at all, so whatever was copied was read, and what comes next comes at the end."""
    return Answer(
        offset=other.end, grade=Grade.EXACT_PROVEN, reason="no record is readable on the side left, before it or after"
    )


def _records_before(
    cluster: Logs, wanted: Mapping[Partition, int], logs: Mapping[Partition, OffsetRange], *, timed: bool = True
) -> dict[Partition, tuple[Record, ...]]:
    """Up to CONTEXT records right before each position; the window grows where markers and aborted records fill it."""
    found: dict[Partition, tuple[Record, ...]] = {}
    window, missing = _FIRST_WINDOW, dict(wanted)
    while missing:
        ranges = {p: OffsetRange(start=max(logs[p].start, x - window), end=x) for p, x in missing.items()}
        for p, records in cluster.read(ranges, timed=timed).items():
            found[p] = records[-CONTEXT:]
            if len(records) >= CONTEXT or ranges[p].start == logs[p].start:
                del missing[p]
        window *= 8
    return found


def _candidates(
    there: Logs,
    before: Mapping[Partition, tuple[Record, ...]],
    wanted: Mapping[Partition, int],
    logs: Mapping[Partition, OffsetRange],
    *,
    timed: bool,
) -> Mapping[Partition, tuple[Record, ...]]:
    """Every record on the other side that can be a copy of the context, or lie after it.

    A copy keeps its timestamp, so it stands at or after the first record with that timestamp or a later one
    (`mirrormaker2.md` §3.2), also where timestamps go back. Without a context only the first records matter.
    """
    starts = _starts(there, before, logs, timed=timed)
    ranges = {
        p: OffsetRange(start=starts[p], end=max(logs[p].end, starts[p]))
        if p in starts
        else OffsetRange(start=logs[p].start, end=min(logs[p].end, logs[p].start + _FIRST_WINDOW))
        for p in wanted
    }
    return there.read(ranges, timed=timed)


def _starts(
    cluster: Logs,
    before: Mapping[Partition, tuple[Record, ...]],
    logs: Mapping[Partition, OffsetRange],
    *,
    timed: bool,
) -> dict[Partition, int]:
    """Where the first record lies that is as young as the oldest of the context; where times tell nothing, the start.

    A context without records has no such place.
    """
    oldest = {p: min(r.timestamp for r in records) for p, records in before.items() if records}
    found = cluster.offsets_at(oldest) if timed else dict.fromkeys(oldest, 0)
    return {p: max(start, logs[p].start) for p, start in found.items()}


def _same_times(
    here: Logs,
    before: Mapping[Partition, tuple[Record, ...]],
    logs: Mapping[Partition, OffsetRange],
    *,
    timed: bool,
) -> Mapping[Partition, tuple[Record, ...]]:
    """Every record before the context that is as young as its oldest: there a twin of the whole context could stand."""
    firsts = {p: records[0].offset for p, records in before.items() if records}
    starts = _starts(here, before, logs, timed=timed)
    ranges = {p: OffsetRange(start=starts[p], end=first) for p, first in firsts.items() if starts[p] < first}
    return here.read(ranges, timed=timed)


def _tail(
    cluster: Logs, wanted: Mapping[Partition, int], lives: Mapping[Partition, Epoch], side: Side, *, timed: bool
) -> Mapping[Partition, tuple[Record, ...]]:
    """Every record from each position on: among them, too, the records before the position could stand once more."""
    logs = {p: lives[p].within(side, log) for p, log in cluster.ranges(wanted).items()}
    ranges = {p: OffsetRange(start=x, end=max(x, logs[p].end)) for p, x in wanted.items()}
    return cluster.read(ranges, timed=timed)


def around(
    cluster: Logs, wanted: Mapping[Partition, int]
) -> tuple[Mapping[Partition, tuple[Record, ...]], Mapping[Partition, tuple[Record, ...]]]:
    """Up to CONTEXT records right before each position, and up to CONTEXT from it on."""
    logs = cluster.ranges(wanted)
    held = {p: min(max(x, logs[p].start), logs[p].end) for p, x in wanted.items()}
    return _records_before(cluster, held, logs), records_after(cluster, held)


def records_after(cluster: Logs, wanted: Mapping[Partition, int]) -> Mapping[Partition, tuple[Record, ...]]:
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
