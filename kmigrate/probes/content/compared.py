"""What is compared in a partition, and how far that has come; both can be kept in a journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kmigrate.model import Json, OffsetRange, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The same place on both sides: the copy of the source's last record before `source` is the last before `target`.

    `seen` is where the target's log ended just after that was found. `unknown` says why the place on the target could
    not be told exactly; then `target` is `seen`, and copies of younger records may stand before it.
    """

    source: int
    target: int
    seen: int
    unknown: str = ""

    def on(self, side: Side) -> int:
        """The end on a side."""
        return self.source if side is Side.SOURCE else self.target

    def told(self) -> Json:
        """For the journal."""
        return [self.source, self.target, self.seen, self.unknown]

    @classmethod
    def read(cls, told: Json) -> Ends:
        """Read what `told` gave."""
        assert isinstance(told, list | tuple)
        source, target, seen, unknown = told
        return cls(source=_int(source), target=_int(target), seen=_int(seen), unknown=str(unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How many records and bytes (keys, values, headers) were found equal, and in which ranges of offsets.

    On a compacted partition `records` counts keys that have a value. `gone`: keys that only the target has, since
    retention took the source's. `rewritten`: keys not compared, because they were written again since.
    """

    source: OffsetRange
    target: OffsetRange
    records: int = 0
    size: int = 0
    finished: bool = False
    gone: int = 0
    rewritten: int = 0

    def on(self, side: Side) -> OffsetRange:
        """The range on a side."""
        return self.source if side is Side.SOURCE else self.target

    def told(self) -> Json:
        """For the journal."""
        return {
            "source": [self.source.start, self.source.end],
            "target": [self.target.start, self.target.end],
            "records": self.records,
            "bytes": self.size,
            "finished": self.finished,
            **({"gone": self.gone} if self.gone else {}),
            **({"rewritten": self.rewritten} if self.rewritten else {}),
        }

    @classmethod
    def read(cls, told: Json) -> Compared:
        """Read what `told` gave."""
        assert isinstance(told, dict)
        return cls(
            source=OffsetRange(start=told["source"][0], end=told["source"][1]),
            target=OffsetRange(start=told["target"][0], end=told["target"][1]),
            records=_int(told["records"]),
            size=_int(told["bytes"]),
            finished=bool(told["finished"]),
            gone=_int(told.get("gone", 0)),
            rewritten=_int(told.get("rewritten", 0)),
        )


def total(compared: Iterable[Compared]) -> int:
    """How many records were found equal."""
    return sum(each.records for each in compared)


def _int(told: object) -> int:
    assert isinstance(told, int)
    return told
