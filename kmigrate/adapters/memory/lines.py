"""Journal lines in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State


@dataclass(slots=True)
class MemoryLines(State):
    """Lines in a list (journal.Lines); dying before a line and right after it are two instants."""

    death: Death = field(default_factory=Death)
    written: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Every line, oldest first."""
        return iter(tuple(self.written))

    def append(self, line: str) -> None:
        """Write one line."""
        self.death.pass_by()
        self.written.append(line)
        self.death.pass_by()
