"""An operator over a world in memory: commands are chosen, looked at and run as the command line does it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from law_watch import estate_of
from laws import BEFORE
from memory_estate import Estate

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli import whole_way
from kmigrate.cli.migrate import approve, unit_to_apply
from kmigrate.cli.rollback import go, ways_back
from kmigrate.cli.session import Session
from kmigrate.cli.verify import Looked, Wrong, look_again
from kmigrate.engine import run_unit
from kmigrate.journal import Journal
from kmigrate.model import Migration, Side, Topic
from kmigrate.planfile.load import load
from kmigrate.story import as_begun, story

PLANS = Path(__file__).parents[2] / "plans"
AUDIT = Topic(name="audit", partitions=2)
"""A topic that somebody makes on the source while the migration is under way."""


@dataclass
class Desk:
    """The plan file as it is now, and the world it is about."""

    migration: Migration
    estate: Estate

    @classmethod
    def at(cls, plan: Path = PLANS / "mirror-back.yaml") -> Desk:
        """A desk at which every phase before the moves is done."""
        migration = load(plan)
        desk = cls(migration, estate_of(migration))
        desk.apply_all()
        return desk

    def session(self) -> Session:
        journal = Journal(self.estate.lines, self.estate.clock, "law", self.migration.name)
        begun = as_begun(self.migration, journal)
        world = MemoryWorld(self.estate).bound(journal.past())
        return Session(
            migration=begun,
            plan=story(begun),
            journal=journal,
            world=world,
            read_anew=lambda: nullcontext(journal),
        )

    def apply(self, phase: str, app: str = "") -> str:
        """The name of the unit that was run; empty where all of it was done."""
        s = self.session()
        unit = unit_to_apply(s, phase, app)
        if unit is None:
            return ""
        approve(s, unit)
        run_unit(unit, s.world, s.journal)
        self.estate.turns(4)
        return unit.name

    def apply_all(self) -> list[str]:
        return [self.apply(phase) for phase in BEFORE]

    def rollback(self, app: str = "", *, to: str = "") -> list[str]:
        """The names of the units that were undone or run."""
        s = self.session()
        ways = ways_back(s, app, to)
        whole_way.look(s, ways, to)
        go(s, ways)
        self.estate.turns(4)
        return [way.unit.name for way in ways]

    def look(self) -> tuple[Looked, ...]:
        """What `verify` sees."""
        s = self.session()
        return look_again(s.plan, s.journal, s.world)

    def wrong(self) -> list[Wrong]:
        return [wrong for seen in self.look() for wrong in seen.wrong]

    def add_audit(self, folder: Path, *, read_by_fraud: bool = False) -> None:
        """The topic comes, and the plan file is edited."""
        self.estate.clusters[Side.SOURCE].create(AUDIT)
        text = (PLANS / "mirror-back.yaml").read_text()
        edited = text.replace("include: [orders, payments]", "include: [orders, payments, audit]")
        if read_by_fraud:
            reads = "reads: [{topics: [orders, payments], group: fraud}]"
            assert reads in text
            edited = edited.replace(reads, reads.replace("payments]", "payments, audit]"))
        else:
            edited += "accept: [{id: KM-TOPIC-UNUSED, subject: audit, reason: nobody reads it}]\n"
        assert edited != text
        plan = folder / "kmigrate.yaml"
        plan.write_text(edited)
        self.migration = load(plan)
        self.estate.migration = self.migration
