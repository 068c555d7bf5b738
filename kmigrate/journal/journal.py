"""The append-only record of what was done, and the facts in it.

One JSON object per line. Each entry carries the format version, its number, the time (ms), who, the unit and its
fingerprint, an event, and the SHA-256 of the line before, so that an edited, removed or swapped line is found.
A line is durable before anything relies on it; a last line without its newline was never written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from kmigrate.errors import JournalError, PlatformError, Transient, UsageError
from kmigrate.journal.ledger import PastFacts, UnitLedger
from kmigrate.journal.records import Entry, Event, StepRecord, UnitRecord
from kmigrate.model import TOGETHER, Json, Side
from kmigrate.world import Clock

VERSION = 1
_LATEST_MS = 253_402_300_799_999  # of the year 9999: no calendar goes further
_START = "0" * 64


class Lines(Protocol):
    """Where lines are kept; dumb on purpose."""

    def lines(self) -> Iterable[str]:
        """Every whole line, without its newline, oldest first."""
        ...

    def append(self, line: str) -> None:
        """Write one line; it is durable when this returns.

        Raises Transient when nobody can say whether it is, any other PlatformError when it is not.
        """
        ...


class Journal:
    """Reads, checks and appends entries of one migration; folds them into units.

    Raises JournalError when the lines are damaged, of a newer version, or of another migration. `interrupted` is called
    after each entry is on disk and folded; it may raise Interrupted, since nothing is half written then.
    """

    def __init__(
        self, lines: Lines, clock: Clock, who: str, migration: str, interrupted: Callable[[], None] = lambda: None
    ) -> None:
        self._lines, self._clock, self._who, self._interrupted = lines, clock, who, interrupted
        self.clusters: dict[str, str] = {}
        self.units: dict[str, UnitRecord] = {}
        self.entries: list[Entry] = []
        self._last = _START
        self._whole = True
        for line in lines.lines():
            self._fold(self._read(line))
        self._migration = migration
        if self.entries:
            self._is_of(migration)

    def record(self, unit: str, fingerprint: str, event: Event, step: str = "", data: Json = None) -> None:
        """Append one entry; it is durable when this returns. The first one is preceded by whose journal this is."""
        if not self._whole:
            torn = "the last write to this journal was cut short, so this process cannot tell what is in it"
            raise JournalError(torn, hint="run the same command again; it reads the journal anew")
        if not self.entries and event is not Event.OPENED:
            self.record("", "", Event.OPENED, data={"migration": self._migration})
        entry = Entry(
            number=len(self.entries) + 1,
            time=self._clock.now_ms(),
            who=self._who,
            unit=unit,
            fingerprint=fingerprint,
            event=event,
            step=step,
            data=data,
        )
        line = _write(entry, self._last)
        self._append(line)
        self._fold(entry)
        self._whole = True
        self._interrupted()

    def bind(self, source_id: str, target_id: str) -> None:
        """Write down which two clusters this journal is of, an empty id for one that is not known yet; once is enough.

        Raises as `belongs_to` does.
        """
        self.belongs_to(source_id, target_id)
        seen = {str(Side.SOURCE): source_id, str(Side.TARGET): target_id}
        new = {side: cluster for side, cluster in seen.items() if cluster and side not in self.clusters}
        if new:
            self.record("", "", Event.BOUND, data=new)

    def belongs_to(self, source_id: str, target_id: str) -> None:
        """Check the clusters' ids and write nothing; JournalError for others than known, UsageError for one twice."""
        if source_id and source_id == target_id:
            same = f"source and target are the same cluster {source_id}"
            raise UsageError(same, hint="correct source.bootstrapServers or target in the plan file")
        for side, cluster in ((Side.SOURCE, source_id), (Side.TARGET, target_id)):
            known = self.clusters.get(side, cluster)
            if cluster and known != cluster:
                other = f"this journal is of the {side} cluster {known}; the plan file leads to {cluster}"
                raise JournalError(
                    other, hint=f"correct the {side} in the plan file, or set journal.store to a new folder"
                )

    def unit(self, name: str) -> UnitRecord | None:
        """What is known of a unit, or None if it was never begun."""
        return self.units.get(name)

    def begun(self, application: str) -> tuple[UnitRecord, ...]:
        """Those of the attempts that may have changed something."""
        return tuple(unit for unit in self.attempts(application) if unit.begun)

    def standing(self, application: str) -> tuple[UnitRecord, ...]:
        """Those that may have changed something that was not all taken back: the last one says where it stands."""
        return tuple(unit for unit in self.begun(application) if not unit.went_back)

    def attempts(self, application: str) -> tuple[UnitRecord, ...]:
        """Every attempt to move it, either direction, oldest first, also together with others.

        For a move of several (`a+b`), every attempt that moved any of them.
        """
        wanted = set(application.split(TOGETHER))
        return tuple(unit for unit in self.units.values() if not wanted.isdisjoint(unit.moves))

    def by_unit(self, name: str) -> dict[str, Json]:
        """The last value of a fact in each unit that has one, in the order units were begun."""
        return {unit.name: unit.facts[name] for unit in self.units.values() if unit.facts.get(name) is not None}

    def past(self, record: UnitRecord | None = None) -> PastFacts:
        """What was, for whoever only looks: the facts of all units, and of the one looked at."""
        return PastFacts(self, record)

    def ledger(self, unit: str, fingerprint: str) -> UnitLedger:
        """The facts of a unit."""
        return UnitLedger(self, unit, fingerprint)

    def _append(self, line: str) -> None:
        """Write the line; a signal may end this anywhere, and then only a new reading tells whether it is there."""
        self._whole = False
        try:
            self._lines.append(line)
        except PlatformError as error:
            self._whole = not isinstance(error, Transient)
            raise
        self._last = _hash(line)

    def _read(self, line: str) -> Entry:
        number = len(self.entries) + 1
        hint = (
            "nothing was changed. Put journal.jsonl and journal.head back from a copy; where the migration is claimed "
            "on the target, moving both away will do: the same command then takes up what is there"
        )
        if not line.strip():
            raise JournalError(f"journal line {number} is blank: a line was added, or its text removed", hint=hint)
        try:
            raw = json.loads(line)
            version = _format(raw["v"])
            if version > VERSION:
                newer = f"journal line {number} has format {version}; this kmigrate knows up to {VERSION}"
                raise JournalError(newer, hint="use the newer kmigrate that wrote it")
            if raw["prev"] != self._last or raw["n"] != number:
                chain = f"journal line {number} does not follow the line before it: a line was edited, removed or moved"
                raise JournalError(chain, hint=hint)
            entry = Entry(
                number=number,
                time=time_of(raw["time"]),
                who=_text(raw["who"]),
                unit=_text(raw["unit"]),
                fingerprint=_text(raw["fingerprint"]),
                event=Event(raw["event"]),
                step=_text(raw["step"]),
                data=raw["data"],
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise JournalError(f"journal line {number} cannot be read: {error}", hint=hint) from error
        self._last = _hash(line)
        return entry

    def _fold(self, entry: Entry) -> None:
        self.entries.append(entry)
        if not entry.unit:
            if entry.event is Event.BOUND and isinstance(entry.data, Mapping):
                self.clusters.update({side: str(cluster) for side, cluster in entry.data.items()})
            return
        unit = self.units.setdefault(entry.unit, UnitRecord(entry.unit, entry.fingerprint))
        if entry.step:
            if not unit.steps:
                unit.fingerprint = entry.fingerprint
            _fold_step(unit, entry)
        elif entry.event is Event.FACT and isinstance(entry.data, Mapping):
            unit.facts.update(entry.data)
        elif entry.event is Event.APPROVED:
            unit.approved, unit.fingerprint = True, entry.fingerprint
        elif entry.event is Event.SEALED:
            unit.sealed = True
        elif entry.event is Event.WENT_BACK:
            unit.sealed, unit.approved, unit.went_back = False, False, True
            unit.facts.clear()
            unit.facts.update(entry.data if isinstance(entry.data, Mapping) else {})  # what could not be taken back

    def _is_of(self, migration: str) -> None:
        opened = self.entries[0].data
        owner = opened.get("migration") if isinstance(opened, Mapping) else None
        if owner != migration:
            message = f"this journal is of the migration {owner!r}, not of {migration!r}"
            raise JournalError(message, hint="set journal.store in the plan file to a folder of its own")


def follow_one_another(lines: Iterable[str]) -> bool:
    """Whether each line carries the SHA-256 of the one before it."""
    last = _START
    for line in lines:
        try:
            previous = json.loads(line)["prev"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        if previous != last:
            return False
        last = _hash(line)
    return True


class GoingBack:
    """Tells of each line, as they come, whether it belongs to undoing something; a fact belongs to what was last begun.

    Such lines need no copy where none can be made.
    """

    def __init__(self) -> None:
        self._now = False

    def __call__(self, line: str) -> bool:
        """Whether this one does; to be asked of every line."""
        event = json.loads(line)["event"]
        if event != Event.FACT:
            self._now = event in (Event.UNDOING, Event.UNDONE, Event.WENT_BACK)
        return self._now


def _format(value: Json) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r:.40} is no format")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def time_of(value: Json) -> int:
    """A time in milliseconds that somebody wrote; raises ValueError for what is none."""
    if not isinstance(value, int) or not 0 <= value <= _LATEST_MS:
        raise ValueError(f"{value!r:.40} is no time")
    return value


def _fold_step(unit: UnitRecord, entry: Entry) -> None:
    unit.went_back = unit.went_back and entry.event is not Event.STARTED
    unit.sealed = unit.sealed and entry.event is not Event.UNDOING
    known = unit.steps.get(entry.step)
    if known is None or (known.event is Event.UNDONE and entry.event is Event.STARTED):
        before = entry.data if isinstance(entry.data, Mapping) else {}
        unit.steps[entry.step] = StepRecord(entry.event, entry.time, before)
    else:
        known.event = entry.event


def _write(entry: Entry, previous: str) -> str:
    raw = {
        "v": VERSION,
        "n": entry.number,
        "time": entry.time,
        "who": entry.who,
        "unit": entry.unit,
        "fingerprint": entry.fingerprint,
        "event": entry.event,
        "step": entry.step,
        "data": entry.data,
        "prev": previous,
    }
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False)


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
