"""Red flags of those who hold rights on the source, and of applications that write. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kmigrate.advice.estate import Inventory
from kmigrate.advice.flag import Flag, accept, blocks, warns
from kmigrate.model import Application, Migration


def principals(migration: Migration, inventory: Inventory) -> Iterator[Flag]:
    """Whoever holds ACLs, and whether they can be listed."""
    if inventory.rights is None:
        yield blocks(
            "KM-ACL-UNREADABLE",
            "acls",
            f"the source does not list its ACLs, so principals were not checked: {inventory.unlisted}",
            f"grant it, or go on without: {accept('KM-ACL-UNREADABLE', 'acls')}",
        )
    known = {_user(p.source) for app in migration.applications for p in app.principals} | _ours(migration)
    for name in inventory.principals:
        if name not in known:
            yield blocks(
                "KM-PRINCIPAL-UNASSIGNED",
                name,
                "it holds ACLs on the source, and no application of the plan is it",
                f"add it to the principals of an application, or {accept('KM-PRINCIPAL-UNASSIGNED', name)}",
            )


def _ours(migration: Migration) -> set[str]:
    """kmigrate's own and the mirrors'; a user name that lies in a secret is not known here."""
    every = (migration.source.auth, migration.mirror_auth, migration.reverse_auth)
    return {name for auth in every if auth is not None for name in (auth.known_as,) if name is not None}


def _user(name: str) -> str:
    return name if name.startswith("User:") else f"User:{name}"


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
