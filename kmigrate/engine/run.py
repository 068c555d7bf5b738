"""Forward: walk a unit's steps, writing down before doing. Knows what a step is and not one step by name."""

from __future__ import annotations

from kmigrate.engine.moves import refuse_one_way
from kmigrate.engine.rollback import naming, turn_back
from kmigrate.errors import Blocked, TurnBack
from kmigrate.journal import Event, Journal
from kmigrate.plan import KEEPS, Step, Unit
from kmigrate.world import World


def run_unit(unit: Unit, world: World, journal: Journal) -> None:
    """Run every step that is not satisfied and verified, then seal the unit.

    check → (satisfied and verified? skip) → STARTED with `before` → apply → APPLIED → verify → VERIFIED → … → SEALED.
    What does not last is never skipped. A unit that is sealed already is left alone. Raises whatever a step raises; the
    journal then says where it stopped.
    A step that outgrew its budget, or met a foreign writer, has the whole unit undone: WentBack. A phase that cannot be
    undone is Blocked while a move is half done.
    """
    known = journal.unit(unit.name)
    if known is not None and known.sealed:
        return
    _same_unit(unit, journal)
    refuse_one_way(unit, journal)
    world = world.bound(journal.ledger(unit.name, unit.fingerprint))
    world.reporter.unit_started(unit.name, unit.title)
    _keep(unit, world)
    try:
        for step in unit.steps:
            with naming(unit, step):
                run_step(step, unit, world, journal)
    except TurnBack as cause:
        turn_back(unit, world, journal, cause)
    journal.record(unit.name, unit.fingerprint, Event.SEALED)
    world.reporter.unit_sealed(unit.name)


def run_step(step: Step, unit: Unit, world: World, journal: Journal) -> None:
    """Check one step and, where something is missing, unproven or does not last, apply and verify it."""
    world.reporter.step_started(unit.name, step.name, step.title)
    finding = step.check(world)
    known = journal.unit(unit.name)
    record = known.steps.get(step.name) if known else None
    if step.lasts and record is not None and record.event is Event.VERIFIED and not finding.changes:
        world.reporter.step_skipped(unit.name, step.name)
        return
    journal.record(unit.name, unit.fingerprint, Event.STARTED, step.name, finding.before)
    if finding.changes:
        step.apply(world)
    journal.record(unit.name, unit.fingerprint, Event.APPLIED, step.name)
    evidence = step.verify(world)
    journal.record(unit.name, unit.fingerprint, Event.VERIFIED, step.name, evidence)
    world.reporter.step_done(unit.name, step.name, evidence)


def _keep(unit: Unit, world: World) -> None:
    """Write down what the unit relies on of the plan, so that an edit of it is seen also once the unit is sealed."""
    if unit.keeps and world.ledger.get(KEEPS) is None:
        world.ledger.put(KEEPS, unit.keeps)


def _same_unit(unit: Unit, journal: Journal) -> None:
    known = journal.unit(unit.name)
    if known is None or not known.steps or known.fingerprint == unit.fingerprint:
        return
    back = f"--app {known.move}" if known.moves else "--to with a checkpoint before it (kmigrate history shows them)"
    raise Blocked(
        f"{unit.name} was begun with another plan: what it does has changed in the plan file since",
        hint=f"put the plan file back as it was, or first kmigrate rollback {back}",
    )
