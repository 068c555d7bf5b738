"""start-workloads: instances run on the side entered, and go on where they stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.model import Json, JsonObject, Partition
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.groups import positions_held
from kmigrate.probes.translation import records_after
from kmigrate.steps.cutover.move import BEGUN, CLOCK_STARTED, PAUSE, MoveStep, held, stands_still
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

_DEADLINE_MS = 90_000


@dataclass(frozen=True, kw_only=True)
class StartWorkloads(MoveStep):
    """Start, and wait until each group has members and a position advances where there is something to read."""

    name: ClassVar[str] = "start-workloads"
    title: ClassVar[str] = "Start the application"
    one_way: ClassVar[str] = "the application has worked on the other side; the way back is a move of its own"

    def check(self, world: World) -> Finding:
        """Missing while nothing runs, or while a group has no members on the side entered."""
        view = world.workload(self.app.name).look()
        if view.running and world.side_of(view.bootstrap) is self.entering and not self._absent(world):
            return Finding()
        return Finding(changes=(Change(action=Action.START, subject=self.app.name, detail=f"on the {self.entering}"),))

    def apply(self, world: World) -> None:
        """Start and wait for the first record: it ends the pause."""
        if world.ledger.get(BEGUN) is None:
            stands_still(world, self.leaving, self.app)
            world.ledger.put(BEGUN, world.clock.now_ms())
        put = held(world, self.entering, self.app)
        world.workload(self.app.name).start()
        awaited = self._with_records(world, put)
        wait_until(
            lambda: self._goes_on(world, put, awaited),
            what=f"{self.app.name} goes on reading",
            clock=world.clock,
            reporter=world.reporter,
            deadline_ms=_DEADLINE_MS,
            every_ms=20,
            slowest_ms=100,
        )
        started = world.ledger.get(CLOCK_STARTED)
        if isinstance(started, int) and world.ledger.get(PAUSE) is None:
            world.ledger.put(PAUSE, world.clock.now_ms() - started)

    def verify(self, world: World) -> Json:
        """Members there, and the pause as the ledger has it."""
        super().verify(world)
        return {"pause_ms": world.ledger.get(PAUSE)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Never called: `one_way` says why."""

    def _absent(self, world: World) -> list[str]:
        groups = world.groups(self.entering).describe(reads.group for reads in self.app.reads)
        return [name for name, group in groups.items() if not group.members]

    def _with_records(self, world: World, put: dict[str, dict[Partition, int]]) -> frozenset[str]:
        """Groups with a record to read: markers and aborted records behind a position move nobody on."""
        cluster = world.cluster(self.entering)
        return frozenset(group for group, of in put.items() if any(records_after(cluster, of).values()))

    def _goes_on(
        self, world: World, put: dict[str, dict[Partition, int]], awaited: frozenset[str]
    ) -> Ready[None] | NotYet:
        absent = self._absent(world)
        if absent:
            return NotYet(f"group {', '.join(absent)} has no members yet")
        for reads in self.app.reads:
            now = positions_held(world, self.entering, reads)
            if reads.group in awaited and all(now[p] <= put[reads.group].get(p, 0) for p in now):
                return NotYet(f"group {reads.group} has members, and reads nothing yet")
        return Ready(None)
