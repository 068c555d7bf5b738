"""apply: parse, wire, call, draw. Heavy imports happen inside the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kmigrate.cli import gate
from kmigrate.cli.session import DEFAULT_PLAN, AsJson, PlanFile, Session, bind, session
from kmigrate.errors import Blocked, UsageError

if TYPE_CHECKING:
    from kmigrate.plan import Unit

Yes = Annotated[bool, typer.Option("--yes", help="Answer the question of the gate with yes; no check is skipped.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Claim the migration also from another kmigrate, known to be dead.")
]
App = Annotated[str, typer.Option("--app", help="The application to move.")]
_NOT_NEEDED = {"decommission": ("rehearse",)}
"""Phases that may be left out before another: decommission looks for itself who still uses the source."""


def apply(
    file: PlanFile = DEFAULT_PLAN,
    *,
    phase: Annotated[
        str, typer.Option("--phase", help="assess, provision, replicate, rehearse, cutover or decommission.")
    ] = "",
    app: App = "",
    wave: Annotated[int, typer.Option("--wave", help="Every move of a wave of `kmigrate plan`, one by one.")] = 0,
    yes: Yes = False,
    name: Annotated[
        str, typer.Option("--name", help="The migration's name, where --yes alone is not enough: decommission.")
    ] = "",
    timeout: Annotated[
        str, typer.Option("--timeout", help="End this call after so long (10m), not the work: exit code 11.")
    ] = "",
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Do a phase, or move one application or a wave of them; goes on where it stopped.

    --timeout never ends a call while an application stands still: maxPause of the plan file bounds that.
    """
    most_ms = gate.milliseconds(timeout)
    with session(file, as_json=as_json, read_only=False, most_ms=most_ms, take_over=take_over) as s:
        chosen = chosen_moves(s, phase, app, wave)
        for done, app in enumerate(chosen):
            with gate.telling_of_the_rest(
                chosen[:done], chosen[done + 1 :], f"the same command with --wave {wave} goes on"
            ):
                apply_one(s, phase, app, yes=yes, name=name, as_json=as_json)


def apply_one(s: Session, phase: str, app: str, *, yes: bool, name: str, as_json: bool) -> None:
    """Do what is next of a phase, or of one application; `name` is the migration's, where `yes` is not enough."""
    from kmigrate.engine import run_unit

    unit = unit_to_apply(s, phase, app)
    if unit is None:
        result(f"nothing to do: {app or phase} is done", as_json=as_json)
        return
    gate.need_answer(unit.name, yes=yes)
    if yes and _closes(unit):
        gate.need_name(unit.name, name, s.migration.name)
    bind(s, read_only=False)
    _show(s, unit, as_json=as_json)
    if not yes:
        confirm(s, unit)
    elif _closes(unit):
        s.world.reporter.note(f"--yes --name {name} answers: {unit.gate}")
    approve(s, unit)
    run_unit(unit, s.world, s.journal)
    result(f"{unit.name} is done", as_json=as_json)


def chosen_moves(s: Session, phase: str, app: str, wave: int) -> tuple[str, ...]:
    """The moves that a cutover takes: of a wave, or the one that is named; raises UsageError for what is no wave."""
    if wave and (app or phase != "cutover"):
        raise UsageError("--wave belongs to --phase cutover, and stands instead of --app", hint="leave the other out")
    return moves_of_wave(s, wave) if wave else (app,)


def moves_of_wave(s: Session, wave: int) -> tuple[str, ...]:
    """The moves of a wave, counted from 1, in their order; raises UsageError where there is nothing to move."""
    listed = ", ".join(f"{number}: {' '.join(moves)}" for number, moves in enumerate(s.plan.waves, 1) if moves)
    chosen = s.plan.waves[wave - 1] if 0 < wave <= len(s.plan.waves) else ()
    if not chosen:
        raise UsageError(f"wave {wave} has no move; there are {listed or 'none'}", hint="see kmigrate plan")
    return chosen


