"""The journal on disk: one file, one writer, every line durable before it counts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from kmigrate.errors import JournalError, PlatformError
from kmigrate.private import private_folder

_AGAIN = (
    "nothing was changed. Put journal.jsonl and journal.head back from a copy; where the migration is claimed on the"
    " target, moving both away will do: the same command then takes up what is there"
)
_DIGITS = 18


class JournalFile:
    """Lines in a file (journal.Lines), locked for one process as long as this object lives.

    `journal.head`, written after each line, holds the number and the SHA-256 of the last one: a last line that was
    edited or removed is found. After a crash between the two writes the head is one line behind, which is mended; in
    that one case an edit of the line after it goes unseen. A torn last line is cut off: it was never durable.
    Raises JournalError when another process holds the journal, saying who and since when, or when the head disagrees;
    PlatformError when it cannot be read or written.
    """

    def __init__(self, folder: Path, holder: str, *, read_only: bool = False) -> None:
        self._path, self._head_path = folder / "journal.jsonl", folder / "journal.head"
        self._read_only = read_only
        self._count, self._last = 0, b""
        self._before = (0, 0, b"")
        self._open: list[int] = []
        if read_only:
            return
        try:
            self._take(folder, holder)
        except OSError as error:
            self.close()
            raise _unwritable(f"the journal in {folder}", error) from error
        except BaseException:
            self.close()
            raise

    def lines(self) -> Iterator[str]:
        """Every whole line, oldest first; none if there is no file. A reader may see a writer go on meanwhile."""
        for line in self._whole_lines():
            yield line.decode("utf-8", errors="replace")

    @property
    def place(self) -> str:
        """What no other folder is called, on whatever machine; empty for one that nobody ever held."""
        try:
            lock = (self._path.parent / "journal.lock").stat()
        except FileNotFoundError:
            return ""
        return f"{socket.gethostname()}:{self._path.parent.resolve()}:{lock.st_ino}"

    @property
    def count(self) -> int:
        """How many lines there are in a journal that is held."""
        return self._count

    def append(self, line: str) -> None:
        """Write one line; it is on disk when this returns. A line that cannot be written whole is taken back."""
        assert not self._read_only, "a journal opened to read is never written"
        size = os.fstat(self._file).st_size
        data = line.encode()
        try:
            _write_all(self._file, data + b"\n")
            os.fsync(self._file)
            self._write_head(self._count + 1, data)
        except OSError as error:
            self._restore(size)
            raise PlatformError(
                f"the journal {self._path} cannot be written: {error.strerror}",
                hint="nothing was changed after the last line in it; free space, then run the same command again",
            ) from error
        self._before = (size, self._count, self._last)
        self._count, self._last = self._count + 1, data

    def take_back(self) -> None:
        """Remove the line that was written last, before anything relied on it; once after each line."""
        size, self._count, self._last = self._before
        self._restore(size)

    def close(self) -> None:
        """Give the journal free for other processes."""
        while self._open:
            os.close(self._open.pop())

    def _take(self, folder: Path, holder: str) -> None:
        private_folder(folder)
        self._claim(self._opened(folder / "journal.lock"), holder)
        self._whole_lines()  # before a file is made or a torn line cut: who is refused finds everything as it was
        self._file = self._opened(self._path, os.O_APPEND)
        self._head = self._opened(self._head_path)
        self._cut_torn_line()
        lines = self._whole_lines()
        self._count, self._last = len(lines), lines[-1] if lines else b""
        self._write_head(self._count, self._last)
        _sync_folder(folder)
        _sync_folder(folder.parent)

    def _opened(self, path: Path, flags: int = 0) -> int:
        self._open.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | flags, 0o600))
        if not stat.S_ISREG(os.fstat(self._open[-1]).st_mode):
            raise _unwritable(str(path), OSError(0, "it is no plain file"))
        return self._open[-1]

    def _claim(self, lock: int, holder: str) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = os.pread(lock, 300, 0).decode(errors="replace").strip()
            raise JournalError(
                f"another kmigrate works on this migration: {other or 'unknown'}",
                hint="wait until it ends; `kmigrate status` can look meanwhile",
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{holder}, since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}\n".encode(), 0)

    def _cut_torn_line(self) -> None:
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.ftruncate(self._file, whole)
            os.fsync(self._file)

    def _whole_lines(self) -> Sequence[bytes]:
        """The lines, agreeing with the head. A writer may go on meanwhile: it is taken before the lines and after."""
        try:
            before = self._read_head()
            data = _plain(self._path)
            after = self._read_head()
        except OSError as error:
            raise PlatformError(
                f"the journal {self._path} cannot be read: {error.strerror}",
                hint="give this user the right to read it, or set journal.store in the plan file",
            ) from error
        lines = data.split(b"\n")[:-1]
        self._agree(lines, *before)
        self._finished(lines, after[0])
        return lines

    def _read_head(self) -> tuple[int, str]:
        """Number and hash of the last line that was finished; nothing yet before the first."""
        text = _plain(self._head_path).decode("ascii", errors="replace")
        number, _, told = text.strip().partition(" ")
        if not number:
            return 0, _digest(b"")
        if not number.isdecimal() or len(number) > _DIGITS:
            raise JournalError(f"{self._head_path} is damaged", hint=_AGAIN)
        return int(number), told

    def _finished(self, lines: Sequence[bytes], number: int) -> None:
        """Only the last line may still wait for its head, and the head is made before the first line."""
        if lines and not self._head_path.exists():
            raise JournalError(f"{self._head_path} is missing, yet {self._path} has lines", hint=_AGAIN)
        if number < len(lines) - 1:
            foreign = f"{self._path} has {len(lines)} lines, of which kmigrate wrote {number}"
            raise JournalError(f"{foreign}, or journal.head is an old one", hint=_AGAIN)

    def _agree(self, lines: Sequence[bytes], number: int, told: str) -> None:
        if number > len(lines):
            missing = f"{self._path} ends at line {len(lines)}, yet line {number} was written: its end was removed"
            raise JournalError(missing, hint=_AGAIN)
        if told != _digest(lines[number - 1] if number else b""):
            raise JournalError(f"{self._path}, line {number} is not what was written: it was edited", hint=_AGAIN)

    def _write_head(self, number: int, line: bytes) -> None:
        # one length always, well within a sector: it is written in place, whole or not at all, also on a full disk
        os.pwrite(self._head, f"{number:012d} {_digest(line)}\n".encode(), 0)
        os.fsync(self._head)

    def _restore(self, size: int) -> None:
        """Put line and head back; where even that fails, the next opening tells what is there."""
        with contextlib.suppress(OSError):
            self._write_head(self._count, self._last)
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, size)


def _unwritable(what: str, error: OSError) -> PlatformError:
    return PlatformError(
        f"{what} cannot be written: {error.strerror}",
        hint="give this user the right to write there, free space, or set journal.store in the plan file",
    )


def _plain(path: Path) -> bytes:
    """All of a file, nothing for one that is not there; what is no plain file may never end, and is not opened."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unreadable(path)
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _unreadable(path: Path) -> PlatformError:
    return PlatformError(
        f"the journal {path} cannot be read: it is no plain file",
        hint="put the file there, or set journal.store in the plan file to another folder",
    )


def _digest(line: bytes) -> str:
    return sha256(line).hexdigest()


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
