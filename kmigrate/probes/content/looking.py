"""Looking closely, record by record, at the little piece of two logs in which a difference was seen."""

from __future__ import annotations

from dataclasses import dataclass

from kmigrate.model import OffsetRange, Partition, Record, Side
from kmigrate.probes.content.compared import Ends
from kmigrate.probes.content.differences import Difference, Kind, first_difference, told_fields, told_shift
from kmigrate.world import World

_AHEAD = 2_000
"""Offsets read beyond the piece, to see how the logs go on after the difference."""
_TAIL = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The same piece of a partition on both sides."""

    partition: Partition
    source: OffsetRange
    target: OffsetRange


def difference(world: World, piece: Piece, ends: Ends) -> Difference | None:
    """The first difference within a piece that begins at the same place; None where the target only has more.

    Records beyond an unknown end of the target may be copies of younger ones: those are looked at as `stray` does.
    """
    limits = {side: ends.on(side) for side in Side}
    ranges = {Side.SOURCE: piece.source, Side.TARGET: piece.target}
    lists = {
        side: world.cluster(side).read(
            {piece.partition: OffsetRange(start=each.start, end=min(each.end + _AHEAD, limits[side]))}
        )[piece.partition]
        for side, each in ranges.items()
    }
    here, there = lists[Side.SOURCE], lists[Side.TARGET]
    found = first_difference(here, there)
    if found is not None and ends.unknown and found.at == len(here) and piece.source.end >= ends.source:
        return stray(world, piece.partition, ends, there[found.at].offset)
    if found is None:
        return None
    ours, theirs = _at(here, found.at), _at(there, found.at)
    if found.kind is Kind.CHANGED and ours and theirs:
        what = _fields(world, piece.partition, ours, theirs)
    else:
        what = told_shift(here, there, found)
    return Difference(partition=piece.partition, source=_offset(ours), target=_offset(theirs), what=what)


def stray(world: World, partition: Partition, ends: Ends, start: int) -> Difference | None:
    """A record from `start` on, which the target had when the ends were taken, that no younger record was copied to.

    Copies of what was written to the source after the end may stand there, in order, and nothing else.
    """
    if ends.seen <= start:
        return None
    target, source = world.cluster(Side.TARGET), world.cluster(Side.SOURCE)
    window = OffsetRange(start=start, end=min(ends.seen, start + _TAIL))
    there = target.read({partition: window})[partition]
    if not there:
        return None
    log = source.ranges([partition])[partition]
    if log.start > ends.source:
        return None  # retention has overtaken us: what stood there cannot be told any more
    younger = OffsetRange(start=ends.source, end=min(log.end, ends.source + 4 * _TAIL))
    here = source.read({partition: younger})[partition]
    for number, copy in enumerate(there):
        ours = _at(here, number)
        if ours is None and younger.end < log.end:
            return None
        if ours is None or ours.digest != copy.digest:
            what = "a record on the target that the source does not have"
            return Difference(partition=partition, source=_offset(ours), target=copy.offset, what=what)
    return None


def _fields(world: World, partition: Partition, ours: Record, theirs: Record) -> str:
    here = world.cluster(Side.SOURCE).records_in_full([(partition, ours.offset)])
    there = world.cluster(Side.TARGET).records_in_full([(partition, theirs.offset)])
    if not here or not there:
        return "the records differ, and one of them is gone since"
    return told_fields(here[partition, ours.offset], there[partition, theirs.offset])


def _at(records: tuple[Record, ...], index: int) -> Record | None:
    return records[index] if index < len(records) else None


def _offset(record: Record | None) -> int | None:
    return record.offset if record is not None else None
