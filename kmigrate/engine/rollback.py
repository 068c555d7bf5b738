"""Back: look at the whole way first, then undo in reverse order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from kmigrate.errors import Blocked, Interrupted, KmigrateError, NoWayBack, Overrun, TurnBack, WentBack
from kmigrate.journal import Event, Journal, UnitRecord
from kmigrate.model import Direction
from kmigrate.plan import HELD, LASTING, Step, Unit
from kmigrate.world import World


@contextmanager
def naming(unit: Unit, step: Step) -> Iterator[None]:
    """What is raised here says which step of which unit it was."""
    try:
        yield
    except KmigrateError as error:
        error.where = error.where or f"{unit.name}, {step.name}"
        raise


def way_back(unit: Unit, journal: Journal) -> tuple[Step, ...]:
    """The steps to undo, newest first; raises NoWayBack, before anything is touched, if one of them is one-way."""
    record = journal.unit(unit.name)
    if record is None:
        return ()
    steps = tuple(step for step in reversed(unit.steps) if record.started(step.name))
    for step in steps:
        if step.one_way:
            told = f"{unit.name}: {step.name} cannot be undone: {step.one_way}"
            raise NoWayBack(told, hint=f"go on: {_again(record)}")
    return steps


def _again(unit: UnitRecord) -> str:
    """The command that goes on with it."""
    if unit.name.startswith(f"{Direction.ROLLBACK}/"):
        return f"kmigrate rollback --app {unit.move}"
    return f"kmigrate apply --phase {re.split('[/#]', unit.name)[0]}" + (f" --app {unit.move}" if unit.moves else "")


def undo_unit(unit: Unit, world: World, journal: Journal) -> None:
    """Undo every step that may have changed something, newest first, and write down that the unit went back."""
    record = journal.unit(unit.name)
    world = world.bound(journal.ledger(unit.name, unit.fingerprint))
    for step in way_back(unit, journal):
        assert record is not None
        journal.record(unit.name, unit.fingerprint, Event.UNDOING, step.name)
        with naming(unit, step):
            step.undo(world, record.steps[step.name].before)
        journal.record(unit.name, unit.fingerprint, Event.UNDONE, step.name)
        world.reporter.step_undone(unit.name, step.name)
    lasting = {name: fact for name in LASTING if (fact := world.ledger.get(name)) is not None}
    journal.record(unit.name, unit.fingerprint, Event.WENT_BACK, data=lasting or None)


def turn_back(unit: Unit, world: World, journal: Journal, cause: TurnBack) -> NoReturn:
    """Undo a unit that must not go on, and raise WentBack.

    Raises Blocked instead where the way back is no longer undo, or where undoing failed: then the unit stands where it
    is, and a human goes on or back. For an Overrun it holds once: whoever runs it again has decided to go on.
    """
    record = journal.unit(unit.name)
    if record is not None and unit.point_of_no_undo and record.started(unit.point_of_no_undo):
        if isinstance(cause, Overrun):
            world.ledger.put(HELD, world.clock.now_ms())
        told = f"{cause.message}; it holds, {unit.point_of_no_undo} was begun"
        raise _where(cause, Blocked(told, hint=cause.held or cause.hint)) from cause
    world.reporter.note(f"{cause.message}: going back")
    try:
        undo_unit(unit, world, journal)
    except Interrupted:
        raise
    except KmigrateError as error:
        told = f"{cause.message}; and going back failed, so {unit.name} stands halfway: {error.message}"
        hint = error.hint or "mend what it names, then run `kmigrate rollback`: it goes on where it stopped"
        raise _where(error, Blocked(told, hint=hint)) from error
    raise _where(cause, WentBack(f"{cause.message}; all of {unit.name} is undone", hint=cause.hint)) from cause


def _where(first: KmigrateError, told: KmigrateError) -> KmigrateError:
    """The same place."""
    told.where = first.where
    return told
