"""The rights that hold who owns a topic: where it is written, the mirrors may not write it (design §4.3)."""

from __future__ import annotations

from collections.abc import Iterable

from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.model import JsonObject, Lane, Migration, Right
from kmigrate.probes.arming import TAKING, given_back, withheld
from kmigrate.probes.resources import await_ready, missing
from kmigrate.steps.feeding import feed
from kmigrate.steps.logins import acl_name
from kmigrate.steps.provision import mirror_user
from kmigrate.steps.resources import apply_all
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

_READY_MS = 60_000


def wrong_rights(world: World, migration: Migration, topics: Iterable[str]) -> tuple[str, ...]:
    """What the mirrors may write too much, or may not, of these topics, by who owns them and which lane is armed."""
    chosen = frozenset(topics)
    forth = _is_wrong(world, migration)
    back = _granted(world, migration, chosen) != chosen & given_back(world, migration)
    return (*([forward_rights()] if forth else []), *([reverse_rights(migration)] if back else []))


def set_rights(world: World, migration: Migration, topics: Iterable[str], *, awaited: bool = True) -> None:
    """Take away what a mirror may write of these topics and must not, then give what one may that could not.

    By who owns each topic, and by which lane is armed: asked at the hand-over it takes, asked once the lane the other
    way is armed it gives. With `awaited=False` the target's operator is asked and not waited for.
    """
    chosen = frozenset(topics)
    granted, back = _granted(world, migration, chosen), chosen & given_back(world, migration)
    if granted - back:
        world.source_admin.revoke(_writing(migration, granted - back))
    _set_forward(world, migration, awaited=awaited)
    if back - granted:
        world.source_admin.grant(_writing(migration, back - granted))
    if back != granted:
        _await_granted(world, migration, chosen, back)


def _set_forward(world: World, migration: Migration, *, awaited: bool) -> None:
    if _is_wrong(world, migration):
        body = _user(world, migration)
        apply_all(world, (body,))
        if awaited:
            await_ready(world, (body,), what="rights of the mirror", deadline_ms=_READY_MS, every_ms=20)


def take_beforehand(world: World, migration: Migration, topics: Iterable[str]) -> None:
    """Ask the target's operator to take the forward mirror's right to write these topics, and wait for nothing.

    All of them is copied, and their lane was asked to stop: what takes the operator a while goes on beside that.
    """
    world.ledger.put(TAKING, sorted(topics))
    _set_forward(world, migration, awaited=False)


def give_again(world: World, migration: Migration, *, awaited: bool = True) -> None:
    """Give back what was taken beforehand: the topics stay with the source, or there is more to copy.

    What the ledger says and what the KafkaUser asks for are mended each by itself: who dies between the two comes back.
    """
    if world.ledger.get(TAKING) is not None:
        world.ledger.put(TAKING, None)
    _set_forward(world, migration, awaited=awaited)


def feed_as_owned(world: World, migration: Migration, lane: Lane, deadline_ms: int) -> None:
    """Feed a side by this lane (`feeding.feed`); its mirror gets the right to write there once the lane is armed."""
    feed(world, migration.target, lane, deadline_ms, allow=lambda: set_rights(world, migration, lane.topics))


def _await_granted(world: World, migration: Migration, topics: frozenset[str], wanted: frozenset[str]) -> None:
    """Rights are in force a moment after they are changed; the broker that lists them has heard of them by then."""

    def look() -> Ready[None] | NotYet:
        found = _granted(world, migration, topics)
        return Ready(None) if found == wanted else NotYet(f"it may write {', '.join(sorted(found)) or 'nothing'}")

    clock, reporter, what = world.clock, world.reporter, reverse_rights(migration)
    wait_until(look, what=what, clock=clock, reporter=reporter, deadline_ms=_READY_MS, every_ms=20)


def forward_rights() -> str:
    """What the rights of the mirror on the target are called."""
    return f"rights of {MIRROR_USER} on the target"


def reverse_rights(migration: Migration) -> str:
    """What the rights of the mirror back on the source are called."""
    return f"rights of {reverse_principal(migration)} on the source"


def reverse_principal(migration: Migration) -> str:
    """What ACLs of the source call the mirror back, `User:…`."""
    assert migration.reverse_auth is not None
    return acl_name(migration.reverse_auth, "mirror.reverse")


def _user(world: World, migration: Migration) -> JsonObject:
    return mirror_user(migration, withheld(world, migration))


def _is_wrong(world: World, migration: Migration) -> bool:
    """Whether the forward mirror's KafkaUser is not as it must be, or not made real yet."""
    return bool(missing(world, (_user(world, migration),)))


def _granted(world: World, migration: Migration, topics: Iterable[str]) -> frozenset[str]:
    """Those of the topics that the mirror back may write on the source."""
    return frozenset(right.name for right in world.source_admin.grants(_writing(migration, topics)))


def _writing(migration: Migration, topics: Iterable[str]) -> tuple[Right, ...]:
    who = reverse_principal(migration)
    return tuple(Right(principal=who, resource="topic", name=name, operation="Write") for name in sorted(topics))
