"""start-workloads: instances run on the side entered, and go on where they stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked, ForeignWrite, StillUnderWay
from kmigrate.model import Json, JsonObject, Partition
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.foreign import Foreign, foreign_write, keep, spans_behind, strays, unaccepted
from kmigrate.probes.groups import positions_held
from kmigrate.probes.ownership import SEAMS, read_seams
from kmigrate.probes.pauses import MEASURED, measured
from kmigrate.probes.unmarked import records_after
from kmigrate.steps.cutover.move import BEGAN, BEGUN, CLOCK_STARTED, PARTS, PAUSE, STOPPED, MoveStep, held, stands_still
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

_PATIENCE_MS = 30_000


@dataclass(frozen=True, kw_only=True)
class StartWorkloads(MoveStep):
    """Start, and wait until each group has members and a position advances where there is something to read."""

    name: ClassVar[str] = "start-workloads"
    title: ClassVar[str] = "Start the application"
    one_way: ClassVar[str] = "the application has worked on the other side; the way back is a move of its own"

    def check(self, world: World) -> Finding:
        """Missing while nothing runs, while a group has no members there, or while the pause is not written down.

        Somebody else may have started it: what later steps rely on is in the ledger only once `apply` was here.
        """
        if world.ledger.get(BEGUN) is None and read_seams(world.ledger.get(SEAMS)):
            self._nothing_came(world)  # here, so that it is still undone, and no move of its own
        view = world.workload(*self.app.members).look()
        there = view.running and world.side_of(view.bootstrap) is self.entering and not self._absent(world)
        if there and self._is_told(world):
            return Finding()
        action = Action.WAIT if there else Action.START
        return Finding(changes=(Change(action=action, subject=self.app.name, detail=f"on the {self.entering}"),))

    def apply(self, world: World) -> None:
        """Start and wait for the first record: it ends the pause."""
        put, ends = held(world, self.entering, self.app), self._ends(world)
        if world.ledger.get(BEGUN) is None:
            stands_still(world, self.leaving, self.app)
            self._hold(world)
            world.ledger.put(BEGUN, world.clock.now_ms())
        with self._patiently(world) as deadline_ms:
            end = world.clock.monotonic_ms() + deadline_ms
            world.workload(*self.app.members).start(deadline_ms)
            awaited, began = self._with_records(world, put), world.clock.monotonic_ms()
            wait_until(
                lambda: self._goes_on(world, put, awaited) if self.app.reads else self._writes(world, ends, began),
                what=f"{self.app.name} goes on {'reading' if self.app.reads else 'writing'}",
                clock=world.clock,
                reporter=world.reporter,
                deadline_ms=max(0, end - world.clock.monotonic_ms()),
                every_ms=20,
                slowest_ms=100,
            )
        self._stop_clock(world)

    def verify(self, world: World) -> Json:
        """Members there, and the pause as the ledger has it.

        One that dies as it begins is waited for: whoever watches over it starts it again. Raises Blocked where nobody
        does.
        """

        def look() -> Ready[None] | NotYet:
            missing = self.check(world).changes
            return NotYet(f"missing: {missing[0]}") if missing else Ready(None)

        with self._patiently(world) as deadline_ms:
            what, clock = f"{self.app.name} runs on", world.clock
            wait_until(look, what=what, clock=clock, reporter=world.reporter, deadline_ms=deadline_ms, slowest_ms=500)
        return {"pause_ms": world.ledger.get(PAUSE), "pause_parts": world.ledger.get(PARTS)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Never called: `one_way` says why."""

    def _is_told(self, world: World) -> bool:
        """Whether the start and the pause are in the ledger; once it is watched, a pause could only be made up."""
        timed = world.ledger.get(CLOCK_STARTED) is None or world.ledger.get(PAUSE) is not None
        return world.ledger.get(BEGAN) is not None or (world.ledger.get(BEGUN) is not None and timed)

    @contextmanager
    def _patiently(self, world: World) -> Iterator[int]:
        """The application has begun there, so nothing goes back by itself: once its pause is used up, we hold."""
        try:
            yield max(_PATIENCE_MS, self.left_ms(world))
        except StillUnderWay as error:
            raise Blocked(
                error.message,
                hint=f"the same command again waits on; kmigrate rollback --app {self.app.name} turns round",
            ) from error

    def _stop_clock(self, world: World) -> None:
        """The pause and its parts: stopping and starting are the application's, all between is ours."""
        started, begun = world.ledger.get(CLOCK_STARTED), world.ledger.get(BEGUN)
        if not isinstance(started, int) or not isinstance(begun, int) or world.ledger.get(PAUSE) is not None:
            return
        at, now = world.ledger.get(STOPPED), world.clock.now_ms()
        stopping, starting = max(0, at - started) if isinstance(at, int) else 0, max(0, now - begun)
        tool = max(0, now - started - stopping - starting)
        world.ledger.put(PARTS, {"tool": tool, "application": stopping + starting})
        # a crash in it, a human who decided to go on, or one who set the clock back says nothing of the next time
        usual = tool if now - started == tool + stopping + starting <= self.policy.max_pause_ms else None
        fact = measured(self.app, self.leaving, stopping=stopping, starting=starting, tool=usual)
        world.ledger.put(MEASURED, fact)
        world.ledger.put(PAUSE, tool + stopping + starting)

    def _ends(self, world: World) -> dict[Partition, int]:
        written = self.written(world) if self.app.writes else ()
        return dict(world.cluster(self.entering).ends(written)) if written else {}

    def _writes(self, world: World, before: dict[Partition, int], began: int) -> Ready[None] | NotYet:
        """Whoever only writes has begun once a record of it stands there; it may have nothing to write for long."""
        now = self._ends(world)
        if any(now[p] > end for p, end in before.items()):
            return Ready(None)
        if world.clock.monotonic_ms() - began < _PATIENCE_MS:
            return NotYet("it has written nothing yet")
        world.reporter.note(f"{self.app.name} runs on the {self.entering}, and has written nothing there yet")
        return Ready(None)

    def _nothing_came(self, world: World) -> None:
        """Nobody may write on the side entered before its epoch begins, nor where the side left goes on behind it."""
        seams = read_seams(world.ledger.get(SEAMS))
        if not self.app.writes:
            return
        if not seams:
            raise Blocked(
                f"{self.app.name} does not start on the {self.entering}: nothing was handed over since it was stopped",
                hint=f"kmigrate rollback --app {self.app.name} undoes the move",
            )
        found = unaccepted(self._strays(world, committed=False), self.bears_foreign)
        if found:
            with self.held_on_the_way_back():
                raise foreign_write(world, self.leaving, found, self.ours, handed_over=True)

    def _hold(self, world: World) -> None:
        """The start is on disk as begun, so going back is a move of its own: it must know of what lies there alone."""
        if not read_seams(world.ledger.get(SEAMS)):
            self._nothing_came(world)
            return
        keep(world, self.leaving, self._strays(world, committed=True))
        try:
            self._nothing_came(world)
        except ForeignWrite as error:
            back = f"or kmigrate rollback --app {self.app.name}"
            raise Blocked(error.message, hint=f"{error.held}; {back}") from error

    def _strays(self, world: World, *, committed: bool) -> tuple[Foreign, ...]:
        ends = {p: seam.at(self.leaving) for p, seam in read_seams(world.ledger.get(SEAMS)).items()}
        spans = spans_behind(world, self.leaving, ends, committed=committed)
        found = strays(world, self.leaving, spans, committed=committed)
        return tuple(each for each in found if each.time is not None) if committed else found

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
            now = positions_held(world, self.entering, reads, stable=False)
            if reads.group in awaited and all(now[p] <= put[reads.group].get(p, 0) for p in now):
                return NotYet(f"group {reads.group} has members, and reads nothing yet")
        return Ready(None)
