"""The journal of a migration, opened: on this disk, and on the target once it is claimed there."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from kmigrate import interrupt
from kmigrate.adapters.claims import Holder
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.secrets import SecretReader
from kmigrate.adapters.shared_lines import SeenLines, SharedLines
from kmigrate.errors import Blocked, PlatformError, UsageError
from kmigrate.journal import Event, GoingBack, Journal
from kmigrate.manifests.internal import ledger_name, ledger_topic
from kmigrate.model import Auth, Migration, Side
from kmigrate.steps.ledger import ClaimMigration
from kmigrate.wiring.live import LiveWorld
from kmigrate.world import World


@contextmanager
def open_journal(
    migration: Migration, world: LiveWorld, *, read_only: bool = False, take_over: bool = False
) -> Iterator[Journal]:
    """The journal of a migration; unless it is only read, claimed for this process on this disk and on the target.

    `take_over`: also from a process of another folder that may still be at work. Raises JournalError while one is.
    """
    who = f"{our_name()}@{socket.gethostname()} pid {os.getpid()}"
    local = JournalFile(Path(migration.journal), who, read_only=read_only)
    lines = _seen(local, world) if read_only else _shared(local, world, who, take_over=take_over)
    world.wires.claim.append(lines)
    try:
        with nullcontext() if read_only else interrupt.careful():
            journal = Journal(lines, world.clock, who, migration.name, interrupt.check)
            if isinstance(lines, SharedLines) and lines.here_alone and _was_claimed(journal):
                lines.miss(_gone(migration))
            yield journal
    finally:
        world.wires.claim.remove(lines)
        lines.close()


def our_name(user: Callable[[], str] = getpass.getuser) -> str:
    """Who runs us: the user's name, or its number where it has none, as in a container with a uid of its own."""
    try:
        return user()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _seen(local: JournalFile, world: LiveWorld) -> SeenLines:
    return SeenLines(local=local, topic=world.ledger_topic)


def _shared(local: JournalFile, world: LiveWorld, who: str, *, take_over: bool) -> SharedLines:
    return SharedLines(
        local=local,
        topic=world.ledger_topic,
        us=Holder(who=who, place=local.place, since=world.clock.now_ms()),
        alone=GoingBack(),
        tell=world.reporter.note,
        take_over=take_over,
    )


def _was_claimed(journal: Journal) -> bool:
    """Whether the journal says that the migration was claimed, and not that this is undone."""
    provisions = [unit for unit in journal.units.values() if unit.name.partition("#")[0] == "provision"]
    claims = [unit.steps[ClaimMigration.name] for unit in provisions if ClaimMigration.name in unit.steps]
    return any(claim.event is Event.VERIFIED for claim in claims)


def _gone(migration: Migration) -> Blocked:
    wanted = ledger_topic(migration.name, migration.target, brokers=3)
    return Blocked(
        f"KafkaTopic {ledger_name(migration.name)} is gone",
        hint=f"put it back, and the next command fills it from this folder's journal: {json.dumps(wanted)}",
    )


def with_names(migration: Migration, world: World) -> Migration:
    """The migration with what ACLs call those who sign in to the source, also where their user name is a reference.

    Raises UsageError, with the key that says it, where that refers to nothing.
    """
    own = _named(migration.source.auth, "source.principal", world, migration)
    mirror = _named(migration.mirror_auth, "mirror.forward.principal", world, migration)
    return replace(migration, source=replace(migration.source, auth=own), mirror_auth=mirror)


def _named(auth: Auth, key: str, world: World, migration: Migration) -> Auth:
    if auth.known_as is not None:
        return auth
    try:
        name = SecretReader(world.resources, migration.target.namespace).username(auth)
    except UsageError as error:
        told = f"what ACLs call whoever signs in as {auth.username} is not known: {error.message}"
        raise UsageError(told, hint=f"write {key} in the plan file (User:…), or set what it refers to") from error
    return replace(auth, principal=f"User:{name}")


def bind(journal: Journal, world: World, *, read_only: bool, without_target: bool = False) -> None:
    """Hold the journal to the ids that the clusters tell (journal.bind); a target that is not there yet binds later.

    `without_target`: one that does not answer is gone without, since undoing may not need it.
    """
    source = world.cluster(Side.SOURCE).id()
    try:
        target = world.cluster(Side.TARGET).id()
    except Blocked:
        target = ""
    except PlatformError:
        if not without_target:
            raise
        target = ""
    (journal.belongs_to if read_only else journal.bind)(source, target)
