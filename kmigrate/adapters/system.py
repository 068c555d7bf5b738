"""This machine: its time, and what it keeps of a process that dies."""

from __future__ import annotations

import ctypes
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kmigrate import interrupt

# on Linux the monotonic clock stands still while a laptop sleeps, and a pause does not
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _steady_ns() -> int:
    return time.clock_gettime_ns(_STEADY)


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The real clock (world.Clock); Ctrl-C, SIGTERM and SIGHUP end its sleep with Interrupted.

    Whoever sets the machine's clock while we run shortens or lengthens no pause: what time it is we ask only once.
    """

    wall_ns: Callable[[], int] = time.time_ns
    steady_ns: Callable[[], int] = _steady_ns
    _ahead_ns: int = field(init=False)

    def __post_init__(self) -> None:
        """Ask what time it is."""
        object.__setattr__(self, "_ahead_ns", self.wall_ns() - self.steady_ns())

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return (self.steady_ns() + self._ahead_ns) // 1_000_000

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
