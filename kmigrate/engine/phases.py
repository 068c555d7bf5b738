"""Which attempt of a phase comes next, and what edits of the plan file mean for what was done already.

What a sealed phase lacks, since something was added to the plan file, is done by a further attempt (`provision#2`) with
a `before` of its own; so each can be undone by itself, the newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kmigrate.engine.checkpoints import START, checkpoints
from kmigrate.engine.moves import Edit, contradiction, door_closed, moved
from kmigrate.errors import Blocked
from kmigrate.journal import Journal, UnitRecord
from kmigrate.plan import Plan, Unit

_OVER = (
    "the migration is over: take what was added out of the plan file again; what is new belongs on the target alone, "
    "or into a migration of its own, with another metadata.name"
)


def phase_attempts(journal: Journal, phase: str) -> tuple[UnitRecord, ...]:
    """Every attempt of a phase that was not taken back, oldest first."""
    return tuple(unit for name, unit in journal.units.items() if name.partition("#")[0] == phase and not unit.went_back)


def phase_done(plan: Plan, journal: Journal, phase: str) -> bool:
    """Whether the phase is sealed; what was added to the plan file since may still be missing (see `edits`)."""
    attempts = phase_attempts(journal, phase)
    return plan.phase(phase).unit is None or (bool(attempts) and attempts[0].sealed)


def phase_over(plan: Plan, journal: Journal, phase: str) -> str:
    """Why nothing is added to this phase any more: a door has closed behind it; empty until then.

    The door itself goes on until it is sealed.
    """
    names, attempts = [each.name for each in plan.phases], phase_attempts(journal, phase)
    first = names.index(phase) + (0 if attempts and attempts[-1].sealed else 1)
    return door_closed(plan, journal, phases=names[first:])


def phase_unit(plan: Plan, journal: Journal, phase: str) -> Unit | None:
    """The unit that does what the phase lacks; None when it is sealed as the plan file has it now.

    Raises Blocked when the plan file contradicts a move that was made, and what is added once a door has
    closed: it would open again what was closed for good.
    """
    unit = plan.phase(phase).unit
    if unit is None:
        return None
    attempts = phase_attempts(journal, phase)
    if attempts and attempts[-1].sealed and attempts[-1].fingerprint == unit.fingerprint:
        return None
    closed = phase_over(plan, journal, phase)
    if closed:
        raise Blocked(f"{phase} is not done any more: {closed}", hint=_OVER)
    if not attempts:
        refuse_contradictions(plan, journal)
        return unit
    if attempts[-1].open:
        return replace(unit, name=attempts[-1].name)
    return further_attempt(plan, journal, phase)


def further_attempt(plan: Plan, journal: Journal, phase: str) -> Unit | None:
    """The unit that does again what a sealed phase lacks by now; raises Blocked as `phase_unit`."""
    unit = plan.phase(phase).unit
    refuse_contradictions(plan, journal)
    return replace(unit, name=f"{phase}#{_highest(journal, phase) + 1}") if unit is not None else None


def phase_left(plan: Plan, journal: Journal, phase: str) -> bool:
    """Whether something of the phase is left to do; what stands in its way is told by `phase_unit`, and by `edits`."""
    if phase_over(plan, journal, phase):
        return False
    try:
        return not phase_done(plan, journal, phase) or phase_unit(plan, journal, phase) is not None
    except Blocked:
        return False


def edits(plan: Plan, journal: Journal) -> tuple[Edit, ...]:
    """What was edited of units that were begun already: phases that lack something, then moves contradicted."""
    return (*_lacking(plan, journal), *_contradicted(plan, journal))


def refuse_lacking(plan: Plan, journal: Journal, phases: Sequence[str]) -> None:
    """Raise Blocked, naming the command, when a phase is not done, is half done again, or lacks what the plan file has.

    A further attempt that is half done may change what a move changes, too, and would put back what it found.
    """
    for name in phases:
        if not phase_done(plan, journal, name):
            raise Blocked(f"{name} is not done yet", hint=f"kmigrate apply --phase {name}")
    lacking = {edit.unit.partition("#")[0]: edit for edit in _lacking(plan, journal)}
    for name in phases:
        command, edit = f"kmigrate apply --phase {name}", lacking.get(name)
        if edit is not None:
            raise Blocked(edit.text, hint=edit.refused or command)
        last = phase_attempts(journal, name)[-1:]
        if any(unit.open and unit.steps for unit in last):
            raise Blocked(f"{last[0].name} is half done", hint=command)


def refuse_contradictions(plan: Plan, journal: Journal) -> None:
    """Raise Blocked when the plan file says something else of an application than it was moved with."""
    contradicted = _contradicted(plan, journal)
    if contradicted:
        raise Blocked("; ".join(edit.text for edit in contradicted), hint=contradicted[0].refused)


def _lacking(plan: Plan, journal: Journal) -> tuple[Edit, ...]:
    found = []
    for phase in plan.phases:
        attempts = phase_attempts(journal, phase.name)
        if phase.unit is None or not attempts or attempts[-1].fingerprint == phase.unit.fingerprint:
            continue
        name, command = attempts[-1].name, f"kmigrate apply --phase {phase.name}"
        closed = phase_over(plan, journal, phase.name)
        if closed:
            text = f"{name} was done with another plan file, and what was added since stays undone: {closed}"
            found.append(Edit(unit=name, text=text, refused=_OVER))
        elif attempts[-1].sealed:
            found.append(Edit(unit=name, text=f"{name} was done with another plan file; {command} adds what is new"))
        elif attempts[-1].steps:
            text = f"{name} was begun with another plan file"
            back = (
                f"put the plan file back as it was, or kmigrate rollback --to {_checkpoint_before(plan, journal, name)}"
            )
            found.append(Edit(unit=name, text=text, refused=back))
    return tuple(found)


def _checkpoint_before(plan: Plan, journal: Journal, unit: str) -> str:
    """The newest checkpoint from which the unit had not begun."""
    begun = min(entry.number for entry in journal.entries if entry.unit == unit)
    return [each for each in checkpoints(plan, journal) if each.entry < begun or each.name == START][-1].name


def _contradicted(plan: Plan, journal: Journal) -> tuple[Edit, ...]:
    found = (contradiction(plan, journal, name) for name in moved(journal))
    return tuple(edit for edit in found if edit is not None)


def _highest(journal: Journal, phase: str) -> int:
    numbers = (name.partition("#") for name in journal.units)
    return max(int(number or 1) for of, _, number in numbers if of == phase)
