"""Where a process may be killed: every write of the world in memory passes here before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kmigrate.adapters.memory.state import State


class Died(BaseException):
    """The process was killed here; no handler of `Exception` may survive it."""


class Watcher(State):
    """Hears of every instant and of every write of kmigrate before it happens; every method does nothing."""

    def instant(self) -> None:
        """Hear that this is an instant at which the process may be killed."""

    def write(self, what: str, *, differs: bool) -> None:
        """Hear that something is about to be written, and whether that changes anything."""

    def refused(self, what: str) -> None:
        """Hear that a write was asked for which the world refuses."""


@dataclass(slots=True)
class Death(State):
    """Kills at instant `at`, counted from 1 over all lives, so it kills once; -1 never kills."""

    at: int = -1
    seen: int = 0
    watcher: Watcher = field(default_factory=Watcher)

    def pass_by(self) -> None:
        """Count an instant; raises Died when it is the one."""
        self.seen += 1
        self.watcher.instant()
        if self.seen == self.at:
            raise Died

    @contextmanager
    def writing(self, what: str, *, differs: bool = True) -> Iterator[None]:
        """Surround a write: it is told, and there is an instant before and after it."""
        self.watcher.write(what, differs=differs)
        self.pass_by()
        yield
        self.pass_by()
