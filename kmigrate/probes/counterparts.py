"""What came to the side that was left, record by record beside what was written on the side entered.

A mirror adds no mark of where a record came from. But it writes every record once and in order, so what stands on the
side left after the hand-over must be, one after the other, what stands on the side entered. What stands there besides
is foreign: somebody still writes in the old place (design §4.6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kmigrate.model import Json, OffsetRange, Partition, Record, Side
from kmigrate.probes.foreign import Foreign
from kmigrate.world import Cluster, World

COMPARED = "compared"
"""The fact of how far both sides of topics handed over were compared: partition → offsets on the side left, entered."""
_MOST = 5_000
"""So many offsets of a partition are compared at one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Up to where both sides were compared (half-open): before it, every record was told to be a copy or foreign."""

    left: int
    entered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Where the comparison stands now, what is foreign before there, and how many copies and records were read."""

    cursors: Mapping[Partition, Cursor]
    foreign: tuple[Foreign, ...]
    records: int
    read: int


def compare(world: World, left: Side, cursors: Mapping[Partition, Cursor]) -> Compared:
    """Compare what came to the side left since the cursors with what the other side holds from there on.

    Committed records only: copies of a killed mirror's aborted transactions count for nobody. What is not copied yet is
    no difference; memory is bound by the part that one look takes.
    """
    here, there = world.cluster(left), world.cluster(left.other)
    ends = here.ranges(cursors)
    new = {p: _part(at.left, ends[p].end) for p, at in cursors.items() if ends[p].end > at.left}
    if not new:
        return Compared(cursors=cursors, foreign=(), records=0, read=0)
    moved, foreign, copies, read = dict(cursors), list[Foreign](), 0, 0
    compacted, stamped = _kinds(world, left, new)
    for timed in (True, False):
        part = {p: span for p, span in new.items() if (p.topic not in stamped) is timed}
        came = here.read(part, timed=timed) if part else {}
        starts, counts = {p: cursors[p].entered for p in came}, {p: len(records) for p, records in came.items()}
        held = _originals(there, starts, counts, timed=timed)
        for p, records in came.items():
            originals = held.get(p, ())
            strange, seen = _matched(p, records, originals, leaps=p.topic in compacted)
            behind = originals[seen - 1].offset + 1 if seen else cursors[p].entered
            moved[p] = Cursor(left=part[p].end, entered=behind)
            foreign += strange
            copies, read = copies + seen, read + len(records) + len(originals)
    return Compared(cursors=moved, foreign=tuple(foreign), records=copies, read=read)


def write_cursors(cursors: Mapping[Partition, Cursor]) -> Json:
    """Cursors as the ledger keeps them."""
    return {str(p): [at.left, at.entered] for p, at in sorted(cursors.items())}


def read_cursors(kept: Json) -> dict[Partition, Cursor]:
    """What `write_cursors` wrote; empty when the fact is not there yet."""
    pairs = kept.items() if isinstance(kept, Mapping) else ()
    both = ((Partition.parse(p), at) for p, at in pairs if isinstance(at, Sequence))
    return {p: Cursor(left=int(str(at[0])), entered=int(str(at[1]))) for p, at in both}


def _matched(
    partition: Partition, records: Sequence[Record], originals: Sequence[Record], *, leaps: bool
) -> tuple[list[Foreign], int]:
    """What is no copy of the next original, and how many originals were met; `leaps`: some may have no copy left."""
    strange: list[Foreign] = []
    at, follows = 0, False
    for record in records:
        reach = len(originals) if leaps else at + 1
        place = next((n for n in range(at, min(reach, len(originals))) if originals[n].digest == record.digest), None)
        if place is not None:
            at = place + 1
        elif follows:
            first = strange.pop()
            strange.append(_run(partition, first.offset, record.offset, first.time))
        else:
            strange.append(_run(partition, record.offset, record.offset, record.timestamp))
        follows = place is None
    return strange, at


def _run(partition: Partition, offset: int, last: int, time: int | None) -> Foreign:
    return Foreign(partition=partition, offset=offset, last=last, time=time)


def _kinds(world: World, left: Side, partitions: Mapping[Partition, OffsetRange]) -> tuple[set[str], set[str]]:
    """Topics that either side compacts, and those of which the side left stamps copies with a time of its own."""
    names = {p.topic for p in partitions}
    sides = {side: world.cluster(side).topics(names) for side in Side}
    compacted = {n for of in sides.values() for n, t in of.items() if "compact" in t.config.get("cleanup.policy", "")}
    stamps = {n for n, t in sides[left].items() if t.config.get("message.timestamp.type") == "LogAppendTime"}
    return compacted, stamps


def _part(start: int, end: int) -> OffsetRange:
    return OffsetRange(start=start, end=min(end, start + _MOST))


def _originals(
    there: Cluster, starts: Mapping[Partition, int], counts: Mapping[Partition, int], *, timed: bool
) -> dict[Partition, tuple[Record, ...]]:
    """At least so many records from the start on, or all there are; holes may lie between them, so it looks on."""
    ends = {p: log.end for p, log in there.ranges(starts).items()} if starts else {}
    parts = {p: _part(start, ends[p]) for p, start in starts.items() if ends[p] > start}
    found: dict[Partition, tuple[Record, ...]] = {}
    while parts:
        found |= there.read(parts, timed=timed)
        parts = {
            p: OffsetRange(start=part.start, end=min(ends[p], part.start + 4 * (part.end - part.start)))
            for p, part in parts.items()
            if len(found[p]) < counts[p] and part.end < ends[p]
        }
    return found
