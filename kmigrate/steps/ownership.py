"""The rights that hold who owns a topic: where it is written, the mirrors may not write it (design §4.3)."""

from __future__ import annotations

from collections.abc import Iterable

from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.model import JsonObject, Migration, Right, Side
from kmigrate.probes.ownership import owned_by
from kmigrate.probes.resources import await_ready, missing
from kmigrate.steps.logins import acl_name
from kmigrate.steps.provision import mirror_user
from kmigrate.steps.resources import apply_all
from kmigrate.world import World

_READY_MS = 60_000


def wrong_rights(world: World, migration: Migration, topics: Iterable[str], owner: Side) -> tuple[str, ...]:
    """What the mirrors' rights lack, or have too much, where that side owns the topics; in words."""
    chosen = tuple(topics)
    user = missing(world, (_user(world, migration, chosen, owner),))
    wanted, granted = _wanted(migration, chosen), world.source_admin.grants(_wanted(migration, chosen))
    wrong = bool(granted) if owner is Side.SOURCE else granted != frozenset(wanted)
    told = [f"rights of {MIRROR_USER} on the target"] if user else []
    return (*told, *([f"rights of {reverse_principal(migration)} on the source"] if wrong else []))


def turn_rights(
    world: World, migration: Migration, topics: Iterable[str], owner: Side, *, awaited: bool = True
) -> None:
    """Take the right to write away from the mirror that wrote until now, then give it to the one that will.

    With `awaited=False` the target's operator is asked and not waited for.
    """
    chosen = tuple(topics)
    if owner is Side.SOURCE:
        world.source_admin.revoke(_wanted(migration, chosen))
    body = _user(world, migration, chosen, owner)
    apply_all(world, (body,))
    if awaited:
        await_ready(world, (body,), what="rights of the mirror", deadline_ms=_READY_MS, every_ms=20)
    if owner is Side.TARGET:
        world.source_admin.grant(_wanted(migration, chosen))


def _user(world: World, migration: Migration, topics: tuple[str, ...], owner: Side) -> JsonObject:
    others = owned_by(world, Side.TARGET, migration.topics) - set(topics)
    return mirror_user(migration, others | set(topics if owner is Side.TARGET else ()))


def reverse_principal(migration: Migration) -> str:
    """What ACLs of the source call the mirror back, `User:…`."""
    assert migration.reverse_auth is not None
    return acl_name(migration.reverse_auth, "mirror.reverse")


def _wanted(migration: Migration, topics: Iterable[str]) -> tuple[Right, ...]:
    """What the reverse mirror must have on the source for what the target owns."""
    who = reverse_principal(migration)
    return tuple(Right(principal=who, resource="topic", name=name, operation="Write") for name in sorted(topics))
