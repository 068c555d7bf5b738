"""Which attempt of a move comes next, by what the journal says of the ones before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kmigrate.errors import Blocked, NoWayBack
from kmigrate.journal import Event, Journal, UnitRecord
from kmigrate.model import Direction, Side
from kmigrate.plan import KEEPS, Plan, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A unit whose part of the plan file has changed since; `refused` says what to type where that cannot be."""

    unit: str
    text: str
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """How to go back: undo the unit (nothing has worked on the other side yet), or run it as a move of its own."""

    unit: Unit
    undo: bool


def forward(plan: Plan, journal: Journal, application: str) -> Unit | None:
    """The attempt that takes the application to the target, with all that move with it; None when it is there.

    An open attempt goes on. Raises Blocked while a way back is half done, and where the plan file now says something
    else of the application than it was moved with.
    """
    move = move_of(plan, journal, application)
    _refuse(contradiction(plan, journal, move))
    last = _last(journal, move)
    if last is not None and last.open:
        if _is(last, Direction.ROLLBACK):
            raise Blocked(
                f"{last.name} is half done, so {application} cannot set out again",
                hint=f"finish it first: kmigrate rollback --app {application}",
            )
        _refuse_alone(plan, last)
        return plan.unit(move, Direction.CUTOVER, _number(last))
    if where(journal, move) is Side.TARGET:
        return None
    return plan.unit(move, Direction.CUTOVER, _next(journal, move, Direction.CUTOVER))


def _refuse_alone(plan: Plan, begun: UnitRecord) -> None:
    now = sorted({plan.move_of(name) for name in begun.moves} & set(plan.moves))
    if now and now != [begun.move]:
        raise Blocked(
            f"{begun.name} is half done, and the plan file as it is now moves {' and '.join(now)}",
            hint=f"put the plan file back as it was, or kmigrate rollback --app {begun.move}",
        )


def move_of(plan: Plan, journal: Journal, application: str) -> str:
    """The move that takes the application along: as it was begun or made, else as the plan has it."""
    last = _last(journal, application)
    if last is not None and (last.open or where(journal, application) is Side.TARGET):
        return last.move
    return plan.move_of(application)


def back(plan: Plan, journal: Journal, application: str) -> WayBack | None:
    """How the application goes back to the source; None when it is there and nothing is half done.

    Raises Blocked where the plan file now says something else of the application than it was moved with, NoWayBack
    once a phase has begun a step that cannot be undone, or where the plan file does not know the application any more.
    """
    move = move_of(plan, journal, application)
    _refuse(contradiction(plan, journal, move))
    try:
        return _back(plan, journal, move)
    except KeyError as error:
        raise NoWayBack(
            f"{application} is not in the plan file any more, and it has to come back",
            hint="put it into the plan file again as it was",
        ) from error


def _back(plan: Plan, journal: Journal, application: str) -> WayBack | None:
    last = _last(journal, application)
    if last is None or (not last.open and where(journal, application) is Side.SOURCE):
        return None
    _refuse_behind_a_closed_door(plan, journal, last)
    if last.open and _is(last, Direction.ROLLBACK):
        return WayBack(unit=plan.unit(application, Direction.ROLLBACK, _number(last)), undo=False)
    if last.open:
        unit = plan.unit(application, Direction.CUTOVER, _number(last))
        if not last.started(unit.point_of_no_undo):
            return WayBack(unit=unit, undo=True)
    return WayBack(
        unit=plan.unit(application, Direction.ROLLBACK, _next(journal, application, Direction.ROLLBACK)), undo=False
    )


def half_done(journal: Journal) -> UnitRecord | None:
    """The attempt of a move that was begun and is neither sealed nor undone; None where nobody is on the way."""
    newest = (_last(journal, name) for name in moved(journal))
    return next((each for each in newest if each is not None and each.open), None)


def refuse_one_way(unit: Unit, journal: Journal) -> None:
    """Raise Blocked for a phase with a step that cannot be undone, while a move is half done in either direction.

    Its way on may be back, and that one leads through the door.
    """
    if any(step.one_way for step in unit.steps):
        _refuse_beside_a_move(unit, journal, f"after {unit.name} there is no way back")


