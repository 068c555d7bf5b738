"""Time of this machine."""

from __future__ import annotations

import time

from kmigrate import interrupt


class SystemClock:
    """The real clock (world.Clock); Ctrl-C and SIGTERM end its sleep with Interrupted."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back."""
        return time.monotonic_ns() // 1_000_000

    def sleep(self, milliseconds: int) -> None:
        """Wait."""
        interrupt.sleep(milliseconds)
