"""`lab up`, `lab status`, `lab down`: the lab seen from outside its supervisor."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from kmigrate.errors import Blocked, KmigrateError, PlatformError, StillUnderWay, UsageError
from kmigrate.lab.folder import ENVIRONMENT, LabFolder, foreign
from kmigrate.lab.runtime.board import UP
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.status import LabStatus, integer, status, survivors
from kmigrate.model import JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

_MEMORY_MB = {1: 1_500, 3: 3_000}
_API_SERVER_MB = 700
_DISK_MB = 2_000
_UP_DEADLINE_MS = 600_000
_DOWN_DEADLINE_MS = 60_000
_GONE_DEADLINE_MS = 10_000
_PATIENCE_MS = 3_000
_STAY = b"stay\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A lab that is up; we hold its stdin open while it shall end with us."""

    folder: LabFolder
    supervisor: subprocess.Popen[bytes]

    @property
    def facts(self) -> JsonObject:
        """Endpoints and credential files by part."""
        return status(self.folder).facts

    def down(self, *, clock: Clock, reporter: Reporter) -> None:
        """Take it down, and let go of its supervisor."""
        try:
            down(self.folder, clock=clock, reporter=reporter)
        finally:
            if self.supervisor.stdin is not None:
                self.supervisor.stdin.close()
            self.supervisor.wait()

    def close(self) -> None:
        """Let go of a lab that shall end with us: it begins to end, without waiting; `down` waits and cleans up."""
        if self.supervisor.stdin is not None:
            self.supervisor.stdin.close()


def up(
    folder: LabFolder,
    *,
    brokers: int,
    users: Sequence[str],
    empty: bool,
    clock: Clock,
    reporter: Reporter,
    stay: bool = True,
    module: str = "kmigrate.lab.supervisor",
    kubernetes: bool = False,
    operator_ms: int = 0,
) -> Lab:
    """Start a lab and follow it until it is up; interrupted or failed, everything is down again.

    With `stay` it outlives us, else it ends when we do, however we end. Raises Blocked when one runs, UsageError for
    an unusable folder, PlatformError for too little memory or disk or what the supervisor says.
    """
    _refuse_second(folder)
    check_memory(brokers, free_memory(), kubernetes=kubernetes)
    folder.create()
    check_disk(folder.root, shutil.disk_usage(folder.root).free)
    _remove(folder, keep_marker=True)
    more = [*(["--empty"] if empty else []), *(["--kubernetes"] if kubernetes else [])]
    supervisor = _launch(folder, brokers, users, module, [*more, "--operator-ms", str(operator_ms)])
    threading.Thread(target=supervisor.wait, daemon=True, name="reap the supervisor").start()
    try:
        _follow(folder, supervisor, clock, reporter)
        if stay:
            _detach(supervisor)
    except BaseException:
        _end(supervisor)
        _await_empty(folder, LabClock(), reporter)
        raise
    return Lab(folder=folder, supervisor=supervisor)


def down(folder: LabFolder, *, clock: Clock, reporter: Reporter) -> bool:
    """Take the lab down and remove what it made; whether there was anything to do. Twice equals once.

    Raises UsageError for a folder that is no lab's, StillUnderWay when a process outlives the kill.
    """
    if not folder.marker.exists():
        _refuse_stranger(folder.root)
        return False
    if folder.root.stat().st_uid != os.getuid():
        raise foreign(folder.root)
    if folder.running():
        _ask_to_end(folder, clock, reporter)
    _await_empty(folder, clock, reporter)
    _remove(folder, keep_marker=False)
    return True


# ---- up ----


def _refuse_second(folder: LabFolder) -> None:
    if not folder.running():
        return
    seen = status(folder)
    since = time.strftime("%H:%M:%S", time.localtime((seen.since or 0) / 1000))
    source = seen.facts.get("source")
    where = f", source at {source.get('bootstrap')}" if isinstance(source, Mapping) else ""
    raise Blocked(
        f"a lab is {seen.phase} in {folder.root}: pid {seen.pid}, since {since}, {seen.brokers} broker(s){where}",
        hint="kmigrate lab status shows it, kmigrate lab down ends it, --folder makes another",
    )


def check_memory(brokers: int, free: int, *, kubernetes: bool = False) -> None:
    """Raise PlatformError when `free` bytes are too few for that many brokers per cluster, and an API server."""
    needed = _MEMORY_MB[brokers] + (_API_SERVER_MB if kubernetes else 0)
    if free >> 20 < needed:
        raise PlatformError(
            f"the lab with {brokers} broker(s) per cluster needs {needed} MB of memory and {free >> 20} MB are free",
            hint="close other programs" + (", or use --brokers 1" if brokers > 1 else ""),
        )