def refuse_changes(unit: Unit, journal: Journal) -> None:
    """Raise Blocked for a phase that changes anything, while a move is half done: it may have turned that very thing.

    Lanes, rights and fences are the move's own until it is over.
    """
    if not all(step.looks_only for step in unit.steps):
        _refuse_beside_a_move(unit, journal, f"{unit.name} may change what it relies on")


def _refuse_beside_a_move(unit: Unit, journal: Journal, why: str) -> None:
    move = None if "/" in unit.name else half_done(journal)
    if move is not None:
        verb = "rollback" if _is(move, Direction.ROLLBACK) else "apply --phase cutover"
        raise Blocked(
            f"{move.name} is half done, and {why}", hint=f"finish it first: kmigrate {verb} --app {move.move}"
        )


def _refuse_behind_a_closed_door(plan: Plan, journal: Journal, last: UnitRecord) -> None:
    """Raise NoWayBack when, since the last attempt set out, a phase has begun a step that cannot be undone."""
    set_out = min(entry.number for entry in journal.entries if entry.unit == last.name)
    closed = door_closed(plan, journal, since=set_out)
    if closed:
        raise NoWayBack(f"there is no way back any more: {closed}", hint=_way_on(last))


def door_closed(plan: Plan, journal: Journal, *, since: int = 0, phases: Collection[str] | None = None) -> str:
    """Which step that cannot be undone one of the phases has begun since that line, and what it means; empty if none.

    Without `phases` it is any.
    """
    chosen = [p for p in plan.phases if phases is None or p.name in phases]
    steps = {(p.name, step.name): step for p in chosen if p.unit is not None for step in p.unit.steps}
    for entry in journal.entries[since:]:
        step = steps.get((entry.unit.partition("#")[0], entry.step))
        if entry.event is Event.STARTED and step is not None and step.one_way:
            return f"{step.name} of {entry.unit} was begun, and {step.one_way}"
    return ""


def contradiction(plan: Plan, journal: Journal, application: str) -> Edit | None:
    """What the plan file now says against a move that was made or is half done; None when it says the same."""
    last = _last(journal, application)
    kept = last.facts.get(KEEPS) if last is not None else None
    if last is None or kept is None or not (last.open or where(journal, application) is Side.TARGET):
        return None
    now = _keeps(plan, application)
    if now == kept:
        return None
    moves = last.move
    told = now or "nothing of it"
    text = f"{last.name} moves {moves} with {kept}; the plan file now says {_of(moves, application)}{told}"
    back = f"put the plan file back as it was; edit it after kmigrate rollback --app {application}"
    return Edit(unit=last.name, text=text, refused=back)


def _of(moved: str, application: str) -> str:
    return "" if moved == application else f"of {application} "


def _keeps(plan: Plan, application: str) -> str:
    try:
        return plan.unit(application, Direction.CUTOVER, 1).keeps
    except KeyError:
        return ""


def _refuse(edit: Edit | None) -> None:
    if edit is not None:
        raise Blocked(edit.text, hint=edit.refused)


def _way_on(last: UnitRecord) -> str:
    if last.open and _is(last, Direction.CUTOVER):
        return f"go on instead: kmigrate apply --phase cutover --app {last.move}"
    return "kmigrate status shows where each application is"


def moved(journal: Journal) -> tuple[str, ...]:
    """Every move that was ever begun, by the journal, in the order of their first attempts."""
    return tuple(dict.fromkeys(unit.move for unit in journal.units.values() if unit.moves))


def where(journal: Journal, application: str) -> Side:
    """The side the application was on before the open attempt, or is on after the last finished one."""
    side = Side.SOURCE
    for unit in journal.attempts(application):
        if unit.sealed:
            side = direction_of(unit).leaves.other
    return side


def direction_of(unit: UnitRecord) -> Direction:
    """Which way an attempt of a move goes."""
    return Direction(unit.name.partition("/")[0])


def _is(unit: UnitRecord, direction: Direction) -> bool:
    return direction_of(unit) is direction


def _last(journal: Journal, application: str) -> UnitRecord | None:
    """The attempt that says where the application stands."""
    standing = journal.standing(application)
    return standing[-1] if standing else None


def _number(unit: UnitRecord) -> int:
    return int(unit.name.rpartition("#")[2])


def _next(journal: Journal, application: str, direction: Direction) -> int:
    """The number of an attempt of its own; one that was approved only, and not begun, is the same attempt still."""
    return sum(_is(unit, direction) for unit in journal.begun(application)) + 1
