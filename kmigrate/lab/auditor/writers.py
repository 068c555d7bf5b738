"""What one application wrote, against the histories of the topics it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kmigrate.lab.auditor.lines import END, Line
from kmigrate.lab.auditor.readers import Stretches


@dataclass(slots=True)
class Writer:
    """Folds the lines of an application that writes; counts are records, by identity since twins share one."""

    sides: Mapping[str, str]
    kept: Counter[str] = field(default_factory=Counter)
    aborted: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    stretches: Stretches = field(default_factory=Stretches)
    _open: dict[tuple[str, int], Counter[str]] = field(default_factory=dict)
    _waiting: dict[str, Counter[str]] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        """Fold one line."""
        if line.event == END:
            self._end_of_run(line.run)
        elif line.tx is not None:
            self._in_transaction(line, line.tx)
        elif line.event in ("produced", "acked", "refused", "unknown"):
            self._alone(line)

    def missing(self, found: Mapping[str, int]) -> int:
        """Acknowledged and kept, and in no log."""
        return sum(max(0, count - found.get(identity, 0)) for identity, count in self.kept.items())

    def resurrected(self, found: Mapping[str, int]) -> int:
        """Taken back, and in a log of committed records."""
        return sum(found.get(identity, 0) for identity in self.aborted)

    def unknown_written(self, found: Mapping[str, int]) -> int:
        """Of unknown outcome, and in a log after all."""
        return sum(
            max(0, min(count, found.get(identity, 0) - self.kept[identity])) for identity, count in self.unknown.items()
        )

    def _alone(self, line: Line) -> None:
        waiting = self._waiting.setdefault(line.run, Counter())
        if line.event == "produced":
            waiting[line.id] += 1
            return
        waiting[line.id] -= 1
        if waiting[line.id] <= 0:
            del waiting[line.id]
        if line.event == "acked":
            self.kept[line.id] += 1
            self.stretches.worked(self.sides[line.side], line.at)
        elif line.event == "unknown":
            self.unknown[line.id] += 1
        else:
            self.refused += 1

    def _in_transaction(self, line: Line, tx: int) -> None:
        name = (line.run, tx)
        if line.event == "produced":
            self._open.setdefault(name, Counter())[line.id] += 1
        elif line.event == "committed":
            records = self._open.pop(name, Counter())
            self.kept.update(records)
            if records:
                self.stretches.worked(self.sides[line.side], line.at, records.total())
        elif line.event == "aborted":
            self.aborted.update(self._open.pop(name, Counter()))
        elif line.event == "unknown" and not line.id:
            self.unknown.update(self._open.pop(name, Counter()))

    def _end_of_run(self, run: str) -> None:
        self.unknown.update(self._waiting.pop(run, Counter()))
        for name in [name for name in self._open if name[0] == run]:
            self.unknown.update(self._open.pop(name))
