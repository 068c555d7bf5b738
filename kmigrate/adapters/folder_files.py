"""Files of the folder store: the lock over processes, and replacing a file: a death leaves old or new, never half."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from kmigrate.errors import PlatformError, Transient
from kmigrate.private import private_folder
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Reporter

_LOCK_DEADLINE_MS = 30_000


@contextlib.contextmanager
def locked(root: Path, clock: Clock, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of the store (flock(2): it ends with its process); StillUnderWay after 30 s of waiting.

    Who reads (`shared`) makes nothing: where no lock is, nobody ever wrote, and there is nothing to hold.
    """
    handle = _lock_file(root, shared=shared)
    if handle is None:
        yield
        return
    try:
        wait_until(
            _taking(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX),
            what=f"lock of the folder store {root}",
            clock=clock,
            reporter=Reporter(),
            deadline_ms=_LOCK_DEADLINE_MS,
            every_ms=1,
            slowest_ms=10,
        )
        yield
    finally:
        os.close(handle)


def _lock_file(root: Path, *, shared: bool) -> int | None:
    try:
        if shared:
            return os.open(root / ".lock", os.O_RDONLY)
        private_folder(root)
        return os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (FileNotFoundError, NotADirectoryError) as error:
        if shared:
            return None
        raise _unusable(root, error) from error
    except OSError as error:
        raise _unusable(root, error) from error


def _unusable(root: Path, error: OSError) -> PlatformError:
    return PlatformError(
        f"the folder store {root} cannot be used: {error.strerror}",
        hint="give this user its rights, or correct target.store in the plan file",
    )


def _taking(handle: int, mode: int) -> Callable[[], Ready[None] | NotYet]:
    def look() -> Ready[None] | NotYet:
        try:
            fcntl.flock(handle, mode | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Transient("another process writes") from error
        return Ready(None)

    return look


def replace(path: Path, text: str, *, durable: bool = True) -> None:
    """Put `text` at `path`, mode 0600, with `durable` on disk when this returns; the caller holds the lock.

    One name for the half-written file is enough since only the lock's holder writes, and a killed writer leaves one.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise PlatformError(f"cannot write {path}: {error}", hint="look at free space and rights") from error


def make_folder(folder: Path) -> None:
    """Make `folder` and the one above it, mode 0700."""
    for path in (folder.parent, folder):
        if not path.exists():
            path.mkdir(mode=0o700)
            sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in `folder` on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
