"""switch-settings: the application points at the side entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.model import JsonObject, Side
from kmigrate.plan import Action, Change, Finding
from kmigrate.steps.cutover.move import BACK_DEADLINE_MS, MoveStep
from kmigrate.world import World

_DEADLINE_MS = 120_000


@dataclass(frozen=True, kw_only=True)
class SwitchSettings(MoveStep):
    """Address, credentials, trust and mechanism of the side entered, in the application's own settings."""

    name: ClassVar[str] = "switch-settings"
    title: ClassVar[str] = "Point the application at the other side"

    def check(self, world: World) -> Finding:
        """Missing while the settings point anywhere else."""
        side = self.pointed_to(world)
        was = side or self.leaving
        there = Change(action=Action.CHANGE, subject=f"settings of {self.app.name}", detail=f"{was} → {self.entering}")
        return Finding(changes=() if side is self.entering else (there,), before={"side": str(was)})

    def apply(self, world: World) -> None:
        """Switch; instances are stopped."""
        with self.within_budget(world, _DEADLINE_MS) as deadline_ms:
            world.workload(*self.app.members).switch(self.entering, deadline_ms)

    def undo(self, world: World, before: JsonObject) -> None:
        """Point it back."""
        world.workload(*self.app.members).switch(Side(str(before["side"])), BACK_DEADLINE_MS)
