"""A lock between processes that ends with its holder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

_DEADLINE_MS = 600_000


@contextmanager
def exclusive(
    path: Path, *, what: str, reporter: Reporter, clock: Clock | None = None, deadline_ms: int = _DEADLINE_MS
) -> Iterator[None]:
    """Hold the lock file alone (flock(2)); waits up to ten minutes for another holder, with progress."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PlatformError(f"{path} cannot be written: {error.strerror}", hint="set KMIGRATE_CACHE") from error
    try:

        def look() -> Ready[None] | NotYet:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return NotYet("another process is busy with them")
            return Ready(None)

        wait_until(look, what=what, clock=clock or LabClock(), reporter=reporter, deadline_ms=deadline_ms)
        yield
    finally:
        os.close(descriptor)
