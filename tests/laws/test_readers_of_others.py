"""While a writer is moved, taken back or undone, who reads what it writes and moves by itself notices nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from law_watch import Watch
from laws import BEFORE, Walk
from memory_estate import Estate
from writers_move import PLAN, die_after, may_stay

from kmigrate.model import Side

READER = "fraud"
SIDES = pytest.mark.parametrize("side", list(Side))


@dataclass(slots=True)
class Reader(Watch):
    """The watch of the laws, which looks at the reader at every instant: that it stays, and never goes back."""

    side: Side | None = None
    touched: list[str] = field(default_factory=list)
    _read: int = 0

    def instant(self) -> None:
        if self.side is not None:
            self._look(self.side)
        Watch.instant(self)

    def write(self, what: str, *, differs: bool) -> None:
        if self.side is not None and what.endswith(f" of {READER}"):
            self.touched.append(what)
        Watch.write(self, what, differs=differs)

    def _look(self, side: Side) -> None:
        groups, workload = self.estate.groups[side], self.estate.workloads[READER]
        read = sum(map(len, workload.processed.values()))
        if not (groups.members.get(READER) and workload.running and workload.side is side):
            self.touched.append("it does not run where it was")
        if read < self._read:
            self.touched.append("it has read less than before")
        if any(READER in str(denial) for denial in self.estate.clusters[side].acls.denied()):
            self.touched.append("it is denied")
        self._read = read


def at(side: Side) -> tuple[Walk, Reader]:
    """Before the writer's first move, with its reader on that side."""
    estate = Estate(may_stay(PLAN), adopted=False)
    watch = Reader(estate)
    estate.death.watcher = watch
    walk = Walk(estate)
    for command in (*BEFORE, *((f"cutover {READER}",) if side is Side.TARGET else ())):
        walk.type(command)
    watch.side = side
    return walk, watch


def went_on(walk: Walk, watch: Reader) -> None:
    """Nothing of it was touched, it read on throughout, and every record once and in order."""
    before = sum(map(len, walk.estate.workloads[READER].processed.values()))
    walk.estate.turns(30)
    assert sum(map(len, walk.estate.workloads[READER].processed.values())) > before
    assert watch.touched == []
    assert watch.unruly == []
    walk.exact()


@SIDES
def test_a_move_there_and_back_and_there_again(side: Side) -> None:
    walk, watch = at(side)
    for command in ("cutover checkout", "rollback checkout", "cutover checkout"):
        walk.type(command)
        went_on(walk, watch)


@SIDES
@pytest.mark.parametrize("step", ["fence-clients", "drain-mirror", "carry-positions", "hand-over-topics"])
def test_an_attempt_that_is_undone(side: Side, step: str) -> None:
    walk, watch = at(side)
    die_after(walk, step)
    walk.type("rollback checkout")
    went_on(walk, watch)


@SIDES
@pytest.mark.parametrize("step", ["hand-over-topics", "start-workloads", "turn-mirror"])
def test_a_way_back_that_is_cut_short_and_gone_on_with(side: Side, step: str) -> None:
    walk, watch = at(side)
    walk.type("cutover checkout")
    die_after(walk, step, "rollback checkout")
    walk.type("rollback checkout")
    went_on(walk, watch)
