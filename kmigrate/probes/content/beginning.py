"""Where comparing begins in a partition: at the same record on both sides."""

from __future__ import annotations

from dataclasses import dataclass

from kmigrate.model import OffsetRange, Partition, Record, Side
from kmigrate.probes.content.compared import Compared, Ends
from kmigrate.world import Cluster, World

_KNOWN_BY = 64
"""So many records in a row are what the first record of the source is known by on the target."""
_ROUGHLY = 8
"""So many are enough where not all of the first ones are found: then a difference is among them."""
_WINDOW = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The same place on both sides; `matched` when it was found by its records: then a twin of them could mislead."""

    source: int
    target: int
    matched: bool = False

    def on(self, side: Side) -> int:
        """The place on a side."""
        return self.source if side is Side.SOURCE else self.target


def beginning(
    world: World,
    partition: Partition,
    logs: dict[Side, OffsetRange],
    ends: Ends,
    so_far: Compared | None,
    after: int = -1,
) -> Beginning | None:
    """Go on after what was compared, else begin at the log starts; None where the target has no copy of the first ones.

    Where the source has lost its oldest records meanwhile, its first one is looked for on the target, beyond `after`.
    What only the target still has before that is not compared.
    """
    source, target = logs[Side.SOURCE].start, logs[Side.TARGET].start
    if after < 0:
        if so_far is not None and so_far.source.end >= source and so_far.target.end >= target:
            return Beginning(source=so_far.source.end, target=so_far.target.end)
        if source == 0:
            return Beginning(source=0, target=target)
    first = _first_records(world.cluster(Side.SOURCE), partition, OffsetRange(start=source, end=ends.source))
    if not first:
        return Beginning(source=ends.source, target=ends.target)
    from_there = OffsetRange(start=max(target, after + 1), end=ends.target)
    found = _search(world.cluster(Side.TARGET), partition, first, from_there, exactly=after >= 0)
    return None if found is None else Beginning(source=source, target=found, matched=True)


def _first_records(cluster: Cluster, partition: Partition, within: OffsetRange) -> tuple[Record, ...]:
    """Up to _KNOWN_BY records from the start of the range on; the window grows where holes fill it."""
    window = 4 * _KNOWN_BY
    while within.start < within.end:
        end = min(within.end, within.start + window)
        records = cluster.read({partition: OffsetRange(start=within.start, end=end)})[partition]
        if len(records) >= _KNOWN_BY or end == within.end:
            return records[:_KNOWN_BY]
        window *= 8
    return ()


def _search(
    cluster: Cluster, partition: Partition, first: tuple[Record, ...], within: OffsetRange, *, exactly: bool
) -> int | None:
    """Where they stand in the target's log. A copy keeps its time, so none stands before the first that old."""
    earliest = cluster.offsets_at({partition: min(record.timestamp for record in first)})[partition]
    wanted, held, bottom = [record.digest for record in first], list[Record](), max(within.start, earliest)
    rough: int | None = None
    while bottom < within.end:
        top = min(within.end, bottom + _WINDOW)
        held += cluster.read({partition: OffsetRange(start=bottom, end=top)})[partition]
        told = [record.digest for record in held]
        for index in _places(told, wanted):
            return held[index].offset
        if rough is not None:
            return rough  # a window later the whole of them is not there either
        if not exactly:
            rough = _roughly(held, told, wanted)
        held, bottom = held[-len(wanted) :], top
    return rough


def _roughly(held: list[Record], told: list[bytes], wanted: list[bytes]) -> int | None:
    """Where the first record would stand by a few of those after it."""
    for skipped in range(len(wanted) - _ROUGHLY + 1):
        for index in _places(told, wanted[skipped : skipped + _ROUGHLY]):
            return held[max(0, index - skipped)].offset
    return None


def _places(told: list[bytes], wanted: list[bytes]) -> list[int]:
    count = len(wanted)
    ends = len(told) - count + 1
    return [i for i in range(max(0, ends)) if told[i] == wanted[0] and told[i : i + count] == wanted]
