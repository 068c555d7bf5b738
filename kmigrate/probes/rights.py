"""Whether the target's own ACLs are what its KafkaUsers ask for: who edits them past the resource is found out."""

from __future__ import annotations

from collections.abc import Sequence

from kmigrate.errors import VerifyFailed
from kmigrate.manifests.users import rights_asked
from kmigrate.model import JsonObject, Right, Side
from kmigrate.probes.resources import key_of, stored
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World


def unlike(world: World, users: Sequence[JsonObject]) -> tuple[str, ...]:
    """Rights that the resources of those users ask for and the cluster does not have, and those it has besides."""
    resources = stored(world.resources, map(key_of, users)).values()
    asked = {right for found in resources for right in rights_asked(found.key.name, found.spec)}
    ours = {f"User:{key_of(body).name}" for body in users}
    there = {right for right in world.cluster(Side.TARGET).rights() if right.principal in ours}
    gone = (f"{_told(right)} is gone" for right in sorted(asked - there))
    more = (f"{_told(right)} is more than is asked for" for right in sorted(there - asked))
    return (*gone, *more)


def await_rights(world: World, users: Sequence[JsonObject], *, deadline_ms: int) -> None:
    """Wait until the cluster has just the rights that are asked for; raises StillUnderWay naming what differs."""

    def look() -> Ready[None] | NotYet:
        wrong = unlike(world, users)
        return NotYet("; ".join(wrong)) if wrong else Ready(None)

    wait_until(look, what="rights of users", clock=world.clock, reporter=world.reporter, deadline_ms=deadline_ms)


def refuse_unlike(world: World, users: Sequence[JsonObject]) -> None:
    """Raise VerifyFailed where they differ."""
    wrong = unlike(world, users)
    if wrong:
        raise VerifyFailed(
            f"KafkaUsers are Ready, and yet on the target {'; '.join(wrong)}",
            hint="somebody changed ACLs past the KafkaUser: its operator puts them back within its interval, else "
            "kafka-acls.sh does; see who it was before the next move",
        )


def _told(right: Right) -> str:
    denied, prefixed = "deny " if right.type == "deny" else "", "*" if right.pattern == "prefix" else ""
    return f"{right.principal} {denied}{right.operation} {right.resource} {right.name}{prefixed}"
