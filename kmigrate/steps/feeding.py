"""Feeding a side from the owner of its topics: arming a lane at the newest hand-over, once, and starting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kmigrate.errors import Blocked
from kmigrate.manifests.mirror import reset
from kmigrate.model import ARMED, Lane, Partition, Target
from kmigrate.probes.arming import begins, is_armed
from kmigrate.probes.drain import Watch, unwatched
from kmigrate.probes.lanes import GETS_UP
from kmigrate.probes.ownership import origin
from kmigrate.probes.unmarked import records_after
from kmigrate.steps.lanes import arm_lane, asked_reset, lane_state, set_reset, start_lane, stop_lane
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World


def last_copied(world: World, lane: Lane) -> dict[Partition, int]:
    """The last offset that counts as copied; a partition that begins at 0 has none (`lab.md`)."""
    return {p: begin - 1 for p, begin in begins(world, lane).items() if begin > 0}


def begins_as_it_must(world: World, target: Target, lane: Lane) -> bool:
    """Whether a lane that lost its offsets would rather stand still than copy again what was copied (design §4.4)."""
    return not begins(world, lane) or asked_reset(world, target, lane) == _reset(world, lane)


def begin_as_it_must(world: World, target: Target, lane: Lane, deadline_ms: int) -> None:
    """Say so, also of a lane that runs already: it goes on from the offsets that it has."""
    if begins(world, lane):
        set_reset(world, target, lane, _reset(world, lane), deadline_ms)


def feeds(world: World, target: Target, lane: Lane) -> bool:
    """Whether the lane was armed at the newest hand-over and runs; where nothing changed hands it needs neither."""
    return not begins(world, lane) or (is_armed(world, lane) and lane_state(world, target, lane).running)


def feed(world: World, target: Target, lane: Lane, deadline_ms: int, *, allow: Callable[[], None]) -> None:
    """Arm the lane, unless the ledger says that it was, `allow` it to write, then start it.

    Armed a second time it would copy again what it has copied since; so that it was goes to disk before it starts.
    Where it begins without an offset is said while it is stopped. It may not write before it is armed: whoever started
    it by mistake meanwhile, it has copied nothing from where it stood.
    """
    wanted = begins(world, lane)
    if not wanted:
        return
    if not is_armed(world, lane):
        stop_lane(world, target, lane, deadline_ms)
        set_reset(world, target, lane, _reset(world, lane), deadline_ms)
        arm_lane(world, target, lane, last_copied(world, lane), deadline_ms)
        before = world.ledger.get(ARMED)
        kept = before if isinstance(before, Mapping) else {}
        world.ledger.put(ARMED, {**kept, lane.name: {str(p): begin for p, begin in sorted(wanted.items())}})
    allow()
    start_lane(world, target, lane, deadline_ms)


def _reset(world: World, lane: Lane) -> str:
    return reset(all_begin_written=all(begin > 0 for begin in begins(world, lane).values()))


def _uncopied(world: World, lane: Lane) -> tuple[Partition, ...]:
    """Partitions with records behind the hand-over of which Connect says that none is copied yet, sorted."""
    wanted = begins(world, lane)
    copied = world.mirror.copied(lane)
    there = records_after(world.cluster(origin(lane)), wanted)
    return tuple(sorted(p for p, records in there.items() if records and copied.get(p, -1) < wanted[p]))


def await_first_copies(world: World, lane: Lane, deadline_ms: int, watch: Watch = unwatched) -> None:
    """Wait until it makes progress wherever something is written: a lane may run, say nothing, and copy nothing.

    Raises Blocked when it has failed, StillUnderWay with where it stands still while it is behind (design §4.4).
    """

    def look() -> Ready[None] | NotYet:
        late = _uncopied(world, lane)
        trouble = world.mirror.trouble(lane) if late else ()
        if trouble:
            raise Blocked(f"lane {lane.name} copies nothing: {'; '.join(trouble)}", hint=GETS_UP)
        if late:
            watch(late)
        told = f"it runs and copies nothing of {', '.join(map(str, late))}, which has records"
        return NotYet(told) if late else Ready(None)

    clock, reporter = world.clock, world.reporter
    wait_until(look, what=f"first copies of lane {lane.name}", clock=clock, reporter=reporter, deadline_ms=deadline_ms)
