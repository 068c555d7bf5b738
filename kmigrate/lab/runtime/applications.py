"""Sample applications as processes, each kept running or stopped as a file in its folder wishes."""

from __future__ import annotations

import json
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime.process import Machine, ProcessSpec
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.world import Clock

_GRACE_MS = 10_000
_RESTART_MS = 500


class Applications:
    """Keeps every application below a folder as it is wished; call `tick` every 20 ms.

    NAME/command.json holds `{"argv": [...]}`; NAME/desired holds `running` or `stopped` and is replaced at once by
    whoever wishes; NAME/state.json tells `running`, `pid`, `desired`, `crashes`; NAME/output.log takes what it prints.
    An application that ends by itself is started again after half a second.
    """

    def __init__(self, folder: Path, machine: Machine, clock: Clock) -> None:
        self._folder = folder
        self._machine = machine
        self._clock = clock
        self._known: dict[str, _Application] = {}
        self._seen = -1

    def start(self) -> None:
        """Start what is wished."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tick()

    def tick(self) -> None:
        """Look at every wish and every process once; never waits."""
        changed = self._folder.stat().st_mtime_ns
        if changed != self._seen or any(not one.ready() for one in self._known.values()):
            self._seen = changed
            for path in sorted(self._folder.iterdir()):
                if path.is_dir() and path.name not in self._known:
                    self._known[path.name] = _Application(path, self._machine)
        for application in self._known.values():
            application.tick(self._clock.monotonic_ms())

    def stop(self) -> None:
        """End all applications, politely first; the wishes stay as they are."""
        self._machine.stop_all((one.process for one in self._known.values()), grace_ms=_GRACE_MS)
        for application in self._known.values():
            application.ended()


class _Application:
    def __init__(self, folder: Path, machine: Machine) -> None:
        self.process = f"app-{folder.name}"
        self._folder = folder
        self._machine = machine
        self._crashes = 0
        self._started = False
        self._start_at = 0
        self._kill_at = 0
        self._told: tuple[int | None, str, int] | None = None
        self._wish = ((0, 0), "stopped")

    def ready(self) -> bool:
        return (self._folder / "command.json").exists()

    def tick(self, now: int) -> None:
        desired = self._desired()
        alive = self._machine.alive(self.process)
        if self._started and not alive:
            self._note_end(now)
        if desired == "running" and not alive and now >= self._start_at:
            self._start(now)
        elif desired != "running" and alive:
            self._end(now)
        self._tell(desired)

    def _note_end(self, now: int) -> None:
        """An end that nobody asked for is a crash."""
        self._started = False
        if not self._kill_at:
            self._crashes += 1
            self._start_at = now + _RESTART_MS
        self._kill_at = 0

    def _start(self, now: int) -> None:
        argv = self._argv()
        if not argv:
            return
        try:
            self._machine.start(ProcessSpec(name=self.process, argv=argv, log=self._folder / "output.log"))
            self._started = True
        except PlatformError:
            self._crashes += 1
            self._start_at = now + _RESTART_MS

    def _end(self, now: int) -> None:
        if not self._kill_at:
            self._kill_at = now + _GRACE_MS
            self._machine.terminate(self.process)
        elif now >= self._kill_at:
            self._machine.kill(self.process)

    def ended(self) -> None:
        self._started = False
        self._tell(self._desired())

    def _desired(self) -> str:
        """The wish; read again only when the file is another one."""
        try:
            seen = (self._folder / "desired").stat()
        except FileNotFoundError:
            return "stopped"
        mark = (seen.st_ino, seen.st_mtime_ns)
        if mark != self._wish[0]:
            self._wish = (mark, (self._folder / "desired").read_text().strip())
        return self._wish[1]

    def _argv(self) -> tuple[str, ...]:
        try:
            command = json.loads((self._folder / "command.json").read_bytes())
            return tuple(str(part) for part in command["argv"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def _tell(self, desired: str) -> None:
        pid = self._machine.pid(self.process)
        told = (pid, desired, self._crashes)
        if told != self._told and self._folder.exists():
            state = {"running": pid is not None, "pid": pid, "desired": desired, "crashes": self._crashes}
            write_secret(self._folder / "state.json", json.dumps(state) + "\n")
            self._told = told
