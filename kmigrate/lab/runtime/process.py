"""The processes of a lab, which end when the process that started them ends, however it ends.

All of them share one process group, led by a reaper: a shell that waits for the end of a pipe. Only we hold the
writing end, so our death, kill -9 included, closes it; the reaper then kills the whole group and itself. A child that
is being born holds a copy of the pipe until its exec, when it is already in the group: there is no moment without
cover, and a group with a live leader cannot be somebody else's (setpgid(2), open(2) O_CLOEXEC).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from kmigrate.errors import PlatformError

_REAPER = "trap '' HUP INT QUIT TERM; read -r _; kill -KILL 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to start; `argv` holds no secret, `log` is appended to, `env` is added to ours."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessView:
    """A process as it is now; `pid` of one that ended is its last."""

    name: str
    pid: int
    log: Path
    alive: bool
    exit_code: int | None


class Machine:
    """Starts, watches and ends processes by name; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, tuple[ProcessSpec, subprocess.Popen[bytes]]] = {}
        ear, self._mouth = os.pipe()
        try:
            self._reaper = subprocess.Popen(
                ("/bin/sh", "-c", _REAPER, "lab-reaper"), stdin=ear, stdout=subprocess.DEVNULL, process_group=0
            )
        finally:
            os.close(ear)

    def start(self, spec: ProcessSpec) -> int:
        """Start it and return its pid; raises PlatformError when it runs already or cannot be started."""
        with self._lock:
            if spec.name in self._running and self._running[spec.name][1].poll() is None:
                raise PlatformError(f"process {spec.name} runs already", hint="stop it first")
            child = self._launch(spec)
            self._running[spec.name] = (spec, child)
            return child.pid

    def check(self) -> None:
        """Raise PlatformError when the reaper is gone, because then processes could outlive us."""
        if self._reaper.poll() is not None:
            raise PlatformError(
                "the lab's reaper is gone: processes would outlive the lab", hint="take the lab down and up again"
            )

    def _launch(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        self.check()
        try:
            spec.log.parent.mkdir(parents=True, exist_ok=True)
            with spec.log.open("ab") as log:
                return subprocess.Popen(
                    spec.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **spec.env},
                    cwd=spec.cwd,
                    process_group=self._reaper.pid,
                )
        except OSError as error:
            raise PlatformError(
                f"process {spec.name} cannot be started: {error}",
                hint=f"check that {spec.argv[0]} can be run and {spec.log.parent} written",
            ) from error

    def stop(self, name: str, *, grace_ms: int = 10_000) -> None:
        """Ask it to end (SIGTERM), kill it after the grace (milliseconds); twice equals once, unknown is fine."""
        child = self._child(name)
        if child is None or child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(grace_ms / 1000)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def terminate(self, name: str) -> None:
        """Ask it to end (SIGTERM) and do not wait."""
        self.signal(name, signal.SIGTERM)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to it, for example SIGSTOP; one that ended or is unknown gets none."""
        child = self._child(name)
        if child is not None:
            child.send_signal(number)

    def kill(self, name: str) -> None:
        """Kill it (SIGKILL) and wait until it is gone; unknown is fine."""
        child = self._child(name)
        if child is not None:
            child.kill()
            child.wait()

    def alive(self, name: str) -> bool:
        """Whether it runs."""
        child = self._child(name)
        return child is not None and child.poll() is None

    def pid(self, name: str) -> int | None:
        """Its pid while it runs, else None."""
        child = self._child(name)
        return child.pid if child is not None and child.poll() is None else None

    def exit_code(self, name: str) -> int | None:
        """What it ended with (negative: the signal); None while it runs or when it was never started."""
        child = self._child(name)
        return None if child is None else child.poll()

    def memory(self, name: str) -> int:
        """Resident bytes; 0 when it does not run."""
        pid = self.pid(name)
        return 0 if pid is None else resident_bytes(pid)

    def names(self) -> tuple[str, ...]:
        """Every process that was started and not forgotten, in the order of starting."""
        with self._lock:
            return tuple(self._running)

    def forget(self, name: str) -> None:
        """Leave one that ended out of `names` and `views`; one that runs stays."""
        with self._lock:
            if name in self._running and self._running[name][1].poll() is not None:
                del self._running[name]

    def views(self) -> tuple[ProcessView, ...]:
        """All processes as they are now."""
        with self._lock:
            entries = tuple(self._running.items())
        return tuple(_view(name, spec, child) for name, (spec, child) in entries)

    def stop_all(self, names: Iterable[str] | None = None, *, grace_ms: int = 3_000) -> None:
        """End many at once: SIGTERM to all, one common grace (milliseconds), then SIGKILL for the rest."""
        chosen = [self._child(name) for name in (self.names() if names is None else names)]
        children = [child for child in chosen if child is not None and child.poll() is None]
        for child in children:
            child.terminate()
        _wait_for(children, grace_ms)
        for child in children:
            child.kill()
            child.wait()

    def close(self) -> None:
        """End every process, the reaper last; the machine cannot be used afterwards."""
        self.stop_all(grace_ms=0)
        os.close(self._mouth)
        self._reaper.wait()

    def _child(self, name: str) -> subprocess.Popen[bytes] | None:
        with self._lock:
            entry = self._running.get(name)
        return None if entry is None else entry[1]


def _wait_for(children: Iterable[subprocess.Popen[bytes]], grace_ms: int) -> None:
    end = time.monotonic() + grace_ms / 1000
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, end - time.monotonic()))


def _view(name: str, spec: ProcessSpec, child: subprocess.Popen[bytes]) -> ProcessView:
    code = child.poll()
    return ProcessView(name=name, pid=child.pid, log=spec.log, alive=code is None, exit_code=code)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process in bytes; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
