"""What a walk came to: the auditor's counts, as JSON and as cells of a table."""

from __future__ import annotations

from dataclasses import dataclass

from kmigrate.lab.auditor.audit import ApplicationAudit, Verdict
from kmigrate.model import Json, JsonObject

VERIFICATION_FAILED = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One application."""

    of: ApplicationAudit

    def cells(self) -> tuple[str, ...]:
        """Name, moved, processed or written, lost, given twice, out of order, repeats after its own crash, pauses."""
        pauses = ", ".join(f"{switch.pause_ms} ms" for switch in self.of.switches)
        worked = self.of.processed or self.of.written
        counts = (worked, self.of.lost, self.of.redelivered, self.of.out_of_order, self.of.repeats)
        return (self.of.name, "yes" if self.of.moved else "stays", *(f"{count:,}" for count in counts), pauses)

    def json(self) -> JsonObject:
        """The counts by name; `switches` are the moves, times in ms."""
        app = self.of
        switches: list[Json] = [
            {
                "left": each.left,
                "entered": each.entered,
                "pause_ms": each.pause_ms,
                "records_before": each.before,
                "records_during": each.during,
                "records_after": each.after,
            }
            for each in app.switches
        ]
        return {
            "moved": app.moved,
            "processed": app.processed,
            "written": app.written,
            "lost": app.lost,
            "redelivered": app.redelivered,
            "out_of_order": app.out_of_order,
            "repeats": app.repeats,
            "aborted_seen": app.aborted_seen,
            "unknown_outcome": app.unknown_outcome,
            "behind": app.behind,
            "pause_ms": app.pause_ms,
            "switches": switches,
            "clean": app.clean,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The verdict, how long it took (seconds), and the lab's memory (bytes) at the end of the traffic."""

    verdict: Verdict
    elapsed_s: float
    memory: int

    @property
    def exit_code(self) -> int:
        """0, or 4 when anything is not as it must be."""
        return 0 if self.verdict.clean and any(app.moved for app in self.verdict.applications) else VERIFICATION_FAILED

    @property
    def lines(self) -> tuple[Line, ...]:
        """One per application."""
        return tuple(Line(app) for app in self.verdict.applications)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the table does not say."""
        logs = self.verdict.differences
        same = sum(entry.same for entry in logs)
        bad = [f"{entry.topic}/{entry.partition}: {entry}" for entry in logs if not entry.clean]
        tail = sum(entry.behind + entry.ahead for entry in logs)
        told = (
            f"{same:,} records stand alike on both sides in {len(logs)} partitions; {tail} on one side only at an end"
        )
        examples = [f"{app.name}: {text}" for app in self.verdict.applications for text in app.examples]
        verdict = "nothing lost, nothing given twice, nothing out of order" if not self.exit_code else "NOT CLEAN"
        return (told, *bad, *examples, f"{verdict}; {self.elapsed_s:.0f} s, {self.memory >> 20} MB")

    def json(self) -> JsonObject:
        """One object, the last line of `lab run --json`."""
        logs = self.verdict.differences
        return {
            "event": "result",
            "applications": {line.of.name: line.json() for line in self.lines},
            "logs": {
                "same": sum(entry.same for entry in logs),
                "different": sum(not entry.clean for entry in logs),
                "on_one_side_only": sum(entry.behind + entry.ahead for entry in logs),
            },
            "clean": self.exit_code == 0,
            "elapsed_s": round(self.elapsed_s, 1),
            "memory_mb": self.memory >> 20,
        }
