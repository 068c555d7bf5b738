"""Whether a side answers at all."""

from __future__ import annotations

from kmigrate.errors import PlatformError
from kmigrate.model import Side
from kmigrate.world import World


def answers(world: World, side: Side) -> bool:
    """Ask it for its id."""
    try:
        world.cluster(side).id()
    except PlatformError:
        return False
    return True
