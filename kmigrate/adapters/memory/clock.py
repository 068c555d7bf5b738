"""Time that passes only when somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kmigrate.adapters.memory.state import State


def _nobody_works() -> None:
    return None


@dataclass(slots=True)
class MemoryClock(State):
    """Time that passes only when somebody sleeps (world.Clock); then everybody else works.

    `set_by` is how far somebody has set the wall clock ahead, or back.
    """

    work: Callable[[], None] = _nobody_works
    now: int = 1_000_000
    set_by: int = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch, which lies not far back."""
        return self.now + self.set_by

    def monotonic_ms(self) -> int:
        """Milliseconds that nobody can set."""
        return self.now

    def sleep(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
        self.work()
