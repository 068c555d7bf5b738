"""The claim on a migration, in memory."""

from __future__ import annotations

from dataclasses import dataclass

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.errors import Blocked


@dataclass(slots=True)
class MemoryClaim(State):
    """Held by the only kmigrate there is (world.Claim); it lies in a topic of the target."""

    cluster: MemoryCluster
    topic: str
    death: Death
    taken: bool = False

    def whole(self) -> bool:
        """Whether it was taken, and its topic is there."""
        return self.taken and self.topic in self.cluster.made

    def removed(self) -> int | None:
        """None were: the lines in memory are the only ones."""
        return 0 if self.whole() else None

    def holder(self) -> str:
        """Ourselves, or nobody."""
        return "somebody" if self.whole() else ""

    def take(self) -> None:
        """Claim it."""
        if self.topic not in self.cluster.made:
            raise Blocked("the target has no ledger topic yet", hint="run `kmigrate apply --phase provision`")
        with self.death.writing("claim on the target", differs=not self.taken):
            self.taken = True

    def leave(self) -> None:
        """Give it up."""
        with self.death.writing("claim on the target given up", differs=self.taken):
            self.taken = False
