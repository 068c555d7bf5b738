"""One order of identities for a partition that lives on two clusters."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kmigrate.lab.auditor.log import LogRecord, copies


@dataclass(frozen=True, slots=True)
class SideView:
    """Where a cluster's offsets lie; `furthest` is the highest index among a record and those before it."""

    offsets: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    furthest: list[int] = field(default_factory=list)

    def index(self, offset: int) -> int | None:
        """The place of the record at this offset; None when there is no committed record."""
        at = bisect_left(self.offsets, offset)
        return self.indexes[at] if at < len(self.offsets) and self.offsets[at] == offset else None

    def position(self, offset: int) -> int:
        """How far a reader is in the history whose next offset this is."""
        before = bisect_left(self.offsets, offset)
        return self.furthest[before - 1] + 1 if before else 0


@dataclass(frozen=True, slots=True)
class History:
    """A partition's records by index 0, 1, 2 …: identity and time; and how each side's offsets map to it."""

    identities: list[str] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    sides: dict[str, SideView] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.identities)

    def between(self, start_ms: int, end_ms: int) -> int:
        """How many records carry a time within the span; times of one partition hardly ever go back."""
        return max(0, bisect_right(self.timestamps, end_ms) - bisect_left(self.timestamps, start_ms))


def build(logs: Mapping[str, Iterable[LogRecord]]) -> History:
    """Merge the logs of a partition, in the order of the mapping; a copy too many maps to the last rightful one."""
    history = History()
    known: dict[tuple[str, int], int] = {}
    for side, records in logs.items():
        view = history.sides[side] = SideView()
        met: dict[str, int] = {}
        furthest = -1
        for record in records:
            met[record.identity] = met.get(record.identity, 0) + 1
            name = (record.identity, min(met[record.identity], copies(record.identity)))
            if name not in known:
                known[name] = len(history.identities)
                history.identities.append(record.identity)
                history.timestamps.append(record.timestamp)
            furthest = max(furthest, known[name])
            view.offsets.append(record.offset)
            view.indexes.append(known[name])
            view.furthest.append(furthest)
    return history
