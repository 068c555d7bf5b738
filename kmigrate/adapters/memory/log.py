"""A partition's log as it lies on a disk: records, markers, transactions open and aborted, and where it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from kmigrate.adapters.memory.state import State
from kmigrate.model import Record


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at an offset: a record with the number it was written under, or a marker or hole (None)."""

    offset: int
    record: Record | None
    number: int = -1


@dataclass(slots=True)
class Log(State):
    """Entries by offset; those below `start` are gone. `open_since` has the first offset of each open transaction."""

    entries: list[Entry] = field(default_factory=list)
    start: int = 0
    open_since: dict[str, int] = field(default_factory=dict)
    aborted: set[int] = field(default_factory=set)
    _open: dict[str, list[int]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The high watermark."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """The last stable offset: where the first open transaction began, else the high watermark."""
        return min(self.open_since.values()) if self.open_since else len(self.entries)

    def put(self, timestamp: int, told: bytes, number: int = -1, *, transaction: str = "") -> None:
        """Append a record, within a transaction if one is named."""
        if transaction:
            self.open_since.setdefault(transaction, self.end)
            self._open.setdefault(transaction, []).append(self.end)
        offset = self.end
        self.entries.append(Entry(offset, Record(offset=offset, timestamp=timestamp, digest=told), number))

    def mark(self) -> None:
        """Append the marker of a transaction."""
        self.entries.append(Entry(self.end, None))

    def commit(self, transaction: str) -> None:
        """End a transaction: its records stay, and its marker follows."""
        self.open_since.pop(transaction, None)
        self._open.pop(transaction, None)
        self.mark()

    def abort(self, transaction: str) -> None:
        """End a transaction: committed readers never see its records, and its marker follows."""
        self.aborted.update(self._open.pop(transaction, ()))
        self.open_since.pop(transaction, None)
        self.mark()

    def expire(self, start: int) -> None:
        """Retention takes what lies below `start`."""
        self.start = max(self.start, start)
        for offset in range(self.start):
            self.forget(offset)

    def forget(self, offset: int) -> None:
        """Compaction takes the record at an offset and leaves a hole."""
        self.entries[offset] = Entry(offset, None)

    def visible(
        self, start: int = 0, end: int | None = None, *, committed: bool = True, limit: int | None = None
    ) -> list[Entry]:
        """The records of a half-open range that such a reader sees, in order, at most `limit` of them."""
        last = self.stable if committed else self.end
        stop = last if end is None else min(end, last)
        first, hidden = max(start, self.start), self.aborted if committed else ()
        if limit is None and not hidden:
            return [entry for entry in self.entries[first:stop] if entry.record is not None]
        return list(islice(self._seen(first, stop, hidden), limit))

    def first_at(self, time: int) -> int:
        """The first offset whose record is of that time or later; the last stable offset if there is none."""
        later = (e.offset for e in self._seen(self.start, self.stable, self.aborted) if _time(e) >= time)
        return next(later, self.stable)

    def _seen(self, start: int, stop: int, hidden: Collection[int]) -> Iterator[Entry]:
        for offset in range(start, stop):
            entry = self.entries[offset]
            if entry.record is not None and offset not in hidden:
                yield entry


def _time(entry: Entry) -> int:
    return entry.record.timestamp if entry.record is not None else -1
