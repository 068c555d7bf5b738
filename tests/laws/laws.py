"""The laws every step of every plan keeps. They know no step by name; engine and plan are handed in, faults too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from law_watch import watch_of
from memory_estate import Estate, Picture

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.engine import back, forward, run_step, run_unit, undo_unit, where
from kmigrate.errors import Blocked
from kmigrate.journal import Event, Journal
from kmigrate.model import Migration
from kmigrate.plan import Plan, Step, Unit
from kmigrate.story import story
from kmigrate.world import World

BEFORE, AFTER = ("assess", "provision", "replicate", "rehearse"), ("decommission",)


class Broken(AssertionError):
    """A law does not hold; says which, for which step of which unit."""


@dataclass(frozen=True)
class Engine:
    """What walks a plan, and the journal it writes."""

    run: Callable[[Unit, World, Journal], None] = run_unit
    step: Callable[[Step, Unit, World, Journal], None] = run_step
    undo: Callable[[Unit, World, Journal], None] = undo_unit
    journal: type[Journal] = Journal


@dataclass
class Walk:
    """One life after the other over an estate; a copy goes its own way."""

    estate: Estate
    tell: Callable[[Migration], Plan] = story
    engine: Engine = field(default_factory=Engine)

    @cached_property
    def plan(self) -> Plan:
        return self.tell(self.estate.migration)

    def journal(self) -> Journal:
        return self.engine.journal(self.estate.lines, self.estate.clock, "law", self.estate.migration.name)

    def copy(self) -> Walk:
        walk = replace(self, estate=self.estate.copy())
        watch_of(walk.estate).at_instant = None
        return walk

    def lives(self, command: str) -> list[Walk]:
        """The world at every instant at which the process may be killed while it does the command, which it does."""
        lives: list[Walk] = []
        watch_of(self.estate).at_instant = lambda: lives.append(self.copy())
        self.type(command)
        watch_of(self.estate).at_instant = None
        return lives

    def commands(self) -> Iterator[str]:
        """Every phase, and every move there, back and there again."""
        yield from BEFORE
        for app in self.plan.moves:
            yield from (f"cutover {app}", f"rollback {app}", f"cutover {app}")
        self.estate.settle()  # the writers are gone; nobody leaves a source that is written
        yield from AFTER

    def unit(self, command: str, journal: Journal | None = None) -> tuple[Unit | None, bool]:
        """The unit a command is about now, and whether it is to be undone."""
        verb, _, app = command.partition(" ")
        if verb == "cutover":
            return forward(self.plan, journal or self.journal(), app), False
        if verb == "rollback":
            way = back(self.plan, journal or self.journal(), app)
            return (way.unit, way.undo) if way else (None, False)
        return self.plan.phase(verb).unit, False

    def type(self, command: str) -> None:
        """What the command line does: read the journal anew, find the unit, run it or undo it."""
        journal = self.journal()
        unit, undo = self.unit(command, journal)
        if unit is not None:
            (self.engine.undo if undo else self.engine.run)(unit, MemoryWorld(self.estate), journal)
        self.rest()

    def go_back(self, command: str) -> None:
        """The way back of whatever the command did: a move's own, or undo of a phase's unit."""
        verb, _, app = command.partition(" ")
        if app:
            self.type(f"rollback {app}")
            return
        unit = self.plan.phase(verb).unit
        assert unit is not None
        self.engine.undo(unit, MemoryWorld(self.estate), self.journal())
        self.rest()

    def counts(self) -> tuple[int, int, int]:
        """Instants, changes and journal lines so far."""
        return self.estate.death.seen, watch_of(self.estate).changes, len(self.estate.lines.written)

    def rest(self) -> None:
        self.estate.turns(4)

    def exact(self, journal: Journal | None = None) -> None:
        """Every record written was processed once, in order, by every group; nothing was written out of turn."""
        done = self.copy().estate
        done.settle()
        unruly = watch_of(done).unruly
        ask(not unruly, "nothing is written out of turn", "; ".join(unruly))
        told = journal or self.journal()
        for app in self.estate.migration.applications:
            where_it_is = where(told, app.name)
            ask(done.workloads[app.name].side is where_it_is, "it is where the journal says", app.name)
            for reads in app.reads if done.workloads[app.name].running else ():
                for partition, count in done.written.items():
                    if partition.topic in reads.topics:
                        got = done.workloads[app.name].processed.get((reads.group, partition), [])
                        ask(
                            got == list(range(count)),
                            "every record exactly once, in order",
                            f"{reads.group} {partition}",
                        )


def ask(holds: bool, law: str, told: str) -> None:
    if not holds:
        raise Broken(f"{law}: {told}")


def same(law: str, what: str, was: Picture, now: Picture) -> None:
    differs = [f"{name}: {was[name]} → {now[name]}" for name in was if was[name] != now[name]]
    ask(not differs, law, f"{what}: {'; '.join(differs)[:1500]}")


# ---- the laws of one step ----


def every_law(walk: Walk) -> None:
    """Walk the whole story calmly and hold every step to every law; a step never seen unsatisfied breaks one."""
    unsatisfied: set[str] = set()
    seen: dict[str, Step] = {}
    for command in walk.commands():
        unit, _ = walk.unit(command)
        assert unit is not None
        for index, step in enumerate(unit.steps):
            seen[step.name] = step
            try:
                step_laws(walk, unit, index, unsatisfied)
            except Blocked:
                if command in AFTER and walk.plan.stays:
                    del seen[step.name]  # who stays keeps the source, and the step says so
                    break
                raise
        else:
            walk.type(command)
    looks = {name for name, step in seen.items() if step.looks_only}
    ask(not looks & unsatisfied, "a step that only looks never has changes", f"{looks & unsatisfied}")
    never = seen.keys() - unsatisfied - looks
    ask(not never, "every law saw every step unsatisfied once", f"never: {sorted(never)}")
    walk.exact()


def step_laws(walk: Walk, unit: Unit, index: int, unsatisfied: set[str]) -> None:
    """All laws of one step, in the state the steps before it have left."""
    step, told = unit.steps[index], f"{unit.name}, {unit.steps[index].name}"
    journal = walk.journal()
    world = MemoryWorld(walk.estate).bound(journal.ledger(unit.name, unit.fingerprint))
    was, finding = walk.estate.picture(), look(walk, step, world, told)
    unsatisfied |= {step.name} if finding else set()
    walk.engine.step(step, unit, world, journal)
    later_claims(walk, unit, index, world)
    if step.looks_only:
        same("a step that only looks changes nothing", told, was, walk.estate.picture())
    twice_is_once(walk, unit, step, told)
    undo_restores(walk, unit, step, told, was)
    looks_again(walk, unit, step, told)


def look(walk: Walk, step: Step, world: World, told: str) -> bool:
    """Check, and see that nothing in the world and no line was written by it."""
    was, count = walk.estate.picture(), walk.counts()
    finding = step.check(world)
    ask(walk.counts() == count, "check changes nothing", told)
    same("check changes nothing", told, was, walk.estate.picture())
    return bool(finding.changes)


def later_claims(walk: Walk, unit: Unit, index: int, world: World) -> None:
    """What a step of the unit claimed still holds, this one's claim included."""
    for step in unit.steps[: index + 1]:
        missing = step.check(world).changes
        law = "apply satisfies check" if step is unit.steps[index] else "later steps keep a claim"
        ask(not missing, law, f"{unit.name}, {step.name} after {unit.steps[index].name}: {missing}")


