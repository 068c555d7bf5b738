"""Which attempt of a move comes next, by what the journal says of the ones before."""

from __future__ import annotations

from dataclasses import dataclass

from kmigrate.errors import Blocked
from kmigrate.journal import Journal, UnitRecord
from kmigrate.model import Direction, Side
from kmigrate.plan import Plan, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """How to go back: undo the unit (nothing has worked on the other side yet), or run it as a move of its own."""

    unit: Unit
    undo: bool


def forward(plan: Plan, journal: Journal, application: str) -> Unit | None:
    """The attempt that takes the application to the target; None when it is there.

    An open attempt goes on. Raises Blocked while a way back is half done.
    """
    attempts = journal.attempts(application)
    last = attempts[-1] if attempts else None
    if last is None:
        return plan.unit(application, Direction.CUTOVER, 1)
    if _is(last, Direction.ROLLBACK) and last.open:
        raise Blocked(
            f"{last.name} is half done, so {application} cannot set out again",
            hint=f"finish it first: kmigrate rollback --app {application}",
        )
    if _is(last, Direction.CUTOVER) and last.open:
        return plan.unit(application, Direction.CUTOVER, _count(attempts, Direction.CUTOVER))
    if where(journal, application) is Side.TARGET:
        return None
    return plan.unit(application, Direction.CUTOVER, _count(attempts, Direction.CUTOVER) + 1)


def back(plan: Plan, journal: Journal, application: str) -> WayBack | None:
    """How the application goes back to the source; None when it is there and nothing is half done."""
    attempts = journal.attempts(application)
    last = attempts[-1] if attempts else None
    if last is None:
        return None
    rollbacks = _count(attempts, Direction.ROLLBACK)
    if _is(last, Direction.ROLLBACK) and last.open:
        return WayBack(unit=plan.unit(application, Direction.ROLLBACK, rollbacks), undo=False)
    if _is(last, Direction.CUTOVER) and last.open:
        unit = plan.unit(application, Direction.CUTOVER, _count(attempts, Direction.CUTOVER))
        if not last.started(unit.point_of_no_undo):
            return WayBack(unit=unit, undo=True)
    elif where(journal, application) is Side.SOURCE:
        return None
    return WayBack(unit=plan.unit(application, Direction.ROLLBACK, rollbacks + 1), undo=False)


def where(journal: Journal, application: str) -> Side:
    """The side the application was on before the open attempt, or is on after the last finished one."""
    side = Side.SOURCE
    for unit in journal.attempts(application):
        if unit.sealed:
            side = _direction(unit).leaves.other
    return side


def _direction(unit: UnitRecord) -> Direction:
    return Direction(unit.name.partition("/")[0])


def _is(unit: UnitRecord, direction: Direction) -> bool:
    return _direction(unit) is direction


def _count(attempts: tuple[UnitRecord, ...], direction: Direction) -> int:
    return sum(_is(unit, direction) for unit in attempts)
