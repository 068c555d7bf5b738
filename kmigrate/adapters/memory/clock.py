"""Time that passes only when somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kmigrate.adapters.memory.state import State


def _nobody_works() -> None:
    return None


@dataclass(slots=True)
class MemoryClock(State):
    """Time that passes only when somebody sleeps (world.Clock); then everybody else works."""

    work: Callable[[], None] = _nobody_works
    now: int = 1_000_000

    def now_ms(self) -> int:
        """Milliseconds since the epoch, which lies not far back."""
        return self.now

    def monotonic_ms(self) -> int:
        """The same: it never goes back either."""
        return self.now

    def sleep(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
        self.work()
