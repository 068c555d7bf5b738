"""The append-only file of one run, the sign of life, and the wish to stop."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TypeAlias

Value: TypeAlias = "str | int | bool | Mapping[str, int] | Sequence[str] | None"

HEALTH_EVERY_MS = 1_000


def now_ms() -> int:
    """Wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.replace(path)


class AuditFile:
    """Lines of one run, numbered from 1; `flush` hands them to the operating system, which survives a kill -9."""

    def __init__(self, folder: Path, side: str) -> None:
        (folder / "audit").mkdir(exist_ok=True)
        self.run = now_ms()
        self._file = (folder / "audit" / f"{self.run}-{os.getpid()}.jsonl").open("x", buffering=1 << 20)
        self._side = side
        self._count = 0
        self._health = folder / "health.json"
        self._health_at = 0
        self._error = ""

    def add(self, event: str, **fields: Value) -> None:
        """Append a line; None fields are kept, they mean null."""
        self._count += 1
        line = {"n": self._count, "at": now_ms(), "event": event, "side": self._side, **fields}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Hand every line to the operating system."""
        self._file.flush()

    def error(self, code: str, text: str) -> None:
        """Tell a fault once until it changes or `alive` clears it."""
        if code != self._error:
            self.add("error", code=code, text=text)
            self.flush()
            self._health_at = 0
        self._error = code

    def well(self) -> None:
        """Something succeeded, so the last fault is over."""
        if self._error:
            self._error, self._health_at = "", 0

    def alive(self, assigned: int, *, reads: bool = True) -> None:
        """Write the sign of life, at most once a second unless something changed."""
        if now_ms() - self._health_at < HEALTH_EVERY_MS:
            return
        self._health_at = now_ms()
        sign = {"at": self._health_at, "pid": os.getpid(), "assigned": assigned, "reads": reads, "error": self._error}
        replace(self._health, json.dumps(sign))

    def close(self, reason: str) -> None:
        """Write the last line."""
        self.add("stopped", reason=reason)
        self._file.close()


class Stop:
    """Becomes true when SIGTERM or SIGINT comes."""

    def __init__(self) -> None:
        self._wanted = False
        signal.signal(signal.SIGTERM, self._want)
        signal.signal(signal.SIGINT, self._want)

    def _want(self, _number: int, _frame: FrameType | None) -> None:
        self._wanted = True

    def __bool__(self) -> bool:
        return self._wanted

    def wait_until(self, moment: float) -> None:
        """Sleep until `time.monotonic()` reaches the moment or a stop is wanted."""
        while not self._wanted and (left := moment - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
