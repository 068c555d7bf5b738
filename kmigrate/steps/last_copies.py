"""Whether all that the source owns is copied, down to where its logs end: asked before the mirror stops for good."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.errors import Blocked, Refused, StillUnderWay
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.manifests.mirror import STOPPED
from kmigrate.model import Grade, Lane, Migration, Partition, Position, Side
from kmigrate.probes.drain import await_copies, records_behind
from kmigrate.probes.lacking import Sentry
from kmigrate.probes.lanes import lane_key
from kmigrate.probes.ownership import in_force
from kmigrate.probes.unmarked import records_after
from kmigrate.steps.carried import is_released
from kmigrate.steps.lanes import asked_state
from kmigrate.world import World

_AGAIN = "run `kmigrate apply --phase decommission` again"


def await_last_copies(world: World, migration: Migration, ends: Mapping[Partition, int], deadline_ms: int) -> None:
    """Wait until every lane that feeds the target has copied what stands before these ends of the source.

    Raises Blocked for a lane that stands still or failed, StillUnderWay after the deadline, both with what is not
    copied; Refused where the sides differ.
    """
    for lane in forward_lanes(migration):
        bounds = {p: end for p, end in ends.items() if p.topic in lane.topics}
        if bounds and in_force(world, lane) == lane:
            _await_lane(world, migration, lane, bounds, deadline_ms)


def _await_lane(
    world: World, migration: Migration, lane: Lane, bounds: Mapping[Partition, int], deadline_ms: int
) -> None:
    stands = asked_state(world, migration.target, lane) == STOPPED
    released = is_released(world)
    left = _left(world, lane, bounds)
    if left and (stands or released):
        raise Blocked(_told(lane, left), hint=_way_on(migration, lane, stands=stands))
    if released:
        return  # the target deletes again, so that a copy need not be there any more
    try:
        seen = await_copies(
            world,
            Side.SOURCE,
            bounds,
            lane,
            what=f"the last copies of lane {lane.name}",
            deadline_ms=0 if stands else deadline_ms,
            watch=Sentry(world, migration, lane),
        )
    except StillUnderWay as late:
        told = f"{late.message}; {_told(lane, _left(world, lane, bounds))}"
        raise StillUnderWay(told, hint=_way_on(migration, lane, stands=stands)) from late
    _refuse_unknown(world, lane, seen.positions)


def _left(world: World, lane: Lane, bounds: Mapping[Partition, int]) -> dict[str, int]:
    """By topic, at most how many records Connect has not copied; only topics that have one."""
    copied = world.mirror.copied(lane)
    source = world.cluster(Side.SOURCE)
    starts = {p: log.start for p, log in source.ranges(bounds).items()}
    begins = {p: max(copied.get(p, -1) + 1, starts[p]) for p in bounds}
    there = {p for p, records in records_after(source, begins).items() if records}
    behind = records_behind(world, {p: bounds[p] for p in there}, lane, starts)
    found: dict[str, int] = {}
    for p, count in sorted(behind.items()):
        found[p.topic] = found.get(p.topic, 0) + count
    return found


def _told(lane: Lane, left: Mapping[str, int]) -> str:
    every = ", ".join(f"at most {count} records of {topic}" for topic, count in left.items())
    return f"lane {lane.name} has still to copy {every or 'what Connect says is copied, and is not there'}"


def _way_on(migration: Migration, lane: Lane, *, stands: bool) -> str:
    key = lane_key(lane, migration.target.namespace)
    if stands:
        return (
            f"it stands still: set the state of {lane.source_alias} in {key} to running, wait until `kmigrate status` "
            f"shows that it has copied them, then {_AGAIN}"
        )
    return f"see in {key} and in the logs of its pods why it copies nothing, mend that, then {_AGAIN}"


def _refuse_unknown(world: World, lane: Lane, copies: Mapping[Partition, Position]) -> None:
    """A place that was refused is none: the sides differ; a partition that was never written has nothing to copy."""
    refused = {p: at for p, at in copies.items() if at.grade is Grade.REFUSED}
    logs = world.cluster(Side.SOURCE).ranges(refused)
    bad = [at for p, at in sorted(refused.items()) if logs[p].end > logs[p].start]
    if bad:
        told = "; ".join(f"{at.partition} up to {at.came_from}: {at.reason}" for at in bad)
        raise Refused(
            f"it is not known that lane {lane.name} has copied all: {told}",
            hint=f"`kmigrate verify --full` names the first difference; mend it, then {_AGAIN}",
        )
