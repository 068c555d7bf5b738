"""Why a group stands where it stands: both sides' positions, how one follows from the other, what was in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.model import FullRecord, Lane, OffsetRange, Partition, Position, Record, Side
from kmigrate.positions import SyncIndex, mirrors_own
from kmigrate.probes.foreign import without_the_lost
from kmigrate.probes.translation import translator
from kmigrate.probes.uncommitted import COMMITTED, as_read
from kmigrate.probes.unmarked import around
from kmigrate.world import Cluster, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The last record before a position and the first from it on; None where the log has none."""

    before: Record | None
    after: Record | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorsChoice:
    """Where MirrorMaker 2's own rule would put the group on the target, and what that gives twice, or leaves out."""

    offset: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One partition of a group.

    `source` and `target` are what the group holds on either side. `position` is the source's carried to the target as
    things are now, None where the group holds none there or its last record has no copy yet (`waiting`). `own` is
    MirrorMaker 2's choice for the same source position, None where it has none: then a client's own reset would decide.
    """

    partition: Partition
    source: int | None
    target: int | None
    position: Position | None
    waiting: bool
    on_source: Neighbours
    on_target: Neighbours
    own: MirrorsChoice | None


def standing(
    world: World, group: str, partitions: Iterable[Partition], lanes: tuple[Lane, ...], isolation: str = COMMITTED
) -> tuple[Standing, ...]:
    """Look at every partition of a group; changes nothing, and what it says is of this moment.

    `isolation` is how the group reads: one of uncommitted records is told what it could see besides.
    Raises Refused when retention has eaten a position on the source.
    """
    wanted = sorted(partitions)
    held = {side: world.groups(side).positions({group: wanted}, stable=False)[group] for side in Side}
    source = {p: at for p, at in held[Side.SOURCE].items() if at is not None}
    seen = translator(world, Side.SOURCE, lanes).translate(source)
    positions = as_read(world, Side.SOURCE, isolation, without_the_lost(world, Side.SOURCE, seen.positions))
    carried = {p: at.offset for p, at in positions.items() if at.offset is not None}
    there = {p: at for p, at in held[Side.TARGET].items() if at is not None}
    nearby = {Side.SOURCE: _near(world.cluster(Side.SOURCE), source)}
    nearby[Side.TARGET] = _near(world.cluster(Side.TARGET), {**there, **carried})
    own = mirrors_choices(world, {p: (source[p], at) for p, at in carried.items()}, lanes)
    nobody = Neighbours(before=None, after=None)
    return tuple(
        Standing(
            partition=p,
            source=held[Side.SOURCE][p],
            target=held[Side.TARGET][p],
            position=positions.get(p),
            waiting=p in seen.waiting,
            on_source=nearby[Side.SOURCE].get(p, nobody),
            on_target=nearby[Side.TARGET].get(p, nobody),
            own=own.get(p),
        )
        for p in wanted
    )


def contents(world: World, found: Iterable[Standing]) -> dict[tuple[Side, Partition, int], FullRecord]:
    """The records around every position, with their contents; those that are gone meanwhile are left out."""
    told: dict[tuple[Side, Partition, int], FullRecord] = {}
    rows = tuple(found)
    for side in Side:
        nearby = [(each.partition, each.on_source if side is Side.SOURCE else each.on_target) for each in rows]
        places = [(p, record.offset) for p, of in nearby for record in (of.before, of.after) if record is not None]
        seen = world.cluster(side).records_in_full(places)
        told |= {(side, p, offset): record for (p, offset), record in seen.items()}
    return told


def mirrors_choices(
    world: World, carried: Mapping[Partition, tuple[int, int]], lanes: tuple[Lane, ...]
) -> dict[Partition, MirrorsChoice]:
    """MirrorMaker 2's own choice beside the right one, by its own rule over the syncs it has told so far.

    `carried` has, by partition, a position on the source and the right one on the target. The records between are
    counted, not subtracted. Partitions for which it has no choice are left out.
    """
    marks: dict[Partition, SyncIndex] = {}
    for lane in lanes:
        marks |= world.mirror.syncs(lane)
    chosen = {p: mirrors_own(marks.get(p, SyncIndex()), source) for p, (source, _) in carried.items()}
    spans = {
        p: OffsetRange(start=offset, end=max(offset, carried[p][1]))
        for p, offset in chosen.items()
        if offset is not None
    }
    counts = dict.fromkeys(spans, 0)
    for p, batch in world.cluster(Side.TARGET).stream(spans):
        counts[p] += len(batch)
    return {p: MirrorsChoice(offset=spans[p].start, repeats=count) for p, count in counts.items()}


def _near(cluster: Cluster, positions: Mapping[Partition, int]) -> dict[Partition, Neighbours]:
    before, after = around(cluster, positions)
    return {
        p: Neighbours(before=before[p][-1] if before[p] else None, after=after[p][0] if after[p] else None)
        for p in positions
    }
