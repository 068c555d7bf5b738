"""The last record of every key of a partition, with bounded memory: rows go to a temporary file, by part of the keys.

A row takes 40 bytes on disk. In memory one part at a time is held, about 200 bytes per key and side; a part of more
than MOST_KEYS keys is refused.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from types import TracebackType

from kmigrate.errors import Blocked, PlatformError
from kmigrate.model import KEYED_ROW

MOST_KEYS = 500_000
MOST_PARTS = 256
PER_PART = 250_000
_BUFFERED, _LEAST = 1_048_576, 4_096
"""Bytes of rows held back before they are written, of all parts and of one."""
_WHO = 16
REST = 8
"""Where, in a row without its key, the digest of the rest begins, after the offset."""
TOMBSTONE = bytes(KEYED_ROW - _WHO - REST)
_ROWS = struct.Struct(f"{_WHO}s{KEYED_ROW - _WHO}s")


def parts_for(offsets: int, per_part: int = PER_PART) -> int:
    """Into how many parts, a power of two, the keys of so many offsets are cut."""
    parts = 1
    while parts < MOST_PARTS and parts * per_part < offsets:
        parts *= 2
    return parts


@dataclass(frozen=True, slots=True)
class Last:
    """The last record of a key: its offset, and the digest of all but the key (None for a tombstone)."""

    offset: int
    digest: bytes | None


class Spill:
    """Rows of one side of a partition, in order within each part; a context that removes its file."""

    def __init__(self, parts: int, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._buffer = max(_LEAST, _BUFFERED // parts)
        self._buffers = [bytearray() for _ in range(parts)]
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(parts)]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed where the context ends
        self._length = 0

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, part: int, rows: bytes) -> None:
        """Append rows to a part."""
        buffer = self._buffers[part]
        buffer += rows
        if len(buffer) >= self._buffer:
            try:
                self._file.seek(self._length)
                self._file.write(buffer)
            except OSError as error:
                told = f"the temporary file of the content proof cannot be written: {error.strerror}"
                raise PlatformError(told, hint="free space where TMPDIR points, 40 bytes per record") from error
            self._places[part].append((self._length, len(buffer)))
            self._length += len(buffer)
            buffer.clear()

    def last(self, part: int) -> dict[bytes, bytes]:
        """The last row of each key of a part, without the key; raises Blocked for too many keys."""
        found: dict[bytes, bytes] = {}
        for start, length in self._places[part]:
            self._file.seek(start)
            self._fold(found, self._file.read(length))
        self._fold(found, bytes(self._buffers[part]))
        return found

    def _fold(self, found: dict[bytes, bytes], rows: bytes) -> None:
        found.update(_ROWS.iter_unpack(rows))
        if len(found) > self._most_keys:
            raise Blocked(
                f"a compacted partition has more keys than can be compared: {self._most_keys * len(self._buffers):,}",
                hint="leave the topic out of the full comparison, and compare it by a means of its own",
            )


def last(row: bytes) -> Last:
    """Read what is left of a row without its key."""
    digest = row[REST:]
    return Last(offset=int.from_bytes(row[:REST], "big"), digest=None if digest == TOMBSTONE else digest)