def bound(walk: Walk, unit: Unit, event: Event, step: Step) -> World:
    """The world for a step applied by hand, after the line that allows it."""
    journal = walk.journal()
    journal.record(unit.name, unit.fingerprint, event, step.name)
    return MemoryWorld(walk.estate).bound(journal.ledger(unit.name, unit.fingerprint))


def twice_is_once(walk: Walk, unit: Unit, step: Step, told: str) -> None:
    again = walk.copy()
    was, changes = again.estate.picture(), watch_of(again.estate).changes
    step.apply(bound(again, unit, Event.STARTED, step))
    ask(watch_of(again.estate).changes == changes, "applied twice equals once", told)
    same("applied twice equals once", told, was, again.estate.picture())


def undo_restores(walk: Walk, unit: Unit, step: Step, told: str, was: Picture) -> None:
    if step.one_way:
        return
    undone = walk.copy()
    known = undone.journal().unit(unit.name)
    assert known is not None
    step.undo(bound(undone, unit, Event.UNDOING, step), known.steps[step.name].before)
    undone.rest()
    same("undo restores what was", told, was, undone.estate.picture())


def looks_again(walk: Walk, unit: Unit, step: Step, told: str) -> None:
    """Somebody else takes a verified step back; the engine that runs again must see it, whatever the journal says."""
    if step.one_way or step is unit.steps[-1]:
        return
    other = walk.copy()
    was = other.estate.picture()
    known = other.journal().unit(unit.name)
    assert known is not None
    lines = list(other.estate.lines.written)
    step.undo(bound(other, unit, Event.UNDOING, step), known.steps[step.name].before)
    other.estate.lines.written[:] = lines  # nobody else takes facts of ours back
    other.rest()
    meanwhile = other.estate.picture()
    journal = other.journal()
    world = MemoryWorld(other.estate).bound(journal.ledger(unit.name, unit.fingerprint))
    other.engine.step(step, unit, world, journal)
    now = other.estate.picture()
    if meanwhile["workloads"] != was["workloads"]:  # who was started again has read on
        was, now = ({name: part for name, part in each.items() if name != "groups"} for each in (was, now))
    same("the journal is not trusted without looking", told, was, now)
