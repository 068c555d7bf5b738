"""Time for lab processes: real, and interrupted by an event that a signal handler sets."""

from __future__ import annotations

import threading
import time

from kmigrate.errors import Interrupted


class LabClock:
    """The real clock (kmigrate.world.Clock); `stop(number)` makes every sleep, now and later, raise Interrupted."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._signal = 2

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back."""
        return time.monotonic_ns() // 1_000_000

    def sleep(self, milliseconds: int) -> None:
        """Wait; raises Interrupted when `stop` was called."""
        if self._stopped.wait(milliseconds / 1000):
            raise Interrupted(self._signal)

    def stop(self, signal_number: int = 2) -> None:
        """Interrupt everybody who waits."""
        self._signal = signal_number
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()
