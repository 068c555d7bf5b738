"""Which attempt of a move has the claims that stand, and why the others' are not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmigrate.journal import Journal, UnitRecord
    from kmigrate.plan import Plan


def newest(journal: Journal, move: str) -> UnitRecord:
    """The newest attempt that changed what others claim, and did not put all of it back; else the newest of all."""
    changed = (each for each in reversed(journal.begun(move)) if _left(each) or not each.went_back)
    return next(changed, journal.attempts(move)[-1])


def overtaken(journal: Journal) -> dict[str, str]:
    """Sealed attempts after which another one moved one of their applications, and those that came to nothing since.

    With the reason why they are not looked at.
    """
    after: dict[str, list[str]] = {}
    nothing: dict[str, str] = {}
    for unit in (unit for unit in journal.units.values() if unit.moves):
        last = newest(journal, unit.move)
        if unit.sealed and last is not unit:
            after.setdefault(last.name, []).append(unit.name)
        elif last is not unit is journal.attempts(unit.move)[-1]:
            nothing[unit.name] = unsealed(unit)
    return {", ".join(names): f"{last} came after it" for last, names in after.items()} | nothing


def unsealed(unit: UnitRecord) -> str:
    """Why an attempt that is not sealed is not looked at."""
    if unit.went_back:
        return "it was taken back" + ", but for positions that stay on the target" * _left(unit)
    return "it is not done yet" if unit.steps else "nothing of it was begun"


def moved_otherwise(plan: Plan, unit: UnitRecord) -> str:
    """What the plan file now moves otherwise than this attempt did, so that its claims are about something else."""
    from kmigrate.model import Direction
    from kmigrate.plan import KEEPS

    kept, now = unit.facts.get(KEEPS), plan.unit(unit.move, Direction.CUTOVER, 1).keeps
    return "" if kept in (None, now) else f"it was moved with {kept}; the plan file now says {now}"


def _left(unit: UnitRecord) -> bool:
    """Whether taking it back left positions on a target that did not answer."""
    from kmigrate.plan import LEFT

    return bool(unit.facts.get(LEFT))
