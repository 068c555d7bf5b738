"""What a walk came to: the auditor's counts beside what the journal says of each move, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.journal import Entry, Event, Journal, UnitRecord
from kmigrate.lab.auditor.audit import ApplicationAudit, Verdict
from kmigrate.model import Direction, Json, JsonObject, Partition

VERIFICATION_FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorsOwn:
    """What MirrorMaker 2's own sync would have given twice, and how many partitions it would not have translated."""

    repeats: int
    without: int

    def __str__(self) -> str:
        return f"{self.repeats:,}" + (f" + {self.without} partitions lost track of" if self.without else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The last cutover of an application by the journal; times in ms since the epoch, `ended` when it was sealed."""

    begun: int
    ended: int
    facts: Mapping[str, Json]

    @property
    def positions(self) -> tuple[JsonObject, ...]:
        """One object for every position that was carried."""
        told = self.facts.get("positions")
        groups = told.items() if isinstance(told, Mapping) else ()
        return tuple(
            _position(group, name, at)
            for group, of in groups
            for name, at in (of.items() if isinstance(of, Mapping) else ())
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that were carried."""
        told = self.facts.get("positions")
        return tuple(told) if isinstance(told, Mapping) else ()

    def carried(self, group: str) -> dict[Partition, tuple[int, int]]:
        """By partition, where the group stood on the source and where it was put on the target."""
        rows = [at for at in self.positions if at["group"] == group]
        return {
            Partition(str(at["topic"]), int(str(at["partition"]))): (int(str(at["source"])), int(str(at["target"])))
            for at in rows
        }

    @property
    def aborted_ahead(self) -> int:
        """How many aborted copies lay ahead of its groups that read uncommitted records, by the ledger."""
        return sum(int(str(at["aborted_ahead"])) for at in self.positions)

    @property
    def pause_ms(self) -> Json:
        """The pause by the ledger, as the tool's and the application's part."""
        return self.facts.get("pause_parts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One application: what the auditor counted, why it is where it is, and its last cutover."""

    of: ApplicationAudit
    why: str
    move: Move | None
    own: MirrorsOwn | None = None

    @property
    def right(self) -> bool:
        """Clean; and moved with records before, within and after its move, or left where it is for a reason."""
        return self.of.clean and (all(self.of.around) if self.of.moved else bool(self.why))

    def cells(self) -> tuple[str, ...]:
        """The columns of the auditor's table; the last is what MirrorMaker 2 itself would have given twice."""
        app = self.of
        pauses = ", ".join(f"{switch.pause_ms / 1000:.1f} s" for switch in app.switches)
        worked = f"{app.processed or app.written:,}"
        stretches = " + ".join(f"{count:,}" for count in app.around) if app.moved else worked
        counts = (app.lost, app.redelivered, app.out_of_order, app.repeats)
        own = str(self.own) if self.own else ""
        return (app.name, "yes" if app.moved else "stays", stretches, *(f"{count:,}" for count in counts), pauses, own)

    def json(self) -> JsonObject:
        """The counts by name; `switches` are the changes of side that the auditor saw, times in ms."""
        app = self.of
        before, during, after = app.around
        return {
            "moved": app.moved,
            "why": self.why,
            "partitions": app.partitions,
            "records_before": before,
            "records_during": during,
            "records_after": after,
            "lost": app.lost,
            "redelivered": app.redelivered,
            "out_of_order": app.out_of_order,
            "mirrormaker_would_repeat": self.own.repeats if self.own else None,
            "mirrormaker_would_not_translate": self.own.without if self.own else None,
            "pause_ms": self.move.pause_ms if self.move else None,
            "positions": self.move.positions if self.move else (),
            "processed": app.processed,
            "written": app.written,
            "repeats": app.repeats,
            "aborted_seen": app.aborted_seen,
            "unknown_outcome": app.unknown_outcome,
            "behind": app.behind,
            "clean": app.clean,
            "switches": tuple(
                {"left": each.left, "entered": each.entered, "pause_ms": each.pause_ms} for each in app.switches
            ),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The verdict beside the journal; how long it took (seconds), kmigrate's own peak memory, and the lab's (bytes).

    `door` says how decommission ended: who stays, and why. `own` is MirrorMaker 2's choice instead, by application.
    """

    verdict: Verdict
    why: Mapping[str, str]
    moves: Mapping[str, Move]
    own: Mapping[str, MirrorsOwn]
    door: str
    elapsed_s: float
    peak_rss: int
    memory: int

    @property
    def exit_code(self) -> int:
        """0, or 4 when anything is not as it must be."""
        right = self.verdict.clean and self.moves and all(line.right for line in self.lines)
        return 0 if right else VERIFICATION_FAILED

    @property
    def lines(self) -> tuple[Line, ...]:
        """One per application."""
        apps = self.verdict.applications
        return tuple(
            Line(
                of=app,
                why=self.why.get(app.name, ""),
                move=self.moves.get(app.name),
                own=self.own.get(app.name),
            )
            for app in apps
        )

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
        stays = [f"{line.of.name} stays: {line.why}" for line in self.lines if not line.of.moved]
        rash = [_saw_aborted(line) for line in self.lines if line.of.isolation == "read_uncommitted"]
        examples = [f"{app.name}: {text}" for app in self.verdict.applications for text in app.examples]
        verdict = "nothing lost, nothing given twice, nothing out of order" if not self.exit_code else "NOT CLEAN"
        memory = f"kmigrate held at most {self.peak_rss >> 20} MB, the lab {self.memory >> 20} MB"
        return (*stays, *rash, told, *bad, *examples, f"{verdict}; {self.elapsed_s:.0f} s; {memory}")

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
            "decommission": self.door,
            "clean": self.exit_code == 0,
            "elapsed_s": round(self.elapsed_s, 1),
            "peak_rss_mb": self.peak_rss >> 20,
            "lab_mb": self.memory >> 20,
        }


def moves_of(journal: Journal, applications: tuple[str, ...]) -> dict[str, Move]:
    """The last sealed cutover of each application that has one."""
    return {name: move for name in applications if (move := _last_cutover(journal, name)) is not None}


def _last_cutover(journal: Journal, application: str) -> Move | None:
    sealed = [unit for unit in journal.attempts(application) if unit.sealed and _forward(unit)]
    if not sealed:
        return None
    times = [entry.time for entry in _entries(journal, sealed[-1].name)]
    return Move(begun=times[0], ended=times[-1], facts=sealed[-1].facts)


def _entries(journal: Journal, unit: str) -> list[Entry]:
    return [e for e in journal.entries if e.unit == unit and e.event in (Event.STARTED, Event.SEALED)]


def _forward(unit: UnitRecord) -> bool:
    return unit.name.startswith(f"{Direction.CUTOVER}/")


def _position(group: str, name: str, told: Json) -> JsonObject:
    at = Partition.parse(name)
    carried = told if isinstance(told, Mapping) else {}
    place: dict[str, Json] = {"group": group, "topic": at.topic, "partition": at.number}
    found = {"source": carried.get("from"), "target": carried.get("to"), "grade": carried.get("grade")}
    return place | found | {"aborted_ahead": carried.get("aborted_ahead", 0)}


def _saw_aborted(line: Line) -> str:
    app, moved = line.of, line.move
    ahead = f"; {moved.aborted_ahead:,} aborted copies lay ahead of it when it moved" if moved else ""
    return f"{app.name} reads uncommitted records and was given {app.aborted_seen:,} that were taken back{ahead}"
