"""Waiting, while nothing is stopped yet, until the mirror is close behind: what it has to copy later is pause."""

from __future__ import annotations

from collections.abc import Collection

from kmigrate.errors import Blocked, StillUnderWay
from kmigrate.model import Lane, Migration
from kmigrate.probes.drain import await_copies
from kmigrate.probes.lacking import Sentry
from kmigrate.steps.cutover.move import MoveStep, furthest, held
from kmigrate.steps.feeding import feeds
from kmigrate.world import World

_HINT = "nothing was stopped; `kmigrate status` shows how far the mirror is: run this again once it is close behind"


def await_close_behind(world: World, move: MoveStep, migration: Migration, lanes: Collection[Lane]) -> None:
    """Wait until these lanes have copied all that the groups have read, and that the move has written, by now.

    The application works meanwhile, so it costs no pause; the drain is left with what comes from here on. A lane that
    nobody feeds yet is passed over: the drain sees to it. Raises Blocked when a lane fails, or needs longer than what
    the pause has for it.
    """
    bounds = furthest(held(world, move.leaving, move.app, stable=False))
    bounds |= world.cluster(move.leaving).ends(move.written(world))
    end = world.clock.monotonic_ms() + move.left_ms(world)
    for lane, part in move.by_lane(world, bounds):
        if lane not in lanes or not feeds(world, migration.target, lane):
            continue
        what, left = f"lane {lane.name} to be close behind", max(0, end - world.clock.monotonic_ms())
        watch = Sentry(world, migration, lane)
        try:
            await_copies(world, move.leaving, part, lane, what=what, deadline_ms=left, watch=watch)
        except StillUnderWay as late:
            raise Blocked(f"the mirror is too far behind: {late.message}", hint=_HINT) from late