def unit_to_apply(s: Session, phase: str, app: str) -> Unit | None:
    """The unit that `apply` goes on with; None when all of it is done.

    Raises UsageError naming the next command, Blocked where an earlier phase is missing or an edit stands in the way.
    """
    from kmigrate.cli import views
    from kmigrate.engine import phase_unit, refuse_changes, refuse_one_way

    names = [each.name for each in s.plan.phases]
    if phase not in names:
        raise UsageError(
            f"apply needs --phase with one of: {', '.join(names)}",
            hint=f"next: {views.next_command(s.plan, s.journal)}",
        )
    if app and phase != "cutover":
        raise UsageError("--app belongs to --phase cutover: the other phases are for all", hint="leave --app out")
    unit = _move(s, app) if phase == "cutover" else phase_unit(s.plan, s.journal, phase) or _again(s, phase)
    if unit is not None:
        _in_order(s, phase, names[: names.index(phase)], app)
        refuse_one_way(unit, s.journal)
        refuse_changes(unit, s.journal)
        _refuse_edit(s, unit)
    return unit


def confirm(s: Session, unit: Unit) -> None:
    """Ask the question of the gate, and a second one where there is no way back; raises NotConfirmed.

    Whoever has several clusters is told which one it is about.
    """
    target = s.migration.target
    if target.in_kubernetes:
        s.world.reporter.note(f"the target is namespace {target.namespace} of {s.world.resources.place}")
    gate.ask(unit.name, unit.gate)
    if _closes(unit):
        gate.ask_for_name(unit.name, s.migration.name)


def _closes(unit: Unit) -> bool:
    """Whether it closes ways back for good; a move's own steps that are not undone are gone back from by a move."""
    return "/" not in unit.name and any(step.one_way for step in unit.steps)


def _move(s: Session, app: str) -> Unit | None:
    """The attempt that goes on; one that was begun before an edit of the plan file is refused by name, not unknown."""
    from kmigrate.engine import forward

    begun, known = s.journal.attempts(app), s.plan.move_of(app) in s.plan.moves
    if not (known or app in s.plan.stays or begun):
        unknown = f"there is no application {app} to move; " if app else ""
        told = f"{unknown}cutover needs --app with one of: {', '.join(s.plan.moves)}; or --wave with its number"
        raise UsageError(told, hint="see kmigrate plan")
    unit = forward(s.plan, s.journal, app) if known or begun else None
    why = s.plan.stays.get(app, "")
    if why and begun and begun[-1].open:
        told = f"{begun[-1].name} is half done, and {app} stays by the plan file as it is now: {why}"
        raise Blocked(told, hint=f"put the plan file back as it was, or kmigrate rollback --app {app}")
    if why and (unit is not None or not begun):
        raise UsageError(f"{app} stays on the source: {why}", hint="see kmigrate plan")
    return unit


def _again(s: Session, phase: str) -> Unit | None:
    """A further attempt where what the phase made is not as it was made: somebody changed it, or took it away."""
    from kmigrate.cli.verify import MADE, changed_since
    from kmigrate.engine import further_attempt, phase_over

    if (
        phase not in MADE
        or phase_over(s.plan, s.journal, phase)
        or not changed_since(s.plan, s.journal, s.world, (phase,))
    ):
        return None
    return further_attempt(s.plan, s.journal, phase)


def _in_order(s: Session, phase: str, earlier: Sequence[str], app: str) -> None:
    """A phase before that is not done, or lacks something; a move that was begun goes on whatever was added since."""
    from kmigrate.engine import refuse_lacking

    attempts = s.journal.standing(app) if app else ()
    if not (attempts and attempts[-1].open):
        refuse_lacking(s.plan, s.journal, [name for name in earlier if name not in _NOT_NEEDED.get(phase, ())])


def _refuse_edit(s: Session, unit: Unit) -> None:
    """An edit of what is half done is refused before anybody is asked; other edits are told."""
    for edit in gate.told_edits(s.plan, s.journal):
        if edit.unit == unit.name and edit.refused:
            raise Blocked(edit.text, hint=edit.refused)
        if edit.unit != unit.name:
            s.world.reporter.note(edit.text)


def _show(s: Session, unit: Unit, *, as_json: bool) -> None:
    from kmigrate.cli import views
    from kmigrate.engine import preview

    if not as_json:
        views.unit_tree(unit, preview(unit, s.world, s.journal))


def approve(s: Session, unit: Unit) -> None:
    """Write down that a human said yes; once is enough."""
    from kmigrate.journal import Event

    known = s.journal.unit(unit.name)
    if known is None or not known.approved:
        s.journal.record(unit.name, unit.fingerprint, Event.APPROVED)


def result(text: str, *, as_json: bool) -> None:
    """How a long command ended."""
    from kmigrate.cli.draw import out, say

    if as_json:
        say({"event": "result", "text": text})
    else:
        out.print(text)
