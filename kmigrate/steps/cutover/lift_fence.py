"""lift-fence: what an earlier attempt denied on the side being entered is allowed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.model import Json, JsonObject
from kmigrate.plan import Action, Change, Finding
from kmigrate.steps.cutover.fences import DEADLINE_MS, await_gone, denials, read_denials, write_denials
from kmigrate.steps.cutover.move import MoveStep
from kmigrate.world import World


@dataclass(frozen=True, kw_only=True)
class LiftFence(MoveStep):
    """Remove the denials on the side being entered: after a move there and back it is the one that was fenced."""

    name: ClassVar[str] = "lift-fence"
    title: ClassVar[str] = "Allow the clients the side being entered"
    mend: ClassVar[str] = "lift it: kmigrate status prints the command for each denial that stands"

    def check(self, world: World) -> Finding:
        """Missing: the removal of every denial that stands there."""
        standing = world.fence(self.entering).standing(denials(self.entering, self.app))
        changes = tuple(
            Change(action=Action.REMOVE, subject=f"denial on the {self.entering}", detail=str(denial))
            for denial in sorted(standing)
        )
        return Finding(changes=changes, before=write_denials(standing))

    def apply(self, world: World) -> None:
        """Lift them, and wait until no broker enforces them: a client that starts earlier is refused."""
        with self.within_budget(world, DEADLINE_MS) as deadline_ms:
            lifted = denials(self.entering, self.app)
            world.fence(self.entering).lift(lifted)
            await_gone(world, self.entering, lifted, deadline_ms=deadline_ms)

    def verify(self, world: World) -> Json:
        """None stands there any more."""
        super().verify(world)
        return {"allowed": [str(denial) for denial in denials(self.entering, self.app)]}

    def undo(self, world: World, before: JsonObject) -> None:
        """Deny again what stood."""
        stood = read_denials(before)
        if stood:
            world.fence(self.entering).deny(stood)
