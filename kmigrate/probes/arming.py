"""Where a lane goes on from after a hand-over, whether it was armed there, and which mirror may write a topic for it.

A lane that is not armed would copy again what it once copied, or all there is. So no lane may write before it is armed
at the newest hand-over, whoever starts it (design §4.3, §4.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.manifests.lanes import forward_lanes, reverse_lanes
from kmigrate.model import ARMED, Lane, Migration, Partition, Side
from kmigrate.probes.ownership import SEAMS, epochs, origin, owned_by, that_hold
from kmigrate.world import World

TAKING = "taking"
"""The fact of topics that are about to be the target's: all of them is copied, and their lane was asked to stop."""


def begins(world: World, lane: Lane) -> dict[Partition, int]:
    """Where the epoch under way begins on the side that the lane copies from, of what that side owns by a hand-over."""
    lives = {p: life for p, life in epochs(world).items() if p.topic in lane.topics}
    side = origin(lane)
    return {p: life.seams[-1].at(side) for p, life in lives.items() if life.owner is side}


def is_armed(world: World, lane: Lane) -> bool:
    """Whether it goes on from the newest hand-over, by the ledger; so does a lane of which nothing was handed over."""
    wanted = {str(p): begin for p, begin in begins(world, lane).items()}
    told = [fact for fact, gone in that_hold(world, ARMED) if gone.isdisjoint(lane.topics)]
    facts = [fact.get(lane.name) for fact in told if isinstance(fact, Mapping)]
    return not wanted or wanted in facts


def withheld(world: World, migration: Migration) -> frozenset[str]:
    """What the forward mirror may not write: the target owns it or is about to, or its lane is not armed yet."""
    unarmed = {topic for lane in forward_lanes(migration) if not is_armed(world, lane) for topic in lane.topics}
    return owned_by(world, Side.TARGET, migration.topics) | unarmed | _taking(world)


def _taking(world: World) -> frozenset[str]:
    """Of moves that have not got to their hand-over: from then on the owner decides."""
    seams = world.ledger.by_unit(SEAMS)
    told = [fact for unit, fact in world.ledger.by_unit(TAKING).items() if fact and not seams.get(unit)]
    return frozenset(str(topic) for fact in told if isinstance(fact, Sequence) for topic in fact)


def given_back(world: World, migration: Migration) -> frozenset[str]:
    """The topics that the mirror back may write: the target owns them, and their lane is armed."""
    armed = {topic for lane in reverse_lanes(migration) if is_armed(world, lane) for topic in lane.topics}
    return owned_by(world, Side.TARGET, migration.topics) & armed
