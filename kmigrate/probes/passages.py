"""Reading what searches ask for: the passages of both sides, in parts, the next one while a part is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from kmigrate.model import OffsetRange, Partition, Record, Side
from kmigrate.positions import Windows
from kmigrate.world import World

_AT_ONCE = 300_000
"""Offsets that are read together, both sides counted; some 200 bytes of memory each, and as many are read meanwhile."""

_Records: TypeAlias = Mapping[Partition, tuple[Record, ...]]


class Passages(NamedTuple):
    """The records of some partitions, as their windows asked for them."""

    originals: _Records
    copies: _Records


def passages(
    world: World, owner: Side, windows: Mapping[Partition, Windows], ends: Mapping[Partition, int], *, timed: bool
) -> Iterator[Passages]:
    """Read all windows; each partition comes once. `ends` are the ends of the originals' logs as they are known now.

    `owner` has the originals. Without `timed` digests leave the time out.
    """
    finish: Callable[[], Passages] | None = None
    for part in _parts(windows, ends):
        read = finish() if finish is not None else None
        finish = _begin(world, owner, part, timed=timed)
        if read is not None:
            yield read
    if finish is not None:
        yield finish()


def _begin(world: World, owner: Side, part: Mapping[Partition, Windows], *, timed: bool) -> Callable[[], Passages]:
    """Begin to read both sides of a part, and give what waits for it.

    Where the end of the originals is open, they are read after the copies, up to the last stable offset by then, so
    that every copy read has its original among those read. Where a mark ends both, they were written before.
    """
    source, target = world.cluster(owner), world.cluster(owner.other)
    copies = target.reading({p: each.copies for p, each in part.items()}, timed=timed)
    bounded = all(each.originals_to is not None for each in part.values())
    originals = source.reading({p: _originals(each, 0) for p, each in part.items()}, timed=timed) if bounded else None

    def finish() -> Passages:
        there = copies()
        if originals is not None:
            return Passages(originals(), there)
        logs = source.ranges(part)
        wanted = {p: _originals(each, logs[p].end) for p, each in part.items()}
        return Passages(source.read(wanted, timed=timed), there)

    return finish


def _parts(windows: Mapping[Partition, Windows], ends: Mapping[Partition, int]) -> Iterator[dict[Partition, Windows]]:
    """The windows in parts that are read together, so that memory stays flat in the number of partitions.

    Those whose end is open come in parts of their own, and last.
    """
    for is_open in (False, True):
        part: dict[Partition, Windows] = {}
        held = 0
        for p, each in windows.items():
            if (each.originals_to is None) is not is_open:
                continue
            end = ends[p] if each.originals_to is None else each.originals_to
            size = end - each.originals_from + each.copies.end - each.copies.start
            if part and held + size > _AT_ONCE:
                yield part
                part, held = {}, 0
            part[p] = each
            held += size
        if part:
            yield part


def _originals(windows: Windows, end: int) -> OffsetRange:
    reach = end if windows.originals_to is None else windows.originals_to
    return OffsetRange(start=windows.originals_from, end=max(reach, windows.originals_from))
