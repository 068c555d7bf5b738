"""What a reader of uncommitted records would see on the side entered besides: records of aborted transactions.

A mirror that died in mid-transaction left copies there that were aborted, and made them again. Whoever reads
uncommitted records from before them is given those records twice. What such a reader saw on the side left of
transactions that were aborted there has no copy: the mirror copies committed records only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kmigrate.advice import ABORTED_AHEAD, FOREIGN_WRITE
from kmigrate.errors import Blocked, Refused
from kmigrate.model import Grade, Lane, OffsetRange, Partition, Position, Reads, Side
from kmigrate.positions.aborted import aborted_ahead
from kmigrate.probes.foreign import accepting, across
from kmigrate.probes.groups import positions_held
from kmigrate.probes.translation import refuse_low_grades, translator
from kmigrate.world import Cluster, World

COMMITTED = "read_committed"
_AT_ONCE = 200_000
"""Offsets that are read together; some 200 bytes of memory each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a position must be to go on with it: its lowest grade, and what was taken on.

    `bears_aborted` are groups that may see aborted copies, `bears_foreign` topics whose foreign records may be passed.
    """

    minimum: Grade
    bears_aborted: frozenset[str] = frozenset()
    bears_foreign: frozenset[str] = frozenset()


def passed(
    world: World, leaving: Side, reads: Reads, positions: Mapping[Partition, Position], bar: Bar
) -> dict[Partition, Position]:
    """The positions as the group shall get them, all good enough.

    Raises Refused, naming each, for a lower grade and for those that pass a foreign record; Blocked where aborted
    copies lie ahead that nobody accepted.
    """
    refuse_low_grades(positions.values(), bar.minimum)
    _refuse_foreign(reads.group, across(world, leaving, positions, bar.bears_foreign))
    found = as_read(world, leaving, reads.isolation, positions)
    if bar.minimum is not Grade.SAFE_LOWER_BOUND and reads.group not in bar.bears_aborted:
        _refuse_aborted(reads.group, leaving.other, found)
    return found


def as_read(
    world: World, leaving: Side, isolation: str, positions: Mapping[Partition, Position]
) -> dict[Partition, Position]:
    """The positions for a reader of that isolation; those of a reader of committed records are as they are.

    For one of uncommitted records a position is taken on to the next committed record, which skips nothing but aborted
    ones. Aborted copies that lie further on lower the grade. On the source, which owns every topic, what was aborted is
    no copy: there such a reader sees each once, as it always did, since at a proven position it has read none yet.
    """
    known = {p: at.offset for p, at in positions.items() if at.offset is not None}
    if isolation == COMMITTED or not known:
        return dict(positions)
    ahead = aborted(world.cluster(leaving.other), known)
    copies = leaving is Side.SOURCE
    return {p: _told(at, ahead[p], copies=copies) if p in ahead else at for p, at in positions.items()}


def aborted_copies_now(world: World, reads: Reads, lanes: tuple[Lane, ...]) -> int:
    """How many aborted copies the group could see if it moved to the target now, from where it stands on the source.

    Raises Blocked where its last record is not copied yet, and what translating raises.
    """
    held = positions_held(world, Side.SOURCE, reads, stable=False)
    seen = translator(world, Side.SOURCE, lanes).translate(held)
    if seen.waiting:
        raise Blocked(f"the mirror has not copied all that it has read in {', '.join(map(str, seen.waiting))}")
    found = as_read(world, Side.SOURCE, reads.isolation, seen.positions)
    return sum(at.aborted_ahead for at in found.values())


@dataclass(slots=True, kw_only=True)
class Ahead:
    """What is ahead of an offset: the next committed record, or the end, and the records that were aborted.

    `passed` of them lie before that record, `ahead` after it; `found`: there is such a record.
    """

    next: int
    passed: int = 0
    ahead: int = 0
    found: bool = False


def aborted(cluster: Cluster, offsets: Mapping[Partition, int]) -> dict[Partition, Ahead]:
    """Count, from each offset up to the last stable one, what a reader of uncommitted records sees besides.

    Reads all of that twice, as either kind of reader, in parts, so that memory stays flat. What lies at or past the
    last stable offset may yet commit and is not counted.
    """
    ends = cluster.ends(offsets)
    found = {p: Ahead(next=offset) for p, offset in offsets.items()}
    todo = {p: offset for p, offset in offsets.items() if offset < ends[p]}
    while todo:
        size = max(1, _AT_ONCE // len(todo))
        part = {p: OffsetRange(start=at, end=min(ends[p], at + size)) for p, at in todo.items()}
        committed = cluster.read(part)
        everything = cluster.read(part, committed=False)
        for p, span in part.items():
            seen = [record.offset for record in committed[p]]
            _count(found[p], span, [record.offset for record in everything[p]], seen)
        todo = {p: span.end for p, span in part.items() if span.end < ends[p]}
    return found


def _count(of: Ahead, span: OffsetRange, everything: list[int], committed: list[int]) -> None:
    """Take in one stretch of the log."""
    start = span.start
    if not of.found:
        of.found = bool(committed)
        of.next = committed[0] if committed else span.end
        of.passed += aborted_ahead(span.start, of.next, everything, committed)
        start = of.next
    of.ahead += aborted_ahead(start, span.end, everything, committed)


def _told(at: Position, seen: Ahead, *, copies: bool) -> Position:
    moved = f", taken on past {seen.passed} that were aborted" if seen.passed else ""
    exact = at.grade in (Grade.EXACT_PROVEN, Grade.EXACT_MATCHED)
    if not seen.ahead or (exact and not copies):
        once = f"; {seen.ahead} aborted ones lie ahead, none of them read yet" if seen.ahead else ""
        return replace(at, offset=seen.next, reason=f"{at.reason}{moved}{once}")
    what = "aborted copies" if copies else "aborted records"
    return replace(
        at,
        offset=seen.next,
        grade=Grade.SAFE_LOWER_BOUND,
        reason=f"{at.reason}{moved}; {seen.ahead} {what} lie ahead of a reader of uncommitted records",
        repeats_at_most=at.repeats_at_most + seen.ahead,
        aborted_ahead=seen.ahead,
    )


def _refuse_foreign(group: str, found: Mapping[Partition, str]) -> None:
    if found:
        told = "; ".join(f"{p}: {why}" for p, why in sorted(found.items()))
        topics = ", ".join(accepting(topic) for topic in sorted({p.topic for p in found}))
        raise Refused(
            f"{FOREIGN_WRITE}: group {group} is not carried: {told}",
            hint=f"see to it that nobody needs that record from the group, then accept: [{topics}] in the plan file "
            f"and run this again; `kmigrate explain {FOREIGN_WRITE}` says more",
        )


def _refuse_aborted(group: str, entering: Side, found: Mapping[Partition, Position]) -> None:
    bad = {p: at.aborted_ahead for p, at in sorted(found.items()) if at.aborted_ahead}
    if bad:
        told = ", ".join(f"{count} in {p}" for p, count in bad.items())
        raise Blocked(
            f"{ABORTED_AHEAD} {group}: it reads uncommitted records, and on the {entering} {sum(bad.values())} aborted "
            f"copies lie ahead of it ({told}): each would be given once more than its record",
            hint=f"accept: [{{id: {ABORTED_AHEAD}, subject: '{group}', reason: …}}] in the plan file if it bears that, "
            f"then run this again; else let it read committed records; `kmigrate explain {ABORTED_AHEAD}` says more",
        )
