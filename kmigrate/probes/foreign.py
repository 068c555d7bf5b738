"""Records on the side that was left which nobody wrote on the side entered: somebody still writes in the old place.

A mirror adds no mark of where a record came from. But it writes every record once and in order, so what stands on the
side left after the hand-over must be, record by record, the beginning of what stands on the side entered (design §4.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kmigrate.errors import ForeignWrite
from kmigrate.model import Json, OffsetRange, Partition, Record, Side
from kmigrate.probes.writers import may_write
from kmigrate.world import Cluster, World

COMPARED = "compared"
"""The fact of how far both sides of topics handed over were compared: partition → offsets on the side left, entered."""
_MOST = 5_000
"""So many offsets of a partition are compared at one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Up to where both sides were compared (half-open): the same records came before it on both."""

    left: int
    entered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A record on the side left without a counterpart; `time` in ms, None where only a transaction's marker came."""

    partition: Partition
    offset: int
    time: int | None

    def __str__(self) -> str:
        if self.time is None:
            return f"{self.partition} at {self.offset} (the marker of a transaction)"
        return f"{self.partition} at {self.offset} ({datetime.fromtimestamp(self.time / 1000, UTC).isoformat()})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Where the comparison stands now, the first foreign record of each partition, and how many were compared."""

    cursors: Mapping[Partition, Cursor]
    foreign: tuple[Foreign, ...]
    records: int


def compare(world: World, left: Side, cursors: Mapping[Partition, Cursor]) -> Compared:
    """Compare what came to the side left since the cursors with what the other side holds from there on.

    Committed records only: copies of a killed mirror's aborted transactions count for nobody. What is not copied yet is
    no difference; memory is bound by the part that one look takes.
    """
    here, there = world.cluster(left), world.cluster(left.other)
    ends = here.ranges(cursors)
    new = {p: _part(at.left, ends[p].end) for p, at in cursors.items() if ends[p].end > at.left}
    came = here.read(new) if new else {}
    held = _originals(there, {p: cursors[p].entered for p in came}, {p: len(records) for p, records in came.items()})
    moved, foreign, count = dict(cursors), [], 0
    for p, records in came.items():
        same = _alike(records, held.get(p, ()))
        count += same
        if same < len(records):
            foreign.append(Foreign(partition=p, offset=records[same].offset, time=records[same].timestamp))
        elif records:
            moved[p] = Cursor(left=new[p].end, entered=held[p][same - 1].offset + 1)
        else:
            moved[p] = Cursor(left=new[p].end, entered=cursors[p].entered)
    return Compared(cursors=moved, foreign=tuple(foreign), records=count)


def strays(world: World, side: Side, spans: Mapping[Partition, OffsetRange]) -> tuple[Foreign, ...]:
    """The first record of each span, whether its transaction ends well or not."""
    came = world.cluster(side).read(spans, committed=False)
    first = {p: records[0] for p, records in came.items() if records}
    return tuple(
        Foreign(partition=p, offset=first[p].offset, time=first[p].timestamp)
        if p in first
        else Foreign(partition=p, offset=span.start, time=None)
        for p, span in sorted(spans.items())
    )


def spans_behind(world: World, side: Side, ends: Mapping[Partition, int]) -> dict[Partition, OffsetRange]:
    """What lies behind these ends by now, open transactions too; only partitions that went on."""
    logs = world.cluster(side).ranges(ends, committed=False)
    return {p: OffsetRange(start=end, end=logs[p].end) for p, end in ends.items() if logs[p].end != end}


def named(world: World, side: Side, found: Iterable[Foreign], ours: Collection[str] = ()) -> str:
    """Each record with its place and time, and who may have written it; `ours` are principals that did not."""
    every = tuple(found)
    topics = sorted({each.partition.topic for each in every})
    who = "; ".join(may_write(world, side, topic, ours) for topic in topics)
    return f"somebody writes on the {side}: {', '.join(map(str, every))}; {who}"


def find_writer(topics: str) -> str:
    """What to do about whoever writes there."""
    return f"find out who writes {topics} there in spite of the fence and stop it, then run the same command again"


def foreign_write(world: World, side: Side, found: Iterable[Foreign], ours: Collection[str] = ()) -> ForeignWrite:
    """What to raise for records that came to the side left before anybody has worked on the side entered."""
    every = tuple(found)
    hint = find_writer(", ".join(sorted({each.partition.topic for each in every})))
    return ForeignWrite(named(world, side, every, ours), hint=hint, held=hint)


def write_cursors(cursors: Mapping[Partition, Cursor]) -> Json:
    """Cursors as the ledger keeps them."""
    return {str(p): [at.left, at.entered] for p, at in sorted(cursors.items())}


def read_cursors(kept: Json) -> dict[Partition, Cursor]:
    """What `write_cursors` wrote; empty when the fact is not there yet."""
    pairs = kept.items() if isinstance(kept, Mapping) else ()
    both = ((Partition.parse(p), at) for p, at in pairs if isinstance(at, Sequence))
    return {p: Cursor(left=int(str(at[0])), entered=int(str(at[1]))) for p, at in both}


def _alike(records: tuple[Record, ...], others: tuple[Record, ...]) -> int:
    """How many records at the beginning of both are the same."""
    pairs = enumerate(zip(records, others, strict=False))
    return next((n for n, (one, other) in pairs if one.digest != other.digest), min(len(records), len(others)))


def _part(start: int, end: int) -> OffsetRange:
    return OffsetRange(start=start, end=min(end, start + _MOST))


def _originals(
    there: Cluster, starts: Mapping[Partition, int], counts: Mapping[Partition, int]
) -> dict[Partition, tuple[Record, ...]]:
    """At least so many records from the start on, or all there are; holes may lie between them, so it looks on."""
    ends = {p: log.end for p, log in there.ranges(starts).items()} if starts else {}
    parts = {p: _part(start, ends[p]) for p, start in starts.items() if ends[p] > start}
    found: dict[Partition, tuple[Record, ...]] = {}
    while parts:
        found |= there.read(parts)
        parts = {
            p: OffsetRange(start=part.start, end=min(ends[p], part.start + 4 * (part.end - part.start)))
            for p, part in parts.items()
            if len(found[p]) < counts[p] and part.end < ends[p]
        }
    return found
