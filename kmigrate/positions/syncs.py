"""The mirror's own marks: which original was written where, per partition, all of them kept.

An offset sync of MirrorMaker 2 says that the record at one offset of the originals lies at another among the copies
(org.apache.kafka.connect.mirror.OffsetSync). Its own store forgets all but some twenty per partition; this one forgets
none, so a group that lags by millions finds marks as close as one at the head.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kmigrate.model import Bracket, OffsetRange, Partition, Sync


@dataclass(slots=True)
class SyncIndex:
    """All syncs of a partition, in the order in which they were written; 16 bytes each.

    Positions are bracketed by rising syncs only: those with a higher original than every sync that lies before them
    among the copies. A mirror that crashed writes some records again, and a sync of such a second copy would bracket
    too late (`mirrormaker2.md` §3.3).
    """

    _originals: array[int] = field(default_factory=lambda: array("q"))
    _copies: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self._originals)

    def __iter__(self) -> Iterator[Sync]:
        return map(Sync, self._originals, self._copies)

    @property
    def newest(self) -> Sync | None:
        """The one furthest on."""
        return self._at(len(self._originals) - 1)

    def add(self, sync: Sync) -> None:
        """Take one more; most come in order, and one that does not has the index made anew."""
        if not self._copies or sync.copy > self._copies[-1]:
            if not self._originals or sync.original > self._originals[-1]:
                self._originals.append(sync.original)
                self._copies.append(sync.copy)
        elif sync.original != self._originals[-1]:
            self._insert(sync)

    def bracket(self, position: int, *, by_copy: bool = False, skip: int = 0) -> Bracket:
        """The syncs around a position among the originals, or among the copies; `skip` takes so many fewer near ones.

        `low` lies before the position, `high` at or after it.
        """
        at = bisect_left(self._copies if by_copy else self._originals, position)
        return Bracket(self._at(at - 1 - skip), self._at(at + skip))

    def within(self, originals: OffsetRange, copies: OffsetRange) -> SyncIndex:
        """Those whose record and copy lie in these ranges."""
        low = max(bisect_left(self._originals, originals.start), bisect_left(self._copies, copies.start))
        high = min(bisect_left(self._originals, originals.end), bisect_left(self._copies, copies.end))
        return SyncIndex(self._originals[low:high], self._copies[low:high])

    def pack(self) -> bytes:
        """All of it as bytes, 16 per sync, for `unpack` on a machine of the same byte order."""
        return self._originals.tobytes() + self._copies.tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> SyncIndex:
        """What `pack` gave."""
        half = len(data) // 2
        return cls(array("q", data[:half]), array("q", data[half:]))

    def _at(self, number: int) -> Sync | None:
        if not 0 <= number < len(self._originals):
            return None
        return Sync(self._originals[number], self._copies[number])

    def _insert(self, late: Sync) -> None:
        """A sync that lies among the copies before the newest one: it may overtake others that are not rising then."""
        at = bisect_left(self._copies, late.copy)
        if self._copies[at] == late.copy and self._originals[at] != late.original:
            del self._originals[at], self._copies[at]  # of two that name one copy neither bounds anything
            return
        if at and self._originals[at - 1] >= late.original:
            return
        del_to = at
        while del_to < len(self._originals) and self._originals[del_to] <= late.original:
            del_to += 1
        self._originals[at:del_to] = array("q", [late.original])
        self._copies[at:del_to] = array("q", [late.copy])


def read_sync(key: bytes | None, value: bytes | None) -> tuple[Partition, Sync] | None:
    """Decode a record of an offset-syncs topic; None for one that cannot be read, which bounds nothing.

    Key: STRING topic, INT32 partition; value: INT64 upstream offset, INT64 downstream offset, no version
    (OffsetSync.KEY_SCHEMA, VALUE_SCHEMA). Bytes that follow are tolerated; a tombstone has no value.
    """
    if key is None or value is None or len(value) < 16 or len(key) < 2:
        return None
    (size,) = struct.unpack_from(">h", key)
    if size < 0 or len(key) < 2 + size + 4:
        return None
    try:
        topic = key[2 : 2 + size].decode()
    except UnicodeDecodeError:
        return None
    (number,) = struct.unpack_from(">i", key, 2 + size)
    original, copy = struct.unpack_from(">qq", value)
    if not topic or min(number, original, copy) < 0:
        return None
    return Partition(topic, number), Sync(original, copy)


class MirrorsOwn(NamedTuple):
    """An MM2 checkpoint: where MirrorMaker 2 itself would put a group, and the position it took that from."""

    upstream: int
    downstream: int


def read_checkpoint(key: bytes | None, value: bytes | None) -> tuple[str, Partition, MirrorsOwn] | None:
    """Decode a record of a checkpoints topic: group, target partition, offsets; None for one that cannot be read.

    Key: STRING group, STRING topic, INT32 partition; value: INT16 version 0, INT64 upstream, INT64 downstream,
    STRING metadata (org.apache.kafka.connect.mirror.Checkpoint). An unknown version is not read.
    """
    if key is None or value is None or len(value) < 18:
        return None
    group, rest = _string(key)
    topic, rest = _string(rest)
    version, upstream, downstream = struct.unpack_from(">hqq", value)
    if not group or not topic or len(rest) < 4 or version != 0:
        return None
    (number,) = struct.unpack_from(">i", rest)
    return group, Partition(topic, number), MirrorsOwn(upstream, downstream)


def _string(data: bytes) -> tuple[str, bytes]:
    """A STRING and what follows it; empty when it cannot be read."""
    if len(data) < 2:
        return "", b""
    (size,) = struct.unpack_from(">h", data)
    if size < 0 or len(data) < 2 + size:
        return "", b""
    try:
        return data[2 : 2 + size].decode(), data[2 + size :]
    except UnicodeDecodeError:
        return "", b""
