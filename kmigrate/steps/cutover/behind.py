"""What every lane must do before anything is stopped: copy, be close behind, or stand still.

What the mirror still has to copy later is pause.
"""

from __future__ import annotations

from kmigrate.errors import Blocked, StillUnderWay
from kmigrate.manifests.mirror import STOPPED
from kmigrate.model import Lane, Migration, Target
from kmigrate.probes.drain import await_copies
from kmigrate.probes.lacking import Sentry
from kmigrate.probes.lanes import lane_key
from kmigrate.probes.ownership import origin
from kmigrate.probes.set_by import set_by
from kmigrate.steps.cutover.move import MoveStep, furthest, held
from kmigrate.steps.feeding import feeds
from kmigrate.steps.lanes import asked_state, started_by_mistake
from kmigrate.world import World

_HINT = "nothing was stopped; `kmigrate status` shows how far the mirror is: run this again once it is close behind"


def await_close_behind(world: World, move: MoveStep, migration: Migration) -> None:
    """Wait until all that the groups have read, and that the move has written, by now stands on the side entered.

    The application works meanwhile, so it costs no pause; the drain is left with what comes from here on. A lane of
    what the move writes that nobody feeds yet is passed over: the drain sees to it. Raises Blocked when a lane stands
    still or fails, or needs longer than what the pause has for it.
    """
    bounds = furthest(held(world, move.leaving, move.app, stable=False))
    bounds |= world.cluster(move.leaving).ends(move.written(world))
    end = world.clock.monotonic_ms() + move.left_ms(world)
    writing = move.writing_lanes(move.leaving)
    for lane, part in move.by_lane(world, bounds):
        passed = lane in writing and not feeds(world, migration.target, lane)
        if passed or origin(lane) is not move.leaving:
            continue
        refuse_standing(world, migration.target, lane)
        what, left = f"lane {lane.name} to be close behind", max(0, end - world.clock.monotonic_ms())
        watch = Sentry(world, migration, lane)
        try:
            await_copies(world, move.leaving, part, lane, what=what, deadline_ms=left, watch=watch)
        except StillUnderWay as late:
            raise Blocked(f"the mirror is too far behind: {late.message}", hint=_HINT) from late


def refuse_started(world: World, move: MoveStep, migration: Migration) -> None:
    """Raise Blocked for a lane the other way that somebody started: nothing of what the move writes is its own yet."""
    lanes = move.writing_lanes(move.entering)
    wrong = [told for lane in lanes if (told := started_by_mistake(world, migration.target, lane))]
    if wrong:
        raise Blocked("; ".join(wrong), hint="see who started it, set its state to stopped again, and run this again")


def refuse_standing(world: World, target: Target, lane: Lane) -> None:
    """Raise Blocked for a lane that should copy and that somebody asked to stop, with who that was if it is kept."""
    if asked_state(world, target, lane) != STOPPED:
        return
    key = lane_key(lane, target.namespace)
    resource = world.resources.get(key)
    where = ("spec", "state") if lane.direction == "reverse" else ("spec", "mirrors")
    by = set_by(resource, *where) if resource is not None else ()
    told = f", set by {', '.join(by)}" if by else ""
    raise Blocked(
        f"lane {lane.name} should copy and is asked to stand still (its state is stopped{told})",
        hint=f"see who stopped it, set its state in {key} to running as it was, and run this again",
    )
