"""stop-workloads: no instance runs against the side being left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.model import Json, JsonObject
from kmigrate.plan import HELD, Action, Change, Finding
from kmigrate.probes.groups import running_groups
from kmigrate.steps.cutover.move import BACK_DEADLINE_MS, CLOCK_STARTED, STOPPED, MoveStep
from kmigrate.steps.cutover.stray_records import refuse_strays
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

_DEADLINE_MS = 90_000
ENDED = "transactions_ended"
"""The transactional ids that were taken over once the application had stopped."""


@dataclass(frozen=True, kw_only=True)
class StopWorkloads(MoveStep):
    """Stop the application, wait until each of its groups is Empty on the side being left, end its transactions.

    A forgotten instance may hold a transactional id and a transaction open: taking the id over fences it (KIP-98).
    An application that does not run, but whose groups have members, died a moment ago: whoever watches over it starts
    it again, unless it is stopped.
    """

    name: ClassVar[str] = "stop-workloads"
    title: ClassVar[str] = "Stop the application"

    def check(self, world: World) -> Finding:
        """Missing: a stop of instances that point to the side being left, and of groups with members there."""
        running = running_groups(world, self.leaving, self.app)
        here = self._is_here(world, running)
        changes = [Change(action=Action.STOP, subject=self.app.name)] if here else []
        for group, state in running.items():
            changes.append(Change(action=Action.WAIT, subject=f"group {group} Empty", detail=state))
        if self.app.transactional_ids and world.ledger.get(ENDED) is None:
            told = ", ".join(self.app.transactional_ids)
            changes.append(Change(action=Action.STOP, subject=f"whoever still holds transactional id {told}"))
        return Finding(changes=tuple(changes), before={"running": here})

    def apply(self, world: World) -> None:
        """Stop; the pause clock runs from here on."""
        if world.ledger.get(CLOCK_STARTED) is None:
            refuse_strays(world, self)
            world.ledger.put(CLOCK_STARTED, world.clock.now_ms())
        with self.within_budget(world, _DEADLINE_MS) as deadline_ms:
            end = world.clock.monotonic_ms() + deadline_ms
            if self._is_here(world, running_groups(world, self.leaving, self.app)):
                world.workload(*self.app.members).stop(deadline_ms)
            wait_until(
                lambda: self._empty(world),
                what=f"groups of {self.app.name} Empty on the {self.leaving}",
                clock=world.clock,
                reporter=world.reporter,
                deadline_ms=max(0, end - world.clock.monotonic_ms()),
                every_ms=20,
            )
        if world.ledger.get(STOPPED) is None:
            world.ledger.put(STOPPED, world.clock.now_ms())
        if self.app.transactional_ids:
            world.transactions(self.leaving).end(self.app.transactional_ids)
            world.ledger.put(ENDED, list(self.app.transactional_ids))

    def verify(self, world: World) -> Json:
        """The coordinator's own word on each group."""
        super().verify(world)
        groups = world.groups(self.leaving).describe(reads.group for reads in self.app.reads)
        return {name: str(group.state) for name, group in groups.items()}

    def undo(self, world: World, before: JsonObject) -> None:
        """Start again what ran; then nothing stands still any more, and the clock is taken back too."""
        if before.get("running"):
            world.workload(*self.app.members).start(BACK_DEADLINE_MS)
        for fact in (CLOCK_STARTED, STOPPED, HELD, ENDED):
            if world.ledger.get(fact) is not None:
                world.ledger.put(fact, None)

    def _is_here(self, world: World, running: Mapping[str, str]) -> bool:
        """Whether it runs here, or did until now by its groups; set to different places (no address) counts as here."""
        view = world.workload(*self.app.members).look()
        here = not view.bootstrap or world.side_of(view.bootstrap) is self.leaving
        return here and (view.running or bool(running))

    def _empty(self, world: World) -> Ready[None] | NotYet:
        running = running_groups(world, self.leaving, self.app)
        return NotYet("; ".join(f"{g}: {s}" for g, s in running.items())) if running else Ready(None)
