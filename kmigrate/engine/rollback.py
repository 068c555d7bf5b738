"""Back: look at the whole way first, then undo in reverse order."""

from __future__ import annotations

from kmigrate.errors import NoWayBack
from kmigrate.journal import Event, Journal
from kmigrate.plan import Step, Unit
from kmigrate.world import World


def way_back(unit: Unit, journal: Journal) -> tuple[Step, ...]:
    """The steps to undo, newest first; raises NoWayBack, before anything is touched, if one of them is one-way."""
    record = journal.unit(unit.name)
    if record is None:
        return ()
    steps = tuple(step for step in reversed(unit.steps) if record.started(step.name))
    for step in steps:
        if step.one_way:
            raise NoWayBack(f"{unit.name}: {step.name} cannot be undone: {step.one_way}", hint="go on with `apply`")
    return steps


def undo_unit(unit: Unit, world: World, journal: Journal) -> None:
    """Undo every step that may have changed something, newest first, and write down that the unit went back."""
    record = journal.unit(unit.name)
    world = world.bound(journal.ledger(unit.name, unit.fingerprint))
    for step in way_back(unit, journal):
        assert record is not None
        journal.record(unit.name, unit.fingerprint, Event.UNDOING, step.name)
        step.undo(world, record.steps[step.name].before)
        journal.record(unit.name, unit.fingerprint, Event.UNDONE, step.name)
        world.reporter.step_undone(unit.name, step.name)
    journal.record(unit.name, unit.fingerprint, Event.WENT_BACK)
