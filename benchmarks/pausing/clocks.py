"""What a move took: by kmigrate's own journal, step by step, and by what its applications noted down themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmigrate.journal import Entry, Event, Journal
from pausing.cells import Cell

STEPS = (
    "stop-workloads",
    "fence-clients",
    "drain-mirror",
    "carry-positions",
    "hand-over-topics",
    "lift-fence",
    "switch-settings",
    "start-workloads",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a move by its journal (ms): the pause, both of its parts, and kmigrate's part by step.

    A step's time runs from the end of the one before, so the steps add up to `tool`; `finer` has it by check, apply
    and verify.
    """

    unit: str
    pause: int
    stopping: int
    starting: int
    tool: int
    steps: Mapping[str, int]
    finer: Mapping[str, tuple[int, int, int]]


def attempt(journal: Journal, unit: str) -> Attempt:
    """Read the entries of one attempt that was sealed."""
    entries = [entry for entry in journal.entries if entry.unit == unit]
    began, stopped, begun, over = (
        _fact(entries, name) for name in ("pause_started_ms", "stopped_ms", "begun_ms", "pause_ms")
    )
    at, steps, finer = stopped, dict[str, int](), dict[str, tuple[int, int, int]]()
    for step in STEPS:
        times = {entry.event: entry.time for entry in entries if entry.step == step}
        if not times:
            continue
        last = step == STEPS[-1]
        looked = max(at, times[Event.STARTED])
        done = begun if last else max(at, times[Event.APPLIED])
        end = begun if last else times[Event.VERIFIED]
        steps[step], finer[step] = end - at, (looked - at, done - looked, end - done)
        at = end
    return Attempt(
        unit=unit,
        pause=over - began,
        stopping=stopped - began,
        starting=over - begun,
        tool=begun - stopped,
        steps=steps,
        finer=finer,
    )


def _fact(entries: Sequence[Entry], name: str) -> int:
    return next(e.time for e in entries if e.event is Event.FACT and isinstance(e.data, Mapping) and name in e.data)


@dataclass(frozen=True, slots=True)
class Gap:
    """How long a move's applications stood still (ms): from the first that was asked to stop, to the moment when every
    group had worked on a record again."""

    asked: int
    again: int

    @property
    def ms(self) -> int:
        """How long."""
        return self.again - self.asked


def gap(place: Path, cell: Cell, since: int) -> Gap | None:
    """The first gap after a moment (ms since the epoch); None while a group has not worked again."""
    asked, again = list[int](), dict[str, int]()
    for member in cell.members:
        events = [event for event in _events(place / "apps" / member / "events") if event[0] >= since]
        stops = [at for at, what in events if what == "stop"]
        if not stops:
            return None
        asked.append(stops[0])
        works = [at for at, what in events if what == "first" and at > stops[0]]
        if works:
            group = cell.group(member)
            again[group] = min(works[0], again.get(group, works[0]))
    return Gap(min(asked), max(again.values())) if again.keys() == set(cell.groups) else None


def works(place: Path, cell: Cell, since: int) -> bool:
    """Whether every group of a move has worked on a record since a moment."""
    groups = set()
    for member in cell.members:
        events = _events(place / "apps" / member / "events")
        failed = [what for at, what in events if at >= since and what.startswith("failed")]
        assert not failed, f"{member} {failed[0]}"
        if any(at >= since and what == "first" for at, what in events):
            groups.add(cell.group(member))
    return groups == set(cell.groups)


def _events(path: Path) -> list[tuple[int, str]]:
    lines = (line.partition(" ") for line in path.read_text().splitlines())
    return [(int(at), what) for at, _, what in lines]
