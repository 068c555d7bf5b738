"""Feeding a side from the owner of its topics: arming a lane at the newest hand-over, once, and starting it."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.model import Lane, Partition, Target
from kmigrate.probes.ownership import epochs, origin
from kmigrate.steps.lanes import arm_lane, lane_state, start_lane, stop_lane
from kmigrate.world import World

ARMED = "armed"
"""The fact that lanes were armed: by lane and partition the offset from which on it copies."""


def begins(world: World, lane: Lane) -> dict[Partition, int]:
    """Where the epoch under way begins on the side that the lane copies from, of what that side owns by a hand-over."""
    lives = {p: life for p, life in epochs(world).items() if p.topic in lane.topics}
    side = origin(lane)
    return {p: life.seams[-1].at(side) for p, life in lives.items() if life.owner is side}


def last_copied(world: World, lane: Lane) -> dict[Partition, int]:
    """The last offset that counts as copied; a partition that begins at 0 has none (`lab.md`)."""
    return {p: begin - 1 for p, begin in begins(world, lane).items() if begin > 0}


def feeds(world: World, target: Target, lane: Lane) -> bool:
    """Whether the lane was armed at the newest hand-over and runs; where nothing changed hands it needs neither."""
    return not begins(world, lane) or (_is_armed(world, lane) and lane_state(world, target, lane).running)


def feed(world: World, target: Target, lane: Lane, deadline_ms: int) -> None:
    """Arm the lane, unless the ledger says that it was, then start it.

    Armed a second time it would copy again what it has copied since; so that it was goes to disk before it starts.
    """
    wanted = begins(world, lane)
    if not wanted:
        return
    if not _is_armed(world, lane):
        stop_lane(world, target, lane, deadline_ms)
        arm_lane(world, target, lane, last_copied(world, lane), deadline_ms)
        before = world.ledger.get(ARMED)
        kept = before if isinstance(before, Mapping) else {}
        world.ledger.put(ARMED, {**kept, lane.name: {str(p): begin for p, begin in sorted(wanted.items())}})
    start_lane(world, target, lane, deadline_ms)


def _is_armed(world: World, lane: Lane) -> bool:
    wanted = {str(p): begin for p, begin in begins(world, lane).items()}
    facts = [fact.get(lane.name) for fact in world.ledger.every(ARMED) if isinstance(fact, Mapping)]
    return wanted in facts
