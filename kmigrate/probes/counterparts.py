"""What came to the side that was left, record by record beside what was written on the side entered.

A mirror adds no mark of where a record came from. But it writes every record once and in order, so what stands on the
side left after the hand-over must be, one after the other, what stands on the side entered. What stands there besides
is foreign: somebody still writes in the old place (design §4.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmigrate.model import Json, OffsetRange, Partition, Record, Side
from kmigrate.probes.foreign import Foreign
from kmigrate.probes.ownership import epochs, that_hold
from kmigrate.world import Cluster, World

_MOST, _AT_ONCE = 5_000, 300_000
"""So many offsets of a partition, and of all of them, are compared at one look; some 200 bytes of memory each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Up to where both sides were compared (half-open): before it, every record was told to be a copy or foreign."""

    left: int
    entered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Where the comparison stands now, what is foreign before there, and how many copies and records were read.

    Of partitions in `gone` retention has taken what was to be compared next, on either side, so nothing can be told.
    """

    cursors: Mapping[Partition, Cursor]
    foreign: tuple[Foreign, ...]
    records: int
    read: int
    gone: tuple[Partition, ...] = ()


def compared(left: Side) -> str:
    """The fact of how far what came to a side that was left was compared: partition → offsets on it, and across."""
    return f"compared/{left}"


def since(world: World, left: Side, partitions: Iterable[Partition]) -> dict[Partition, Cursor]:
    """From where on to compare: the newest hand-over from that side, or where the comparing since has got to.

    Partitions that the side owns have nothing to compare. Offsets only grow, so what an earlier epoch was compared up
    to lies before the hand-over.
    """
    facts = that_hold(world, compared(left))
    done = {p: at for fact, gone in facts for p, at in read_cursors(fact).items() if p.topic not in gone}
    lives, found = epochs(world), dict[Partition, Cursor]()
    for p in partitions:
        if p in lives and lives[p].owner is not left:
            seam = lives[p].seams[-1]
            begin, at = Cursor(left=seam.at(left), entered=seam.at(left.other)), done.get(p)
            further = at is not None and at.left >= begin.left and at.entered >= begin.entered
            found[p] = at if at is not None and further else begin
    return found


def compare(world: World, left: Side, cursors: Mapping[Partition, Cursor]) -> Compared:
    """Compare what came to the side left since the cursors with what the other side holds from there on.

    Committed records only: copies of a killed mirror's aborted transactions count for nobody. What is not copied yet is
    no difference; memory is bound by the part that one look takes.
    """
    here, there = world.cluster(left), world.cluster(left.other)
    ends = here.ranges(cursors)
    gone = _overtaken(cursors, ends, there.ranges(cursors))
    late = {p: at for p, at in cursors.items() if ends[p].end > at.left and p not in gone}
    most = max(1, min(_MOST, _AT_ONCE // max(1, len(late))))
    new = {p: _part(at.left, ends[p].end, most) for p, at in late.items()}
    if not new:
        return Compared(cursors=cursors, foreign=(), records=0, read=0, gone=gone)
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
    return Compared(cursors=moved, foreign=tuple(foreign), records=copies, read=read, gone=gone)


def _overtaken(
    cursors: Mapping[Partition, Cursor], here: Mapping[Partition, OffsetRange], there: Mapping[Partition, OffsetRange]
) -> tuple[Partition, ...]:
    late = {p for p, at in cursors.items() if at.left < here[p].start or at.entered < there[p].start}
    return tuple(sorted(p for p in late if here[p].end > cursors[p].left))


def compare_all(world: World, left: Side, cursors: Mapping[Partition, Cursor]) -> Iterator[Compared]:
    """Compare on, part by part, until everything was compared that was there when this began."""
    ends = world.cluster(left).ends(cursors) if cursors else {}
    while todo := {p: at for p, at in cursors.items() if at.left < ends[p]}:
        seen = compare(world, left, todo)
        yield seen
        cursors = {p: at for p, at in {**cursors, **seen.cursors}.items() if p not in seen.gone}


def unheard_of(world: World, left: Side, starts: Mapping[Partition, int]) -> tuple[Partition, ...]:
    """Partitions that got a record since, which is not among the newest of the other side; order is not asked."""
    here, there = world.cluster(left), world.cluster(left.other)
    ends = here.ranges(starts)
    came = {p: OffsetRange(start=start, end=ends[p].end) for p, start in starts.items() if ends[p].end > start}
    logs = there.ranges(came)
    newest = {
        p: OffsetRange(start=max(log.start, log.end - _MOST - 4 * (came[p].end - came[p].start)), end=log.end)
        for p, log in logs.items()
    }
    new, known = (side.read(part, timed=False) if part else {} for side, part in ((here, came), (there, newest)))
    return tuple(p for p in sorted(new) if not {r.digest for r in new[p]} <= {r.digest for r in known[p]})


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


def _part(start: int, end: int, most: int) -> OffsetRange:
    return OffsetRange(start=start, end=min(end, start + most))


def _originals(
    there: Cluster, starts: Mapping[Partition, int], counts: Mapping[Partition, int], *, timed: bool
) -> dict[Partition, tuple[Record, ...]]:
    """At least so many records from the start on, or all there are; holes may lie between them, so it looks on."""
    ends = there.ends(starts) if starts else {}
    parts = {p: _part(start, ends[p], max(1, counts[p])) for p, start in starts.items() if ends[p] > start}
    found: dict[Partition, tuple[Record, ...]] = {}
    while parts:
        found |= there.read(parts, timed=timed)
        parts = {
            p: OffsetRange(start=part.start, end=min(ends[p], part.start + 4 * (part.end - part.start)))
            for p, part in parts.items()
            if len(found[p]) < counts[p] and part.end < ends[p]
        }
    return found
