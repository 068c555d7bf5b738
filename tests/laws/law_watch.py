"""What the laws notice of every write: whether it changes anything, and what is never allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from memory_estate import Estate

from kmigrate.adapters.memory import MemoryLines, Watcher
from kmigrate.model import Migration


@dataclass(slots=True)
class Watch(Watcher):
    """Counts changes, and notes writes that no line of the journal allows."""

    lines: MemoryLines
    changes: int = 0
    at_instant: Callable[[], None] | None = None
    unruly: list[str] = field(default_factory=list)

    def instant(self) -> None:
        if self.at_instant is not None:
            self.at_instant()

    def write(self, what: str, *, differs: bool) -> None:
        """The newest line of a step must say that the step was begun, or is undone."""
        self.changes += differs
        told = next(
            (t for t in map(json.loads, reversed(self.lines.written)) if t["event"] != "FACT"), {"event": "nothing"}
        )
        if told["event"] not in ("STARTED", "UNDOING"):
            self.unruly.append(f"{what}: the journal's last word is {told['event']}, not STARTED")
        allowed: tuple[str, ...] = ("rollback/",) if what.startswith("positions") else ("rollback/", "cutover/")
        if "of the mirror back" in what:
            allowed = (*allowed, "provision")
        if "on the source" in what and not told.get("unit", "").startswith(allowed):
            self.unruly.append(f"{what} in {told.get('unit')}")

    def refused(self, what: str) -> None:
        self.unruly.append(what)


def estate_of(migration: Migration) -> Estate:
    """The estate of a plan, without a target yet, under the eyes of the laws."""
    estate = Estate(migration, adopted=False)
    estate.death.watcher = Watch(estate.lines)
    return estate


def watch_of(estate: Estate) -> Watch:
    watcher = estate.death.watcher
    assert isinstance(watcher, Watch)
    return watcher
