"""A program that is not there is told before an application is stopped, not while it stands still."""

from __future__ import annotations

import pytest
from memory_world import Estate, MemoryApplication, MemoryWorld
from walking import APP, crossing, journal_of, plan_of

from kmigrate.cli.views import upcoming
from kmigrate.engine import forward, preview, run_unit
from kmigrate.errors import Blocked
from kmigrate.world import Ledger, WorkloadView

GONE = "the start program of ml-features is not there or may not be run: /opt/start"


class Halved(MemoryApplication):
    """It can be stopped, and not started."""

    def look(self) -> WorkloadView:
        seen = MemoryApplication.look(self)
        return WorkloadView(running=seen.running, bootstrap=seen.bootstrap, missing=(GONE,))


class World(MemoryWorld):
    """With such an application; stays what it is when bound."""

    def bound(self, ledger: Ledger) -> World:
        return World(self.estate, ledger, self.reporter)

    def workload(self, application: str) -> MemoryApplication:
        kept = self.estate.app
        return Halved(kept.death, kept.side, kept.running)


def test_a_move_does_not_begin_and_plan_names_the_program_at_its_unit() -> None:
    estate = Estate()
    lines = crossing(estate)
    journal, world = journal_of(estate, lines), World(estate)
    unit = forward(plan_of(), journal, APP)
    assert unit is not None
    with pytest.raises(Blocked, match="/opt/start") as told:
        run_unit(unit, world, journal)
    assert "workloads of ml-features" in told.value.hint
    assert estate.app.running
    assert not any(fence.rules for fence in estate.fences.values())
    (cutover,) = (each for each in upcoming(plan_of(), journal) if each.name.startswith("cutover/"))
    assert preview(cutover, world, journal)[0].blocked == GONE
