"""This machine: its time, and what it keeps of a process that dies."""

from __future__ import annotations

import ctypes
import resource
import sys
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


_SET_DUMPABLE = 4


def never_dumped() -> None:
    """No core file of this process: it holds passwords. Programs that it starts dump as they always did.

    A limit of zero would be theirs too, and is not heeded where cores go to a pipe (core(5), prctl(2)).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_DUMPABLE, 0)
    else:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
