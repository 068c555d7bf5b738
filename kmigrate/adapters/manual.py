"""Applications that a human stops, points elsewhere and starts when told; what is true is looked up, never asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmigrate.adapters.folder_files import replace
from kmigrate.model import Application, ManualWorkload, Side
from kmigrate.private import private_folder
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Groups, Reporter, WorkloadView


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a human points the application: what is no secret of what a client needs."""

    bootstrap: str
    username: str
    mechanism: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualWorkloads:
    """One application in human hands (world.Workload).

    It runs on the side where one of its groups has members. Its settings cannot be seen: while it runs, they are those
    of that side; while it stands still, those of the side that the file `pointed` names: where it last ran or was told
    to point to, the source at first.
    The same sentences come with and without a terminal; a wait tells how it stands until its deadline.
    """

    app: Application
    groups: Callable[[Side], Groups]
    place: Callable[[Side], Place]
    clock: Clock
    reporter: Reporter
    pointed: Path

    def look(self) -> WorkloadView:
        """Where its groups have members; no address when they have some on both sides."""
        here = self._sides()
        side = here[0] if here else self._pointed()
        return WorkloadView(running=bool(here), bootstrap=self.place(side).bootstrap if len(here) < 2 else "")

    def stop(self, deadline_ms: int) -> None:
        """Ask a human to stop every instance; returns once no group has members on either side."""
        sides = self._sides()
        if not sides:
            return
        for side in sides:
            self._point(side)
        self.reporter.note(f"stop every instance of {self.app.name} now{self._note()}")
        self._wait(
            f"somebody stops {self.app.name} by hand",
            lambda: not self._sides(),
            "its groups still have members",
            deadline_ms,
        )

    def switch(self, side: Side, deadline_ms: int) -> None:
        """Tell a human where to point it; whether that was done shows when it starts."""
        place = self.place(side)
        signed = f"user {place.username}, {place.mechanism} over TLS"
        self.reporter.note(f"point {self.app.name} to the {side}: {place.bootstrap}, {signed}{self._note()}")
        self._point(side)

    def start(self, deadline_ms: int) -> None:
        """Ask a human to start it; returns once each group has members on the side it was pointed to."""
        side = self._pointed()
        if not self._absent(side):
            return
        self.reporter.note(f"start {self.app.name} on the {side} now{self._note()}")
        self._wait(
            f"somebody starts {self.app.name} on the {side} by hand",
            lambda: not self._absent(side),
            "not every group has members there yet",
            deadline_ms,
        )

    def _wait(self, what: str, done: Callable[[], bool], missing: str, deadline_ms: int) -> None:
        wait_until(
            lambda: Ready(None) if done() else NotYet(missing),
            what=what,
            clock=self.clock,
            reporter=self.reporter,
            deadline_ms=deadline_ms,
        )

    def _sides(self) -> Sequence[Side]:
        return tuple(side for side in Side if len(self._absent(side)) < len(self._names()))

    def _absent(self, side: Side) -> Sequence[str]:
        found = self.groups(side).describe(self._names())
        return tuple(name for name, group in found.items() if not group.members)

    def _names(self) -> Sequence[str]:
        return tuple(reads.group for reads in self.app.reads)

    def _pointed(self) -> Side:
        try:
            return Side(self.pointed.read_text().strip())
        except (OSError, ValueError):
            return Side.SOURCE

    def _point(self, side: Side) -> None:
        """Written beside and renamed, so that a kill leaves the old word or the new one."""
        private_folder(self.pointed.parent)
        replace(self.pointed, f"{side}\n", durable=False)

    def _note(self) -> str:
        notes = [work.note for work in self.app.workloads if isinstance(work, ManualWorkload) and work.note]
        return f" ({'; '.join(notes)})" if notes else ""
