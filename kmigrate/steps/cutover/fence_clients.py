"""fence-clients: the application's clients are denied the side being left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import VerifyFailed
from kmigrate.model import Denial, Json, JsonObject
from kmigrate.plan import Action, Change, Finding
from kmigrate.steps.cutover.fences import DEADLINE_MS, await_gone, denials, read_denials, write_denials
from kmigrate.steps.cutover.move import MoveStep
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World


@dataclass(frozen=True, kw_only=True)
class FenceClients(MoveStep):
    """Deny the principals to read with the groups on the side being left, and prove it on every broker.

    kmigrate commits with a principal of its own, which is not denied: going back it writes positions there.
    """

    name: ClassVar[str] = "fence-clients"
    title: ClassVar[str] = "Deny the clients the side being left"
    mend: ClassVar[str] = (
        "deny it again (on the source kafka-acls.sh --add --deny-principal, on the target a deny rule in the KafkaUser)"
        ", and see who lifted it: kmigrate verify --full tells whether anybody wrote meanwhile"
    )

    def check(self, world: World) -> Finding:
        """Missing: denials that do not stand, or that a broker does not enforce yet."""
        fence = world.fence(self.leaving)
        standing = fence.standing(self._denials)
        changes = tuple(
            Change(action=Action.CREATE, subject=f"denial on the {self.leaving}", detail=str(denial))
            for denial in self._unproven(world, standing)
        )
        return Finding(changes=changes, before=write_denials(standing))

    def apply(self, world: World) -> None:
        """Deny, and wait until every broker refuses the clients."""
        with self.within_budget(world, DEADLINE_MS) as deadline_ms:
            world.fence(self.leaving).deny(self._denials)
            wait_until(
                lambda: self._enforced(world),
                what=f"{self.app.name} denied on every broker of the {self.leaving}",
                clock=world.clock,
                reporter=world.reporter,
                deadline_ms=deadline_ms,
                every_ms=20,
            )

    def verify(self, world: World) -> Json:
        """How each denial is known to hold on every broker."""
        proof = world.fence(self.leaving).proof(self._denials)
        without = [denial for denial in self._denials if denial not in proof]
        if without:
            raise VerifyFailed(
                f"not every broker of the {self.leaving} denies {without[0]}",
                hint="somebody may have removed the rule; run the same command again, it denies anew",
            )
        return {str(denial): proof[denial] for denial in self._denials}

    def undo(self, world: World, before: JsonObject) -> None:
        """Lift what did not stand before, and wait until it is gone: the application starts there next."""
        lifted = tuple(denial for denial in self._denials if denial not in read_denials(before))
        world.fence(self.leaving).lift(lifted)
        await_gone(world, self.leaving, lifted)

    @property
    def _denials(self) -> tuple[Denial, ...]:
        return denials(self.leaving, self.app)

    def _unproven(self, world: World, standing: frozenset[Denial]) -> tuple[Denial, ...]:
        proof = world.fence(self.leaving).proof(denial for denial in self._denials if denial in standing)
        return tuple(denial for denial in self._denials if denial not in proof)

    def _enforced(self, world: World) -> Ready[None] | NotYet:
        late = self._unproven(world, world.fence(self.leaving).standing(self._denials))
        return NotYet(f"not enforced everywhere yet: {late[0]}") if late else Ready(None)
