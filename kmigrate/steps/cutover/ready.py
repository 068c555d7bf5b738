"""ready: look before anything is stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.model import Json, JsonObject, Side
from kmigrate.plan import Finding
from kmigrate.steps.cutover.move import MoveStep, held
from kmigrate.world import World


@dataclass(frozen=True, kw_only=True)
class Ready(MoveStep):
    """Both sides hold the topics alike, the mirror is well, and every group has a position to carry."""

    name: ClassVar[str] = "ready"
    title: ClassVar[str] = "Look at both sides, the mirror and the positions"

    def check(self, world: World) -> Finding:
        """Change nothing, ever; raises Blocked with what stands in the way."""
        if not self.app.workloads:
            raise Blocked(
                f"{self.app.name} names no workloads, so nobody could stop and start it",
                hint=f"add workloads to {self.app.name} in the plan file",
            )
        self._topics_alike(world)
        # a reader's way back needs no mirror, and a broken mirror is a reason to go back
        trouble = world.mirror.trouble(self.lane) if self.leaving is Side.SOURCE else ()
        if trouble:
            raise Blocked(
                f"the mirror is not well: {'; '.join(trouble)}", hint="mend what it names, then run this again"
            )
        held(world, self.leaving, self.app)
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do: this step only looks."""

    def verify(self, world: World) -> Json:
        """What was looked at."""
        self.check(world)
        return {"groups": [reads.group for reads in self.app.reads], "topics": list(self.app.topics_read)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _topics_alike(self, world: World) -> None:
        sides = {side: world.cluster(side).topics(self.app.topics_read) for side in Side}
        for name in self.app.topics_read:
            counts = {side: topics[name].partitions if name in topics else 0 for side, topics in sides.items()}
            if len(set(counts.values())) != 1 or 0 in counts.values():
                told = ", ".join(f"{side}: {count}" for side, count in counts.items())
                raise Blocked(
                    f"topic {name} has other partitions on each side ({told})",
                    hint="run `kmigrate apply --phase provision` and `--phase replicate` again",
                )
