"""Faults planted into the engine, the journal and steps: each must break the law that stands against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeAlias

import pytest
from law_deaths import deaths
from law_watch import estate_of
from laws import Broken, Engine, Walk, every_law

from kmigrate.engine import run_step, undo_unit
from kmigrate.errors import Blocked
from kmigrate.journal import Entry, Event, Journal
from kmigrate.model import Denial, JsonObject, Migration, Partition, SecretRef, Side
from kmigrate.plan import Finding, Plan, Step, Unit
from kmigrate.planfile.load import load
from kmigrate.story import story
from kmigrate.world import World

Verbs: TypeAlias = Mapping[str, object]
PLAN = Path(__file__).parents[2] / "plans" / "one-reader.yaml"


def planted(name: str, verbs: Callable[[type[Step]], Verbs]) -> Callable[[Migration], Plan]:
    """The story in which the step of that name has other verbs."""

    def put(unit: Unit) -> Unit:
        return replace(unit, steps=tuple(other(step) if step.name == name else step for step in unit.steps))

    def other(step: Step) -> Step:
        kind = type(step)
        faulty: Step = type(kind.__name__, (kind,), dict(verbs(kind)))(
            **{each.name: getattr(step, each.name) for each in fields(step)}
        )
        return faulty

    def tell(migration: Migration) -> Plan:
        plan = story(migration)
        phases = tuple(replace(phase, unit=put(phase.unit)) if phase.unit else phase for phase in plan.phases)
        return replace(plan, phases=phases, unit=lambda app, way, attempt: put(plan.unit(app, way, attempt)))

    return tell


def walk(tell: Callable[[Migration], Plan] = story, engine: Engine | None = None) -> Walk:
    return Walk(estate_of(load(PLAN)), tell, engine or Engine())


def at(command: str, engine: Engine) -> Walk:
    """The walk, calm up to that command, which the faulty engine is to do."""
    calm = walk()
    for each in calm.commands():
        if each == command:
            break
        calm.type(each)
    return Walk(calm.estate, story, engine)


# ---- the engine and the journal ----


class Overwriting(Journal):
    """Takes `before` from the newest STARTED instead of the first."""

    def _fold(self, entry: Entry) -> None:
        super()._fold(entry)
        if entry.event is Event.STARTED and isinstance(entry.data, Mapping):
            self.units[entry.unit].steps[entry.step].before = entry.data


def started_after_apply(step: Step, unit: Unit, world: World, journal: Journal) -> None:
    finding = step.check(world)
    if finding.changes:
        step.apply(world)
    journal.record(unit.name, unit.fingerprint, Event.STARTED, step.name, finding.before)
    journal.record(unit.name, unit.fingerprint, Event.APPLIED, step.name)
    journal.record(unit.name, unit.fingerprint, Event.VERIFIED, step.name, step.verify(world))


def trusting(step: Step, unit: Unit, world: World, journal: Journal) -> None:
    known = journal.unit(unit.name)
    if known is None or step.name not in known.steps or known.steps[step.name].event is not Event.VERIFIED:
        run_step(step, unit, world, journal)


def oldest_first(unit: Unit, world: World, journal: Journal) -> None:
    undo_unit(replace(unit, steps=tuple(reversed(unit.steps))), world, journal)


def test_a_before_that_is_overwritten_on_resumption_is_caught() -> None:
    with pytest.raises(Broken, match="the same end as the calm run"):
        deaths(at("provision", Engine(journal=Overwriting)), "provision", "resume-back")


def test_a_change_before_its_started_line_is_caught() -> None:
    with pytest.raises(Broken, match="not STARTED"):
        every_law(walk(engine=Engine(step=started_after_apply)))


def test_trust_in_the_journal_without_looking_is_caught() -> None:
    with pytest.raises(Broken, match="not trusted without looking"):
        every_law(walk(engine=Engine(step=trusting)))


@pytest.mark.parametrize(
    "name",
    [
        "create-users",
        "create-topics",
        "store-logins",
        "start-mirror",
        "stop-workloads",
        "fence-clients",
        "carry-positions",
        "switch-settings",
    ],
)
def test_trust_in_the_journal_for_a_single_step_is_caught(name: str) -> None:
    def step(step: Step, unit: Unit, world: World, journal: Journal) -> None:
        (trusting if step.name == name else run_step)(step, unit, world, journal)

    with pytest.raises(Broken, match=f"not trusted without looking: .*{name}"):
        every_law(walk(engine=Engine(step=step)))


def test_undo_from_the_oldest_step_on_is_caught() -> None:
    with pytest.raises(Broken, match="the newest step is undone first"):
        deaths(at("replicate", Engine(undo=oldest_first)), "replicate", "back")


# ---- steps ----


def writing_check(kind: type[Step]) -> Verbs:
    def check(self: Step, world: World) -> Finding:
        world.secrets.store("looked", "at", SecretRef(env="TIME"))
        return kind.check(self, world)

    return {"check": check}


def growing_apply(kind: type[Step]) -> Verbs:
    def apply(self: Step, world: World) -> None:
        kind.apply(self, world)
        world.secrets.store("applied", "at", SecretRef(env=f"TIME{world.clock.now_ms()}"))
        world.clock.sleep(1)

    return {"apply": apply}


def lazy_apply(kind: type[Step]) -> Verbs:
    return {"apply": lambda self, world: None, "verify": lambda self, world: None}


def lazy_undo(kind: type[Step]) -> Verbs:
    return {"undo": lambda self, world, before: None}


def never_missing(kind: type[Step]) -> Verbs:
    return {"check": lambda self, world: Finding(), **lazy_apply(kind), **lazy_undo(kind)}


def commits_while_it_reads(kind: type[Step]) -> Verbs:
    def apply(self: Step, world: World) -> None:
        with suppress(Blocked):
            world.groups(Side.SOURCE).commit({"ml-features": {Partition("shipments", 0): 0}})
        kind.apply(self, world)

    return {"apply": apply}


def earliest(kind: type[Step]) -> Verbs:
    """Carries, and then puts the group to the beginning, as a reset would."""

    def undo_nothing(self: Step, world: World, before: JsonObject) -> None:
        kind.undo(self, world, before)

    def apply(self: Step, world: World) -> None:
        kind.apply(self, world)
        world.groups(Side.TARGET).commit({"ml-features": {Partition("shipments", 0): 0}})

    return {"apply": apply, "undo": undo_nothing, "verify": lambda self, world: None}


def writes_on_the_source(kind: type[Step]) -> Verbs:
    denial = Denial(principal="User:sa-12345", resource="group", name="somebody", operation="Read")

    def apply(self: Step, world: World) -> None:
        kind.apply(self, world)
        world.fence(Side.SOURCE).deny((denial,))

    def undo(self: Step, world: World, before: JsonObject) -> None:
        world.fence(Side.SOURCE).lift((denial,))
        kind.undo(self, world, before)

    return {"apply": apply, "undo": undo}


@pytest.mark.parametrize(
    ("step", "verbs", "law"),
    [
        ("create-users", writing_check, "check changes nothing"),
        ("stop-workloads", writing_check, "check changes nothing"),
        ("store-logins", growing_apply, "applied twice equals once"),
        ("start-mirror", lazy_apply, "apply satisfies check"),
        ("fence-clients", lazy_undo, "undo restores what was"),
        ("carry-positions", lazy_undo, "undo restores what was"),
        ("store-logins", never_missing, "every law saw every step unsatisfied once"),
        ("carry-positions", earliest, "apply satisfies check"),
        ("create-topics", commits_while_it_reads, "while it is not Empty"),
        ("create-topics", writes_on_the_source, "denial on the source in provision"),
    ],
)
def test_a_faulty_step_is_caught(step: str, verbs: Callable[[type[Step]], Verbs], law: str) -> None:
    with pytest.raises(Broken, match=law):
        every_law(walk(planted(step, verbs)))
