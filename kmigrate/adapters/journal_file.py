"""The journal on disk: one file, one writer, every line durable before it counts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from kmigrate.errors import JournalError, PlatformError


class JournalFile:
    """Lines in a file (journal.Lines), locked for one process as long as this object lives.

    Raises JournalError when another process holds it, saying who. A torn last line is cut off: it was never durable.
    """

    def __init__(self, folder: Path, holder: str, *, read_only: bool = False) -> None:
        self._path = folder / "journal.jsonl"
        self._read_only = read_only
        if read_only:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._claim(holder)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._cut_torn_line()
            _sync_folder(folder)
        except OSError as error:
            raise PlatformError(
                f"the journal in {folder} cannot be written: {error.strerror}",
                hint="give this user the right to write there, free space, or set journal.store in the plan file",
            ) from error

    def lines(self) -> Iterator[str]:
        """Every whole line, oldest first; none if there is no file."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise PlatformError(
                f"the journal {self._path} cannot be read: {error.strerror}",
                hint="give this user the right to read it, or set journal.store in the plan file",
            ) from error
        for line in data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]:
            yield line.decode("utf-8", errors="replace")

    def append(self, line: str) -> None:
        """Write one line; it is on disk when this returns. A line that cannot be written whole is taken back."""
        assert not self._read_only, "a journal opened to read is never written"
        size = os.fstat(self._file).st_size
        data = line.encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            raise PlatformError(
                f"the journal {self._path} cannot be written: {error.strerror}",
                hint="nothing was changed after the last line in it; free space, then run the same command again",
            ) from error

    def close(self) -> None:
        """Give the journal free for other processes."""
        if not self._read_only:
            os.close(self._file)
            os.close(self._lock)

    def _claim(self, holder: str) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = os.pread(self._lock, 200, 0).decode(errors="replace").strip()
            raise JournalError(
                f"another kmigrate works on this migration: {other or 'unknown'}",
                hint="wait until it ends; `kmigrate status` can look meanwhile",
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, holder.encode(), 0)

    def _cut_torn_line(self) -> None:
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.ftruncate(self._file, whole)
            os.fsync(self._file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
