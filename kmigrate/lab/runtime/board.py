"""What the supervisor tells the world: `lab.json`, rewritten when something changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable

import psutil

from kmigrate.errors import KmigrateError
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime.process import ProcessView
from kmigrate.model import Json, JsonObject
from kmigrate.world import Reporter

STARTING, UP, STOPPING, STOPPED, FAILED = "starting", "up", "stopping", "stopped", "failed"
_EVERY_S = 0.2


class Board(Reporter):
    """Phase, progress, notes, facts and processes of a lab; safe to use from several threads.

    `lab.json` is `{pid, started (of the pid, seconds), since (ms), user, phase, progress, notes, error: {message,
    hint, exit_code} or null, facts: {part: …}, processes: {name: {pid, log, alive}}}`.
    """

    def __init__(self, folder: LabFolder, options: JsonObject) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._written = 0.0
        self._notes: list[Json] = []
        self._facts: dict[str, Json] = {}
        self._state: dict[str, Json] = {
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "since": time.time_ns() // 1_000_000,
            "user": os.getuid(),
            **options,
            "phase": STARTING,
            "progress": "starting",
            "notes": self._notes,
            "error": None,
            "facts": self._facts,
            "processes": {},
        }
        self._write()

    def phase(self, phase: str) -> None:
        """Tell a new phase."""
        self._set(phase=phase, progress="")

    def failed(self, error: KmigrateError) -> None:
        """Tell why the lab ends."""
        told: JsonObject = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        self._set(error=told)

    def publish(self, part: str, facts: JsonObject) -> None:
        """Tell what others need to know of a part: endpoints, credential files. No secret itself."""
        with self._lock:
            self._facts[part] = facts
            self._write()

    def processes(self, views: Iterable[ProcessView]) -> None:
        """Tell which processes there are; written only when something changed."""
        table: JsonObject = {
            view.name: {"pid": view.pid, "log": str(view.log), "alive": view.alive, "exit_code": view.exit_code}
            for view in views
        }
        with self._lock:
            if table != self._state["processes"]:
                self._state["processes"] = table
                self._write()

    def progress(self, what: str, detail: str) -> None:
        """Tell how far the start is; at most five times a second."""
        with self._lock:
            self._state["progress"] = f"{what}: {detail}"
            if time.monotonic() - self._written > _EVERY_S:
                self._write()

    def note(self, text: str) -> None:
        """Tell one sentence that a human should read."""
        with self._lock:
            self._notes.append(text)
            self._write()

    def _set(self, **changes: Json) -> None:
        with self._lock:
            self._state.update(changes)
            self._write()

    def _write(self) -> None:
        self._folder.write(self._state)
        self._written = time.monotonic()
