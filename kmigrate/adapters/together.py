"""The instances of several applications as if they were one's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kmigrate.adapters.beside import beside as side_by_side
from kmigrate.model import Side
from kmigrate.world import Workload, WorkloadView


def as_one(*, beside: Sequence[Workload] = (), in_turn: Sequence[Workload] = ()) -> Workload:
    """All of them as one Workload; a single one as it is.

    Those `beside` are looked at, stopped and started side by side, in threads, so they must tell nobody anything
    meanwhile; those `in_turn` one after the other, here.
    """
    every = (*beside, *in_turn)
    return every[0] if len(every) == 1 else Together(beside=tuple(beside), in_turn=tuple(in_turn))


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Several applications (world.Workload)."""

    beside: tuple[Workload, ...]
    in_turn: tuple[Workload, ...]

    def look(self) -> WorkloadView:
        """Running if one runs; no address while they point to different places."""
        views = side_by_side(lambda workload: workload.look(), self.beside, here=self.in_turn)
        addresses = {view.bootstrap for view in views}
        return WorkloadView(
            running=any(view.running for view in views),
            bootstrap=addresses.pop() if len(addresses) == 1 else "",
            missing=tuple(told for view in views for told in view.missing),
        )

    def stop(self, deadline_ms: int) -> None:
        """Stop all; each has the whole time."""
        self._all(lambda workload: workload.stop(deadline_ms))

    def switch(self, side: Side, deadline_ms: int) -> None:
        """Point one after the other: settings on their way lie in one folder."""
        for workload in (*self.beside, *self.in_turn):
            workload.switch(side, deadline_ms)

    def start(self, deadline_ms: int) -> None:
        """Start all; each has the whole time."""
        self._all(lambda workload: workload.start(deadline_ms))

    def _all(self, act: Callable[[Workload], None]) -> None:
        side_by_side(act, self.beside, here=self.in_turn)
