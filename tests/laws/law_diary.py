"""A walk that keeps what happened in one diary: lines of the journal and writes on the world, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from law_watch import Watch
from laws import BEFORE, Walk
from memory_estate import Estate
from writers_move import PLAN

from kmigrate.model import Migration, Side


@dataclass(slots=True)
class Diary(Watch):
    """The watch of the laws, which writes down besides."""

    pages: list[str] = field(default_factory=list)
    _read: int = 0

    def instant(self) -> None:
        self._read_lines()
        Watch.instant(self)

    def write(self, what: str, *, differs: bool) -> None:
        self._read_lines()
        self.pages.append(what)
        Watch.write(self, what, differs=differs)

    def _read_lines(self) -> None:
        lines = self.estate.lines.written
        for line in map(json.loads, lines[self._read :]):
            self.pages.append(_told(line))
        self._read = len(lines)


def _told(line: Mapping[str, object]) -> str:
    data = line["data"]
    if line["event"] == "FACT" and isinstance(data, Mapping):
        return " ".join(f"FACT {name}" for name in data)
    return f"{line['event']} {line['step']}".strip()


def kept(said: Migration = PLAN) -> tuple[Walk, Diary]:
    """Everything that comes before the writer's move, with a diary that is empty yet."""
    estate = Estate(said, adopted=False)
    diary = Diary(estate)
    estate.death.watcher = diary
    walk = Walk(estate)
    for command in (*BEFORE, "cutover fraud"):
        walk.type(command)
    diary.pages.clear()
    return walk, diary


def owner_of(walk: Walk) -> Side:
    return walk.estate.workloads["checkout"].side
