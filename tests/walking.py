"""Types the commands of a walk in memory, as an operator would, also after a death."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from memory_estate import GROUP, TOPIC, Estate, migration

from kmigrate.adapters.memory import Died, MemoryLines, MemoryWorld, Watcher
from kmigrate.engine import back, forward, run_unit, undo_unit, where
from kmigrate.journal import Journal
from kmigrate.model import Migration, Partition, Side
from kmigrate.plan import Plan
from kmigrate.story import story

APP = "ml-features"
COMMANDS = ("provision", "replicate", "cutover", "rollback", "cutover")
FIRST = Partition(TOPIC, 0)
PLAN = story(migration())


def command(name: str, estate: Estate, lines: MemoryLines) -> None:
    """What the command line does: read the journal anew, find the unit, run it."""
    plan, world = plan_of(), MemoryWorld(estate)
    journal = Journal(lines, estate.clock, "test", "shop")
    if name == "cutover":
        unit = forward(plan, journal, APP)
        if unit is not None:
            run_unit(unit, world, journal)
    elif name == "rollback":
        way = back(plan, journal, APP)
        if way is not None:
            (undo_unit if way.undo else run_unit)(way.unit, world, journal)
    else:
        unit = plan.phase(name).unit
        assert unit is not None
        run_unit(unit, world, journal)


def walk(estate: Estate, lines: MemoryLines, commands: tuple[str, ...] = COMMANDS) -> None:
    """Type one command after the other."""
    for name in commands:
        command(name, estate, lines)
        estate.turns(5)


def assert_exact(estate: Estate, lines: MemoryLines, side: Side) -> None:
    """Every record written was processed once, in order, and the application is where the journal says."""
    journal = Journal(lines, estate.clock, "test", "shop")
    assert where(journal, APP) is side
    assert estate.app.side is side
    assert estate.app.running
    estate.settle()
    for partition, count in estate.written.items():
        assert estate.app.processed[GROUP, partition] == list(range(count))


@dataclass(slots=True)
class OnceStopping(Watcher):
    """Does something once, right before the first application is stopped: `ready` has looked by then."""

    do: Callable[[], None]
    done: bool = False

    def write(self, what: str, *, differs: bool) -> None:
        if what.startswith("stop of") and not self.done:
            self.done = True
            self.do()


def calm() -> tuple[Estate, MemoryLines]:
    estate = Estate()
    lines = MemoryLines(estate.death)
    walk(estate, lines)
    return estate, lines


def crossing(estate: Estate) -> MemoryLines:
    lines = MemoryLines(estate.death)
    walk(estate, lines, ("provision", "replicate"))
    return lines


def plan_of(changed: Migration | None = None) -> Plan:
    """The plan of the walk, or of an edited plan file."""
    return story(changed) if changed else PLAN


def journal_of(estate: Estate, lines: MemoryLines) -> Journal:
    return Journal(lines, estate.clock, "test", "shop")


def run_until(estate: Estate, lines: MemoryLines, sign: str, verb: str = "cutover") -> None:
    """Cut over, or roll back, and die right after the journal line that holds the sign."""

    class Watched(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if sign in line:
                raise Died

    watched = Watched(lines.death, lines.written)
    with pytest.raises(Died):
        command(verb, estate, watched)
