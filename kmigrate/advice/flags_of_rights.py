"""Red flags of those who hold rights on the source, and of applications that write. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from kmigrate.advice.estate import Inventory
from kmigrate.advice.flag import Flag, accept, blocks, warns
from kmigrate.model import Application, Migration, Right, Side, granted

_WRITES = ("Write", "All")


def writers(listed: Iterable[Right], topic: str) -> tuple[str, ...]:
    """The principals that are allowed to write the topic and are not denied it, sorted."""
    writes = [right for right in listed if right.operation in _WRITES and right.covers("topic", topic)]
    denied = {right.principal for right in writes if right.type == "deny"}
    return tuple(sorted({right.principal for right in writes if right.type == "allow"} - denied))


def principals(migration: Migration, inventory: Inventory) -> Iterator[Flag]:
    """Whoever holds ACLs, and whether they can be listed."""
    if inventory.rights is None:
        yield blocks(
            "KM-ACL-UNREADABLE",
            "acls",
            f"the source does not list its ACLs, so principals were not checked: {inventory.unlisted}",
            f"grant it, or go on without: {accept('KM-ACL-UNREADABLE', 'acls')}",
        )
    known = {p.on(Side.SOURCE) for app in migration.applications for p in app.principals} | _ours(migration)
    for name in inventory.principals:
        if name not in known:
            yield blocks(
                "KM-PRINCIPAL-UNASSIGNED",
                name,
                "it holds ACLs on the source, and no application of the plan is it",
                f"add it to the principals of an application, or {accept('KM-PRINCIPAL-UNASSIGNED', name)}",
            )


def unseen(migration: Migration, inventory: Inventory) -> Iterator[Flag]:
    """What the brokers leave out of every list, as far as ACLs tell; whoever holds none may have a role instead."""
    own, listed = migration.source.auth.known_as, inventory.rights or ()
    if own is None or own not in inventory.principals:
        return
    for resource in ("topic", "group"):
        if not granted(Right(principal=own, resource=resource, name="*", operation="Describe"), listed):
            yield blocks(
                "KM-NOT-ALL-SEEN",
                f"{resource}s",
                f"{own} may describe some {resource}s of the source and not every one, so there may be others",
                f"grant Describe on every {resource}: kmigrate plan --rights has the command; "
                f"or go on without: {accept('KM-NOT-ALL-SEEN', f'{resource}s')}",
            )


def rights(migration: Migration, inventory: Inventory) -> Iterator[Flag]:
    """Rights by which somebody could write whom no move stops."""
    allowed = [right for right in inventory.rights or () if right.type == "allow" and right.operation in _WRITES]
    yield from _everybodys(migration, allowed)
    yield from _forgotten_writers(migration, inventory.rights or ())
    yield from _forgotten_ids(migration, allowed)


def _everybodys(migration: Migration, allowed: Iterable[Right]) -> Iterator[Flag]:
    """Topics that change their owner though everybody may write them: the mirrors' rights would hold nothing then."""
    every = [right for right in allowed if right.principal == "User:*"]
    apps = migration.applications if migration.way_back else ()
    for topic in sorted({topic for app in apps for topic in app.writes}):
        found = next((right for right in every if right.covers("topic", topic)), None)
        if found is not None:
            yield blocks(
                "KM-WRITE-EVERYBODY",
                topic,
                f"an ACL lets everybody (User:*) write it ({_where(found)}), so after a hand-over nothing would keep "
                "the mirror, or anybody else, from writing it on the side that was left",
                "allow the principals that write it by name, then take that ACL away; "
                f"or {accept('KM-WRITE-EVERYBODY', topic)}",
            )


def _forgotten_writers(migration: Migration, listed: Collection[Right]) -> Iterator[Flag]:
    """Topics that change their owner, and that an application may write which does not declare that it does."""
    apps = migration.applications if migration.way_back else ()
    for topic in sorted({topic for app in apps for topic in app.writes}):
        declared = {p.on(Side.SOURCE) for app in apps if topic in app.writes for p in app.principals}
        others = {p.on(Side.SOURCE): app.name for app in apps for p in app.principals}
        forgotten = [f"{who} ({others[who]})" for who in writers(listed, topic) if who in others.keys() - declared]
        if forgotten:
            yield blocks(
                "KM-WRITE-UNDECLARED",
                topic,
                f"{', '.join(forgotten)} may write it by ACLs, and the plan does not say that it does; a move of its "
                "declared writers would neither stop nor fence it",
                "add the topic to the writes of that application, take the right away, "
                f"or {accept('KM-WRITE-UNDECLARED', topic)}",
            )


def _forgotten_ids(migration: Migration, allowed: Iterable[Right]) -> Iterator[Flag]:
    """Transactional ids that an application of the plan may use, and that none declares."""
    declared = [name for app in migration.applications for name in app.transactional_ids]
    who = {p.on(Side.SOURCE): app.name for app in migration.applications for p in app.principals}
    for right in allowed:
        known = right.resource != "transactionalId" or any(right.covers("transactionalId", name) for name in declared)
        if right.principal in who and not known:
            subject = f"{right.name}*" if right.pattern == "prefix" else right.name
            yield warns(
                "KM-TRANSACTIONAL-ID-UNDECLARED",
                subject,
                f"{right.principal} ({who[right.principal]}) may use it by its ACLs, and no application declares such "
                "an id; what it leaves open when it is stopped would hold up the move until it times out",
                "add the id to transactionalIds of the application, or take the right away",
            )


def not_carried(left_out: Mapping[Right, str]) -> Iterator[Flag]:
    """ACLs about somebody of the plan that the target will not have; without a denial they may do more than before."""
    for right, why in left_out.items():
        begins = "…" if right.pattern == "prefix" else ""
        host = "" if right.host == "*" else f" from {right.host}"
        subject = f"{right.principal} {right.type} {right.operation} {right.resource} {right.name}{begins}{host}"
        yield (blocks if right.type == "deny" else warns)(
            "KM-ACL-NOT-CARRIED",
            subject,
            f"the target will not have this ACL: {why}",
            f"change it on the source or what the plan says of the application, or go on without: "
            f"{accept('KM-ACL-NOT-CARRIED', subject)}",
        )


def _where(right: Right) -> str:
    return f"topics {right.name}…" if right.pattern == "prefix" else f"topic {right.name}"


def _ours(migration: Migration) -> set[str]:
    """kmigrate's own and the mirrors'; a user name that lies in a secret is not known here."""
    every = (migration.source.auth, migration.mirror_auth, migration.reverse_auth)
    return {name for auth in every if auth is not None for name in (auth.known_as,) if name is not None}


def applications(migration: Migration) -> Iterator[Flag]:
    """Applications that cannot move."""
    for app in migration.applications:
        if app.writes and migration.reverse_auth is None:
            yield _writer_stays(app)


def _writer_stays(app: Application) -> Flag:
    return warns(
        "KM-WRITER-STAYS",
        app.name,
        f"it writes {', '.join(app.writes)}, and without a mirror back it could not return, so it stays on the source",
        "name mirror.reverse in the plan file; or nothing: its readers can move while it goes on writing",
    )
