"""What the ledger topic holds: who works on the migration, and every line of its journal (design §4.13)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from kmigrate.errors import JournalError
from kmigrate.journal import time_of

CLAIM, LINE = b"claim", b"line-"
"""The key of the claim's record, and how those of lines begin."""
_LONGEST = 20


class Fenced(JournalError):
    """Another kmigrate has claimed the migration since; nothing of this process is taken any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that claimed the migration: who, from which journal folder, since when (ms), and whether it goes on."""

    who: str
    place: str
    since: int
    working: bool = True

    def __str__(self) -> str:
        return f"{self.who}, since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(self.since / 1000))}"

    @property
    def done(self) -> Holder:
        """The same, once it has ended."""
        return replace(self, working=False)

    def written(self) -> str:
        """As it is kept."""
        told = {"who": self.who, "place": self.place, "since": self.since, "working": self.working}
        return json.dumps(told, separators=(",", ":"))


def read_holder(text: str) -> Holder:
    """Read what `written` wrote; raises JournalError for anything else."""
    try:
        raw = json.loads(text)
        since, working = time_of(raw["since"]), bool(raw["working"])
        return Holder(who=str(raw["who"]), place=str(raw["place"]), since=since, working=working)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise JournalError(
            f"the claim on the target cannot be read: {text[:100]!r}",
            hint="somebody else wrote into the ledger topic; remove what it wrote, or use a newer kmigrate",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that was read: the last claim, and the lines by their numbers, from 1."""

    holder: Holder | None = None
    lines: Mapping[int, str] = field(default_factory=dict)


def read_kept(records: Iterable[tuple[bytes | None, bytes | None]]) -> Kept:
    """What the topic's records say, key and value each, oldest first; a record without a value takes one away.

    Raises JournalError for a claim that cannot be read; what has another key is not ours, and left alone.
    """
    holder: Holder | None = None
    lines: dict[int, str] = {}
    for key, value in records:
        number = _number(key or b"")
        if key == CLAIM:
            holder = None if value is None else read_holder(value.decode(errors="replace"))
        elif number and value is None:
            lines.pop(number, None)
        elif number and value is not None:
            lines[number] = value.decode(errors="replace")
    return Kept(holder=holder, lines=lines)


def _number(key: bytes) -> int:
    """Of the line that has that key; 0, which no line has, for any other."""
    told = key.removeprefix(LINE)
    return int(told) if told != key and told.isdigit() and len(told) < _LONGEST else 0


class LedgerTopic(Protocol):
    """One compacted partition on the target with one writer at a time."""

    def read(self) -> Kept:
        """Everything that was acknowledged, also by a writer that died before it could commit."""
        ...

    def fence(self) -> Kept:
        """Become the writer, and read everything: whatever an earlier one still tries is refused from here on."""
        ...

    def claim(self, holder: Holder) -> None:
        """Write the claim; it is committed when this returns. Raises Fenced."""
        ...

    def append(self, number: int, line: str) -> None:
        """Write one line; the brokers have it when this returns.

        Raises Fenced; Transient when nobody can say whether it is there.
        """
        ...

    def close(self) -> None:
        """End what is open."""
        ...
