"""plan, apply, status, rollback: parse, wire, call, draw. Heavy imports happen inside the commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.errors import KmigrateError, NotConfirmed, UsageError

if TYPE_CHECKING:
    from kmigrate.engine import Preview
    from kmigrate.journal import Journal
    from kmigrate.model import Migration
    from kmigrate.plan import Plan, Unit
    from kmigrate.wiring import LiveWorld

PlanFile = Annotated[Path, typer.Option("--file", "-f", envvar="KMIGRATE_PLAN", help="The migration plan.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout; words go to stderr.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer the question of the gate with yes; no check is skipped.")]
App = Annotated[str, typer.Option("--app", help="The application to move.")]
DEFAULT_PLAN = Path("kmigrate.yaml")


@dataclass(frozen=True, kw_only=True)
class Session:
    """What every command works with."""

    migration: Migration
    plan: Plan
    journal: Journal
    world: LiveWorld


@contextmanager
def session(file: Path, *, as_json: bool, read_only: bool) -> Iterator[Session]:
    """Read the plan file, open the journal and the world; close what was opened."""
    from kmigrate.cli.draw import JsonReporter, TerminalReporter
    from kmigrate.planfile import load
    from kmigrate.story import story
    from kmigrate.wiring import open_journal, open_world

    migration = load(file)
    reporter = JsonReporter() if as_json else TerminalReporter()
    world = open_world(migration, reporter)
    try:
        with open_journal(migration, read_only=read_only) as journal:
            yield Session(migration=migration, plan=story(migration), journal=journal, world=world)
    finally:
        if isinstance(reporter, TerminalReporter):
            reporter.close()
        world.close()


def plan(file: PlanFile = DEFAULT_PLAN, *, as_json: AsJson = False) -> None:
    """Show what each unit would change, what blocks, and which applications stay. Changes nothing."""
    from kmigrate.cli import views

    with session(file, as_json=as_json, read_only=True) as s:
        units = views.upcoming(s.plan, s.journal)
        shown = [(unit, _previews(s, unit)) for unit in units]
        if as_json:
            views.plan_json(s.plan, shown)
        else:
            views.plan_table(s.migration, s.plan, shown)


def apply(
    file: PlanFile = DEFAULT_PLAN,
    *,
    phase: Annotated[str, typer.Option("--phase", help="provision, replicate or cutover.")] = "",
    app: App = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Do a phase, or move one application; goes on where it stopped."""
    from kmigrate.engine import run_unit

    with session(file, as_json=as_json, read_only=False) as s:
        unit = _unit_to_apply(s, phase, app)
        if unit is None:
            _say(f"nothing to do: {app or phase} is done", as_json=as_json)
            return
        _gate(s, unit, yes=yes, as_json=as_json)
        with _loudly(s, unit):
            run_unit(unit, s.world, s.journal)
        _say(f"{unit.name} is done", as_json=as_json)


def rollback(file: PlanFile = DEFAULT_PLAN, *, app: App = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """Take an application back: undo what has not worked yet, else a move the other way."""
    from kmigrate.engine import back, run_unit, undo_unit

    with session(file, as_json=as_json, read_only=False) as s:
        if app not in s.plan.moves:
            raise UsageError(
                f"rollback needs --app with one of: {', '.join(s.plan.moves)}",
                hint="kmigrate status shows where each is",
            )
        way = back(s.plan, s.journal, app)
        if way is None:
            _say(f"nothing to do: {app} is on the source", as_json=as_json)
            return
        _gate(s, way.unit, yes=yes, as_json=as_json, undo=way.undo)
        with _loudly(s, way.unit):
            if way.undo:
                undo_unit(way.unit, s.world, s.journal)
            else:
                run_unit(way.unit, s.world, s.journal)
        _say(f"{app} is back on the source", as_json=as_json)


def status(file: PlanFile = DEFAULT_PLAN, *, as_json: AsJson = False) -> None:
    """Show what is true: units, lag, positions with their grades, and the next command to type."""
    from kmigrate.cli import views

    with session(file, as_json=as_json, read_only=True) as s:
        seen = views.look(s.migration, s.plan, s.journal, s.world)
        if as_json:
            views.status_json(seen)
        else:
            views.status_table(seen)


def _unit_to_apply(s: Session, phase: str, app: str) -> Unit | None:
    from kmigrate.cli import views
    from kmigrate.engine import forward

    names = [each.name for each in s.plan.phases]
    if phase not in names:
        raise UsageError(
            f"apply needs --phase with one of: {', '.join(names)}",
            hint=f"next: {views.next_command(s.plan, s.journal)}",
        )
    _in_order(s, names[: names.index(phase)])
    unit = s.plan.phase(phase).unit
    if unit is not None:
        known = s.journal.unit(unit.name)
        return None if known is not None and known.sealed else unit
    if app in s.plan.stays:
        raise UsageError(f"{app} stays on the source: {s.plan.stays[app]}", hint="see kmigrate plan")
    if app not in s.plan.moves:
        raise UsageError(f"cutover needs --app with one of: {', '.join(s.plan.moves)}", hint="see kmigrate plan")
    return forward(s.plan, s.journal, app)


def _in_order(s: Session, earlier: list[str]) -> None:
    from kmigrate.errors import Blocked

    for name in earlier:
        unit = s.plan.phase(name).unit
        known = s.journal.unit(unit.name) if unit else None
        if unit is not None and (known is None or not known.sealed):
            raise Blocked(f"{name} is not done yet", hint=f"kmigrate apply --phase {name}")


def _previews(s: Session, unit: Unit) -> tuple[Preview, ...]:
    from kmigrate.engine import preview

    return preview(unit, s.world, s.journal)


def _gate(s: Session, unit: Unit, *, yes: bool, as_json: bool, undo: bool = False) -> None:
    """Show what would change and ask; `--yes` answers, and without a terminal nobody is asked."""
    from kmigrate.cli import views
    from kmigrate.engine import preview, way_back
    from kmigrate.journal import Event

    if not as_json:
        if undo:
            views.undo_list(way_back(unit, s.journal))
        else:
            views.unit_tree(unit, preview(unit, s.world, s.journal))
    if not yes:
        if not sys.stdin.isatty():
            raise NotConfirmed(f"{unit.name} waits for a yes, and there is no terminal to ask on", hint="add --yes")
        if not _confirmed(unit.gate):
            raise NotConfirmed(f"{unit.name} was not begun", hint="nothing was changed")
    known = s.journal.unit(unit.name)
    if known is None or not known.approved:
        s.journal.record(unit.name, unit.fingerprint, Event.APPROVED)


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


@contextmanager
def _loudly(s: Session, unit: Unit) -> Iterator[None]:
    """While clients are stopped, every exit says so, with both ways on."""
    from kmigrate.cli import views

    try:
        yield
    except KmigrateError as error:
        warning = views.stopped_warning(s.plan, s.journal, unit)
        hints = (error.hint or "the same command goes on where it stopped", warning)
        error.hint = "\n  ".join(hint for hint in hints if hint)
        raise
    except Exception:
        typer.echo(views.stopped_warning(s.plan, s.journal, unit), err=True)
        raise


def _say(text: str, *, as_json: bool) -> None:
    from kmigrate.cli.draw import out, say

    if as_json:
        say({"event": "result", "text": text})
    else:
        out.print(text)
