"""A program that is not there is told before an application is stopped, not while it stands still."""

from __future__ import annotations

import pytest
from memory_estate import Estate, migration
from walking import APP, crossing, journal_of, plan_of

from kmigrate.adapters.memory import MemoryWorkload, MemoryWorld
from kmigrate.cli.views import upcoming
from kmigrate.engine import forward, preview, run_unit
from kmigrate.errors import Blocked
from kmigrate.model import Side
from kmigrate.steps.cutover.fences import denials
from kmigrate.world import Workload, WorkloadView

GONE = "the start program of ml-features is not there or may not be run: /opt/start"


class Halved(MemoryWorkload):
    """It can be stopped, and not started."""

    def look(self) -> WorkloadView:
        seen = MemoryWorkload.look(self)
        return WorkloadView(running=seen.running, bootstrap=seen.bootstrap, missing=(GONE,))


class World(MemoryWorld):
    """With such an application."""

    def workload(self, *applications: str) -> Workload:
        kept = self.estate.workloads[applications[0]]
        return Halved(kept.app, kept.addresses, kept.clusters, kept.groups, kept.clock, kept.death)


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
    for side in Side:
        assert not estate.fences[side].standing(denials(side, migration().applications[0]))
    (cutover,) = (each for each in upcoming(plan_of(), journal) if each.name.startswith("cutover/"))
    assert preview(cutover, world, journal)[0].blocked == GONE
