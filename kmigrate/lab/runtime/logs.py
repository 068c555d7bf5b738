"""Waiting for a line in the log of a process, while the process lives; and saying why it does not."""

from __future__ import annotations

import re
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime.process import Machine
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

_TAIL = 200_000
_CAUSES = (
    (r"Address already in use", "a port was taken by another program", "run the same command again: it takes others"),
    (r"No space left on device", "the disk is full", "free at least 2 GB, then run the same command again"),
    (
        r"OutOfMemoryError|insufficient memory|Could not reserve enough space|Cannot allocate memory",
        "there is not enough memory",
        "free memory or use `--brokers 1`, then run the same command again",
    ),
    (r"UnsupportedClassVersionError", "this Java is too old", "unset KMIGRATE_JAVA, or set it to Java 17 or newer"),
)


class PortTaken(PlatformError):
    """Somebody else listens on a port that the process was given."""


def wait_for_log(
    *,
    machine: Machine,
    process: str,
    log: Path,
    start: int,
    needle: str,
    clock: Clock,
    reporter: Reporter,
    deadline_ms: int,
) -> None:
    """Wait until the log, from byte `start`, holds the needle; raises PlatformError at once when the process ends.

    PortTaken when a port was the cause; StillUnderWay after `deadline_ms` (milliseconds).
    """
    wanted = needle.encode()
    seen = start

    def look() -> Ready[None] | NotYet:
        nonlocal seen
        alive = machine.alive(process)
        text = _read(log, max(start, seen - len(wanted)))
        if wanted in text:
            return Ready(None)
        if not alive:
            raise died(process, log, start, machine.exit_code(process))
        seen = max(start, seen - len(wanted)) + len(text)
        return NotYet("starting")

    wait_until(
        look,
        what=process,
        clock=clock,
        reporter=reporter,
        deadline_ms=deadline_ms,
        every_ms=20,
        slowest_ms=50,
    )


def died(process: str, log: Path, start: int, exit_code: int | None) -> PlatformError:
    """The error for a process that ended by itself: the cause by its log, or its last lines."""
    text = _read(log, max(start, size(log) - _TAIL)).decode(errors="replace")
    for pattern, reason, hint in _CAUSES:
        if re.search(pattern, text):
            kind = PortTaken if "port" in reason else PlatformError
            return kind(f"{process} did not start: {reason} (log {log})", hint=hint)
    how = f"killed by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit code {exit_code}"
    return PlatformError(f"{process} ended by itself ({how}): {_last_words(text)}", hint=f"read its log: {log}")


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("\tat ")]
    errors = [line for line in lines if re.search(r"\b(ERROR|FATAL|Exception|Error)\b", line)]
    return (errors or lines or ["it wrote nothing"])[-1][:400]


def size(log: Path) -> int:
    """Bytes in a log so far; 0 before it exists."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def _read(log: Path, start: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""
