"""What every command works with: the plan file read, the journal and the world opened, and closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli import gate
from kmigrate.errors import Blocked, KmigrateError, PlatformError

if TYPE_CHECKING:
    from kmigrate.journal import Journal
    from kmigrate.model import Migration
    from kmigrate.plan import Plan
    from kmigrate.wiring import LiveWorld
    from kmigrate.world import World

PlanFile = Annotated[Path, typer.Option("--file", "-f", envvar="KMIGRATE_PLAN", help="The migration plan.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout; words go to stderr.")]
DEFAULT_PLAN = Path("kmigrate.yaml")


@dataclass(frozen=True, kw_only=True)
class Session:
    """What every command works with."""

    migration: Migration
    plan: Plan
    journal: Journal
    world: World
    read_anew: Callable[[], AbstractContextManager[Journal]]
    """Opens the journal again, to read what others have written meanwhile."""


@contextmanager
def session(
    file: Path,
    *,
    as_json: bool,
    read_only: bool,
    most_ms: int = 0,
    quiet: bool = False,
    take_over: bool = False,
    look_up: bool = True,
) -> Iterator[Session]:
    """Read the plan file, open the journal and the world; close what was opened.

    After `most_ms` (0: never) a wait ends with TimeIsUp, unless an application stands still. `quiet` tells nothing
    while it goes on. What signs in with no credential of the plan file needs none to be there (`look_up`).
    """
    from kmigrate.cli.draw import JsonReporter, TerminalReporter
    from kmigrate.planfile import load
    from kmigrate.story import as_begun, story
    from kmigrate.wiring import open_journal, open_world
    from kmigrate.world import Reporter

    with gate.naming(file, DEFAULT_PLAN):
        migration = load(file, look_up=look_up)
    reporter = Reporter() if quiet else JsonReporter() if as_json else TerminalReporter()
    world = open_world(migration, reporter)
    try:
        with (
            gate.naming(file, DEFAULT_PLAN),
            open_journal(migration, world, read_only=read_only, take_over=take_over) as journal,
            gate.loudly(journal),
        ):
            timed = _timed(world.bound(journal.past()), journal, most_ms)
            begun = as_begun(migration, journal)
            read_anew = partial(open_journal, migration, world, read_only=True)
            with _telling_rights(timed, begun):
                yield Session(migration=begun, plan=story(begun), journal=journal, world=timed, read_anew=read_anew)
    finally:
        if isinstance(reporter, TerminalReporter):
            reporter.close()
        world.close()


def _timed(world: LiveWorld, journal: Journal, most_ms: int) -> LiveWorld:
    if not most_ms:
        return world
    clock, end = world.clock, world.clock.monotonic_ms() + most_ms
    hold = lambda: bool(gate.standing_still(journal))  # noqa: E731
    return replace(world, clock=gate.TimedClock(clock=clock, end=end, hold=hold))


@contextmanager
def _telling_rights(world: World, migration: Migration) -> Iterator[None]:
    """What is raised here says which rights are missing, if any are."""
    from kmigrate.cli.granting import telling

    try:
        yield
    except KmigrateError as error:
        telling(error, world, migration)
        raise


def bind(s: Session, *, read_only: bool, without_target: bool = False) -> None:
    """Hold the journal to the clusters' own ids; a command that only looks goes on where a cluster does not answer.

    `without_target`: what only undoes goes on where the target does not.
    """
    from kmigrate import wiring

    try:
        wiring.bind(s.journal, s.world, read_only=read_only, without_target=without_target)
    except (PlatformError, Blocked):
        if not read_only:
            raise
