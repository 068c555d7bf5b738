"""Who may write a topic, by the ACLs of a cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kmigrate.errors import Blocked
from kmigrate.model import Right, Side
from kmigrate.world import World


def may_write(world: World, side: Side, topic: str, ours: Collection[str] = ()) -> str:
    """Who may still write the topic on that side, in words; `ours` are principals that are left out."""
    try:
        rights = world.cluster(side).rights()
    except Blocked:
        return f"who may write {topic} there is not known: kmigrate may not list ACLs"
    names = [name for name in writers(rights, topic) if name not in ours]
    return f"who may write {topic} there: {', '.join(names) or 'nobody by its ACLs'}"


def writers(rights: Iterable[Right], topic: str) -> tuple[str, ...]:
    """The principals that are allowed to write the topic and are not denied it, sorted."""
    writes = [right for right in rights if right.operation in ("Write", "All") and covers(right, topic)]
    denied = {right.principal for right in writes if right.type == "deny"}
    return tuple(sorted({right.principal for right in writes if right.type == "allow"} - denied))


def covers(right: Right, topic: str) -> bool:
    """Whether the ACL is about the topic."""
    if right.resource != "topic":
        return False
    return topic.startswith(right.name) if right.pattern == "prefix" else right.name in (topic, "*")
