"""Measuring a move: the floor beneath it, the move by kmigrate's own command, and what its applications were given."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redelivery.estate import target_client

from kmigrate.model import Direction, Migration, Side
from kmigrate.planfile import load
from kmigrate.probes.groups import running_groups
from kmigrate.story import as_begun
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.waves import together
from kmigrate.wiring import LiveWorld, open_journal, open_world
from kmigrate.world import Reporter, Workload
from pausing.cells import Cell
from pausing.clocks import Attempt, attempt, gap, works
from pausing.estate import Estate, Feeder
from pausing.truth import Verdict, judge, up_to

_DEADLINE_MS = 120_000
_BREATH_MS = 1_500
PHASES = ("assess", "provision", "replicate", "rehearse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One time across or back: by the journal, by the applications, and the load of the machine when it began."""

    direction: str
    attempt: Attempt
    stood_still: int
    load: float


@dataclass(slots=True, kw_only=True)
class Measured:
    """A row: floors and moves (ms), and what the applications were given."""

    cell: Cell
    floors: list[int] = field(default_factory=list)
    moves: list[Moved] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def floor(self) -> int:
        """The median of the floors."""
        return int(statistics.median(self.floors))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that a measurement needs."""

    estate: Estate
    feeder: Feeder
    migration: Migration
    world: LiveWorld
    reporter: Reporter
    floors: int
    rounds: int

    def measure(self, cell: Cell) -> Measured:
        """Start the applications of a move, move them, measure the floor where they are then, stop them for good."""
        row, began = Measured(cell=cell), self.feeder.ends(cell.reads)
        self.estate.stand(cell, began)
        self.start(cell)
        for number in range(self.rounds):
            if number:
                row.moves.append(self._move(cell, Direction.ROLLBACK, number))
            row.moves.append(self._move(cell, Direction.CUTOVER, number + 1))
        for _ in range(self.floors):
            row.floors.append(self._floor(cell))
        row.verdict = self.finish(cell, began)
        return row

    def start(self, cell: Cell) -> None:
        """Start, and wait until every group has worked on a record."""
        since = now()
        self.workload(cell).start(_DEADLINE_MS)
        self.wait(lambda: works(self.estate.place, cell, since), f"{cell} at work")
        self.world.clock.sleep(_BREATH_MS)

    def finish(self, cell: Cell, began: dict[int, int]) -> Verdict:
        """Let the applications come up to where the feed ends now, stop them, and judge what they were given."""
        ends = self.feeder.ends(cell.reads)
        self.wait(lambda: up_to(self.estate.place, cell, ends), f"{cell} at the end")
        self.workload(cell).stop(_DEADLINE_MS)
        return judge(self.estate.place, cell, began, ends)

    def workload(self, cell: Cell) -> Workload:
        """The applications of a move as kmigrate stops and starts them."""
        return self.world.workload(*cell.declared)

    def stop_and_wait(self, cell: Cell, side: Side) -> None:
        """Stop, and wait until every group is Empty."""
        app = together(map(self.migration.application, cell.declared))
        self.workload(cell).stop(_DEADLINE_MS)
        self.wait(lambda: not running_groups(self.world, side, app), f"{cell} Empty")

    def wait(self, look: Callable[[], bool], what: str) -> None:
        """Wait until it is so."""
        wait_until(
            lambda: Ready(None) if look() else NotYet("not yet"),
            what=what,
            clock=self.world.clock,
            reporter=Reporter(),
            deadline_ms=_DEADLINE_MS,
            every_ms=20,
            slowest_ms=100,
        )

    def sides(self) -> dict[Side, dict[str, str]]:
        """How to read all there is: on the source as its administrator, on the target as the lab's auditor."""
        return {Side.SOURCE: self.estate.client, Side.TARGET: target_client(self.world)}

    def stood_still(self, cell: Cell, since: int) -> int:
        """How long the applications stood still in the first stop after a moment, by what they noted down."""
        self.wait(lambda: gap(self.estate.place, cell, since) is not None, f"{cell} at work again")
        found = gap(self.estate.place, cell, since)
        assert found is not None
        return found.ms

    def _floor(self, cell: Cell) -> int:
        """What kmigrate's own stop and start take with nothing in between."""
        since = now()
        self.stop_and_wait(cell, Side.TARGET)
        self.workload(cell).start(_DEADLINE_MS)
        took = self.stood_still(cell, since)
        self.world.clock.sleep(_BREATH_MS)
        return took

    def _move(self, cell: Cell, direction: Direction, number: int) -> Moved:
        since, load = now(), os.getloadavg()[0]
        verb = ["rollback"] if direction is Direction.ROLLBACK else ["apply", "--phase", "cutover"]
        kmigrate(self.estate.plan, *verb, "--app", next(iter(cell.declared)))
        took = self.stood_still(cell, since)
        unit = f"{direction}/{together(map(self.migration.application, cell.declared)).name}#{number}"
        with open_journal(self.migration, self.world, read_only=True) as journal:
            found = attempt(journal, unit)
        self.world.clock.sleep(_BREATH_MS)
        return Moved(direction=str(direction), attempt=found, stood_still=took, load=load)


@contextmanager
def open_bench(estate: Estate, feeder: Feeder, reporter: Reporter, *, floors: int, rounds: int) -> Iterator[Bench]:
    """The bench over an estate whose phases up to the first move are done."""
    migration = load(estate.plan)
    world = open_world(migration, Reporter())
    try:
        with open_journal(migration, world, read_only=True) as journal:
            begun = as_begun(migration, journal)
        yield Bench(
            estate=estate,
            feeder=feeder,
            migration=begun,
            world=world,
            reporter=reporter,
            floors=floors,
            rounds=rounds,
        )
    finally:
        world.close()


def kmigrate(plan: Path, *words: str) -> None:
    """What a user types; raises with what it said where it does not end well."""
    argv = [sys.executable, "-m", "kmigrate", *words, "--yes"]
    ended = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "KMIGRATE_PLAN": str(plan)}
    )
    if ended.returncode:
        raise RuntimeError(f"kmigrate {' '.join(words)} ended with {ended.returncode}:\n{ended.stderr[-3_000:]}")


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
