"""Writers that have written on the target for long: the way back stands still no longer for it, and is exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from laws import Walk
from writers_move import prepared

from kmigrate.adapters.memory import MemoryCluster, MemoryWorld
from kmigrate.engine import back, run_unit, where
from kmigrate.model import Json, OffsetRange, Partition, Record, Side
from kmigrate.probes.ownership import epochs
from kmigrate.world import Reporter

SOON, HOURS_LATER = 20, 3_000


@dataclass(slots=True)
class Counting(MemoryCluster):
    """The same cluster, which counts the records that are read of it."""

    count: int = 0

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        seen = MemoryCluster.read(self, ranges, committed=committed, timed=timed)
        self.count += sum(map(len, seen.values()))
        return seen


@dataclass
class Tally(Reporter):
    """How many records were read when each step was done."""

    clusters: dict[Side, Counting]
    at: dict[str, int] = field(default_factory=dict)

    def step_done(self, unit: str, step: str, evidence: Json) -> None:
        self.at[step] = sum(cluster.count for cluster in self.clusters.values())

    @property
    def in_the_pause(self) -> int:
        return self.at["start-workloads"] - self.at["stop-workloads"]


class Counted(MemoryWorld):
    """A world whose reads are counted by its reporter."""

    def cluster(self, side: Side) -> MemoryCluster:
        assert isinstance(self.reporter, Tally)
        return self.reporter.clusters[side]


def back_after(turns: int) -> tuple[Walk, Tally]:
    """Moved, so many turns of writing on the target, and taken back."""
    walk = prepared()
    walk.type("cutover checkout")
    walk.estate.turns(turns)
    tally = Tally({side: counting(cluster) for side, cluster in walk.estate.clusters.items()})
    journal = walk.journal()
    way = back(walk.plan, journal, "checkout")
    assert way is not None
    run_unit(way.unit, Counted(walk.estate, reporter=tally), journal)
    return walk, tally


def counting(same: MemoryCluster) -> Counting:
    return Counting(
        name=same.name, addresses=same.addresses, made=same.made, logs=same.logs, acls=same.acls, users=same.users
    )


@pytest.mark.parametrize("turns", [SOON, HOURS_LATER])
def test_the_way_back_is_exact_however_much_was_written(turns: int) -> None:
    walk, _ = back_after(turns)
    walk.exact()
    assert where(walk.journal(), "checkout") is Side.SOURCE
    lives = epochs(MemoryWorld(walk.estate).bound(walk.journal().past()))
    for life in lives.values():
        there, home = life.seams[-2:]
        assert home.target - there.target > turns


def test_what_is_read_while_the_application_stands_still_does_not_grow_with_what_was_written() -> None:
    (_, soon), (_, later) = back_after(SOON), back_after(HOURS_LATER)
    assert later.in_the_pause <= soon.in_the_pause
    # what was compared before anybody was stopped did grow
    assert later.at["stop-workloads"] > 20 * soon.at["stop-workloads"]
