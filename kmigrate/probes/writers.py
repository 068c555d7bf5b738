"""Who may write a topic, by the ACLs of a cluster."""

from __future__ import annotations

from collections.abc import Collection

from kmigrate.advice import writers
from kmigrate.errors import Blocked
from kmigrate.model import Side
from kmigrate.world import World


def may_write(world: World, side: Side, topic: str, ours: Collection[str] = ()) -> str:
    """Who may still write the topic on that side, in words; `ours` are principals that are left out."""
    try:
        rights = world.cluster(side).rights()
    except Blocked:
        return f"who may write {topic} there is not known: kmigrate may not list ACLs"
    names = [name for name in writers(rights, topic) if name not in ours]
    return f"who may write {topic} there: {', '.join(names) or 'nobody by its ACLs'}"
