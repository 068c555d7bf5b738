"""Comparing a compacted partition: the last value of every key, where a tombstone is as good as no record.

Order says nothing there: each side is compacted in its own time. A key that is written again while we read may lose the
record that was the last one at the end we compare up to; such keys are counted, not compared.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from kmigrate.model import FullRecord, OffsetRange, Partition, Side
from kmigrate.probes.content.compared import Compared, Ends
from kmigrate.probes.content.differences import Difference, told_fields
from kmigrate.probes.content.reading import Pace
from kmigrate.probes.content.spill import PER_PART, REST, TOMBSTONE, Last, Spill, last, parts_for
from kmigrate.world import World

_AT_ONCE, _ENOUGH = 16, 2_000_000
"""Partitions read at once at most, and offsets that are enough: what an interrupted proof reads again at most."""
_MOST_DIFFERENT = 100_000
"""Keys that differ and are remembered; where there are more, none of them is excused."""


@dataclass(slots=True)
class _Keys:
    """What came of comparing all keys: how many have an equal value, and those that have not, by digest."""

    equal: int = 0
    different: dict[bytes, tuple[Last | None, Last | None]] = field(default_factory=dict)


def groups(ends: Mapping[Partition, Ends]) -> Iterator[dict[Partition, Ends]]:
    """The partitions in groups that are read at once: as few as hold enough offsets for that to pay."""
    group: dict[Partition, Ends] = {}
    for partition in sorted(ends):
        group[partition] = ends[partition]
        if len(group) == _AT_ONCE or sum(each.source for each in group.values()) >= _ENOUGH:
            yield group
            group = {}
    if group:
        yield group


def compare_keys(
    world: World,
    ends: Mapping[Partition, Ends],
    pace: Pace,
    *,
    deletes: Container[Partition],
    per_part: int = PER_PART,
) -> dict[Partition, Compared | Difference]:
    """Compare the last values up to the ends; `deletes` has those from whose source retention takes keys too.

    `per_part` is how many offsets' keys are held in memory at a time, on either side.
    """
    logs = {side: world.cluster(side).ranges(ends) for side in Side}
    ranges = {side: {p: _before(log, ends[p].on(side)) for p, log in logs[side].items()} for side in Side}
    parts = parts_for(max(log.end - log.start for by_side in ranges.values() for log in by_side.values()), per_part)
    with ExitStack() as stack:
        spills = {side: {p: stack.enter_context(Spill(parts)) for p in ends} for side in Side}
        sizes = _read(world, ranges, spills, pace, parts)
        found: dict[Partition, Compared | Difference] = {}
        for p in ends:
            keys = _Keys()
            for part in range(parts):
                _compare(spills[Side.SOURCE][p].last(part), spills[Side.TARGET][p].last(part), keys)
            lost = p in deletes and logs[Side.SOURCE][p].start > 0
            done = Compared(source=ranges[Side.SOURCE][p], target=ranges[Side.TARGET][p], size=sizes[p], finished=True)
            found[p] = _judged(world, p, ends[p], keys, done, lost=lost)
    return found


def _read(
    world: World,
    ranges: Mapping[Side, Mapping[Partition, OffsetRange]],
    spills: Mapping[Side, Mapping[Partition, Spill]],
    pace: Pace,
    parts: int,
) -> dict[Partition, int]:
    """All rows of both sides into their files; the side that is behind is read. Returns the bytes of the source."""
    reached = {(side, p): each.start for side, by_side in ranges.items() for p, each in by_side.items()}
    sizes, ahead = dict.fromkeys(ranges[Side.SOURCE], 0), dict.fromkeys(Side, 0)
    with ExitStack() as stack:
        streams = {}
        for side in Side:
            streams[side] = stack.enter_context(closing(world.cluster(side).keyed(ranges[side], parts)))
        while streams:
            side = min(streams, key=lambda s: ahead[s])
            told = next(streams[side], None)
            if told is None:
                del streams[side]
                continue
            p, rows = told
            spills[side][p].add(rows.part, rows.rows)
            passed = max(0, rows.end - reached[side, p])
            pace.passed(passed, rows.size)
            reached[side, p], ahead[side] = reached[side, p] + passed, ahead[side] + passed
            sizes[p] += rows.size if side is Side.SOURCE else 0
    return sizes


def _judged(
    world: World, partition: Partition, ends: Ends, keys: _Keys, done: Compared, *, lost: bool
) -> Compared | Difference:
    """What remains different once keys are left out that retention took (where it may), or that were written again."""
    different, gone, rewritten = keys.different, 0, 0
    if lost:
        only_there = [who for who, (here, _) in different.items() if here is None]
        gone = len(only_there)
        for who in only_there:
            del different[who]
    if 0 < len(different) < _MOST_DIFFERENT:
        again = _written_again(world, partition, ends) & different.keys()
        rewritten = len(again)
        for who in again:
            del different[who]
    if different:
        return _named(world, partition, different)
    return replace(done, records=keys.equal, gone=gone, rewritten=rewritten)


def _before(log: OffsetRange, end: int) -> OffsetRange:
    return OffsetRange(start=min(log.start, end), end=end)


def _compare(here: dict[bytes, bytes], there: dict[bytes, bytes], found: _Keys) -> None:
    for who, row in here.items():
        other = there.pop(who, None)
        if other is not None and row[REST:] == other[REST:]:
            found.equal += row[REST:] != TOMBSTONE
            continue
        ours = last(row)
        theirs = last(other) if other is not None else None
        gone = ours.digest is None and (theirs is None or theirs.digest is None)
        if not gone and len(found.different) < _MOST_DIFFERENT:
            found.different[who] = ours, theirs
    for who, row in there.items():
        theirs = last(row)
        if theirs.digest is not None and len(found.different) < _MOST_DIFFERENT:
            found.different[who] = None, theirs


def _written_again(world: World, partition: Partition, ends: Ends) -> frozenset[bytes]:
    """Digests of the keys that either side has written since."""
    found: set[bytes] = set()
    for side in Side:
        end, log = ends.on(side), world.cluster(side).ranges([partition])[partition]
        younger = OffsetRange(start=max(end, log.start), end=max(end, log.end))
        with Spill(1) as spill:
            for _, rows in world.cluster(side).keyed({partition: younger}, 1):
                spill.add(0, rows.rows)
            found |= spill.last(0).keys()
    return frozenset(found)


def _named(
    world: World, partition: Partition, different: Mapping[bytes, tuple[Last | None, Last | None]]
) -> Difference:
    """The one that comes first, by the source's offset where it has one."""
    ours, theirs = min(different.values(), key=lambda pair: [each.offset for each in pair if each is not None])
    here, there = (_offset(each) for each in (ours, theirs))
    more = f" ({len(different)} keys differ)" if len(different) > 1 else ""
    what = _what(world, partition, ours, theirs) + more
    return Difference(partition=partition, source=here, target=there, what=what)


def _what(world: World, partition: Partition, ours: Last | None, theirs: Last | None) -> str:
    if ours is None:
        return "a key that has a value on the target and no record on the source"
    if theirs is None:
        return "the last value of a key is missing on the target"
    if ours.digest is None:
        return "the tombstone that is the last record of its key on the source is missing on the target"
    if theirs.digest is None:
        return "the last record of the key is a tombstone on the target, and has a value on the source"
    here = _full(world, Side.SOURCE, partition, ours.offset)
    there = _full(world, Side.TARGET, partition, theirs.offset)
    if here is None or there is None:
        return "the last values of a key differ, and one of them is gone since"
    return told_fields(here, there)


def _full(world: World, side: Side, partition: Partition, offset: int) -> FullRecord | None:
    return world.cluster(side).records_in_full([(partition, offset)]).get((partition, offset))


def _offset(record: Last | None) -> int | None:
    return record.offset if record is not None else None