def free_memory() -> int:
    """Bytes free on the machine, or in our control group when that is less (cgroup v2)."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, limit - used)
    return free


def check_disk(root: Path, free: int) -> None:
    """Raise PlatformError when `free` bytes are too few for a lab."""
    if free // 1_000_000 < _DISK_MB:
        raise PlatformError(
            f"the lab needs {_DISK_MB} MB of disk and {root} has {free // 1_000_000} MB",
            hint="free some, or name a folder on another disk with --folder",
        )


def _launch(
    folder: LabFolder, brokers: int, users: Sequence[str], module: str, more: Sequence[str]
) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", module, "--folder", str(folder.root.absolute()), "--brokers", str(brokers)]
    argv += ["--users", ",".join(users), "--until-stdin-closes", *more]
    with os.fdopen(os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, ENVIRONMENT: str(folder.root.absolute())},
            start_new_session=True,
        )


def _follow(folder: LabFolder, supervisor: subprocess.Popen[bytes], clock: Clock, reporter: Reporter) -> None:
    told = 0

    def look() -> Ready[None] | NotYet:
        nonlocal told
        ended = supervisor.poll()
        seen = status(folder)
        for note in seen.notes[told:]:
            reporter.note(note)
        told = max(told, len(seen.notes))
        if ended is not None:
            raise _failure(folder, seen, ended)
        return Ready(None) if seen.phase == UP else NotYet(seen.progress)

    wait_until(
        look,
        what="lab",
        clock=clock,
        reporter=reporter,
        deadline_ms=_UP_DEADLINE_MS,
        every_ms=50,
        slowest_ms=100,
    )


def _failure(folder: LabFolder, seen: LabStatus, exit_code: int) -> KmigrateError:
    if seen.error:
        error = KmigrateError(seen.error, hint=seen.hint)
        error.exit_code = seen.exit_code
        return error
    words = folder.log.read_text(errors="replace").strip().splitlines()
    last = words[-1] if words else "it said nothing"
    return PlatformError(f"the lab's supervisor ended with {exit_code}: {last}", hint=f"read {folder.log}")


def _detach(supervisor: subprocess.Popen[bytes]) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.write(_STAY)
    supervisor.stdin.close()


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    try:
        supervisor.wait(_DOWN_DEADLINE_MS / 1000)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


# ---- down ----


def _refuse_stranger(root: Path) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if any(root.iterdir()):
            raise UsageError(f"{root} is no lab's folder: nothing was touched", hint="name the lab's with --folder")


def _ask_to_end(folder: LabFolder, clock: Clock, reporter: Reporter) -> None:
    """SIGTERM to the supervisor, SIGKILL after a minute; its reaper then kills the rest."""
    _signal(folder, kill=False)

    def look() -> Ready[None] | NotYet:
        return NotYet("stopping") if folder.running() else Ready(None)

    try:
        wait_until(look, what="lab", clock=clock, reporter=reporter, deadline_ms=_DOWN_DEADLINE_MS, slowest_ms=100)
    except StillUnderWay:
        _signal(folder, kill=True)


def _signal(folder: LabFolder, *, kill: bool) -> None:
    """To the pid of `lab.json`, if that still is the process that wrote it."""
    said = folder.read()
    with contextlib.suppress(psutil.NoSuchProcess, KeyError):
        process = psutil.Process(integer(said["pid"]))
        started = said["started"]
        if isinstance(started, int | float) and abs(process.create_time() - started) < 1:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)


def _await_empty(folder: LabFolder, clock: Clock, reporter: Reporter) -> None:
    """Until no process of the lab is left; what the supervisor and its reaper leave over is killed."""
    patience = clock.monotonic_ms() + _PATIENCE_MS

    def look() -> Ready[None] | NotYet:
        left = survivors(folder)
        if left and clock.monotonic_ms() > patience:
            _kill(left)
        return NotYet(f"{len(left)} processes end") if left else Ready(None)

    wait_until(look, what="lab", clock=clock, reporter=reporter, deadline_ms=_GONE_DEADLINE_MS)


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).kill()


def _remove(folder: LabFolder, *, keep_marker: bool) -> None:
    """Remove what a lab makes, nothing else; the folder too when it is empty then."""
    for path in folder.made():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != folder.marker or not keep_marker:
            path.unlink(missing_ok=True)
    if not keep_marker:
        with contextlib.suppress(OSError):
            folder.root.rmdir()
