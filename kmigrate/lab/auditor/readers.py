"""What one application processed, against the history of the partitions it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from kmigrate.lab.auditor.history import History
from kmigrate.lab.auditor.lines import END, Line

EXAMPLES = 5
Place = tuple[str, int]
Histories = Mapping[Place, History]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """From the last record processed (or written) on one side to the first on the other; times in ms.

    `before` and `after` count what the application did on the two sides next to the switch, `during` the records that
    its topics got within the pause.
    """

    left: str
    entered: str
    left_ms: int
    entered_ms: int
    before: int
    during: int
    after: int

    @property
    def pause_ms(self) -> int:
        """How long nothing was processed."""
        return self.entered_ms - self.left_ms


@dataclass(slots=True)
class Stretches:
    """Follows on which side work was done, and when it changed.

    `around` counts records done before, within and after the half-open `window` (ms since the epoch).
    """

    window: tuple[int, int] = (0, 0)
    around: list[int] = field(default_factory=lambda: [0, 0, 0])
    _spans: list[tuple[str, int, int, int]] = field(default_factory=list)

    def worked(self, side: str, at: int, records: int = 1) -> None:
        """So many records were processed or written."""
        begun, ended = self.window
        self.around[(at >= begun) + (at >= ended)] += records
        if self._spans and self._spans[-1][0] == side:
            _, first, _, count = self._spans[-1]
            self._spans[-1] = (side, first, at, count + records)
        else:
            self._spans.append((side, at, at, records))

    def switches(self, histories: Iterable[History]) -> tuple[Switch, ...]:
        """Every change of side."""
        held = tuple(histories)
        return tuple(
            Switch(
                left=old[0],
                entered=new[0],
                left_ms=old[2],
                entered_ms=new[1],
                before=old[3],
                during=sum(history.between(old[2], new[1]) for history in held),
                after=new[3],
            )
            for old, new in pairwise(self._spans)
        )


@dataclass(slots=True)
class Track:
    """What is known of one partition for one application, by index in its history."""

    history: History
    start: int | None = None
    passed: int = 0
    done: dict[int, tuple[str, int]] = field(default_factory=dict)
    last_of_key: dict[str, int] = field(default_factory=dict)

    def stand(self, index: int) -> None:
        """A committed position: where the application begins, and how far it ever was."""
        if self.start is None:
            self.start = index
        self.passed = max(self.passed, index)

    def lost(self, *, settled: bool) -> list[int]:
        """Indexes between the first and the last committed position (or the end) that were never processed."""
        if self.start is None:
            return []
        end = len(self.history) if settled else min(self.passed, len(self.history))
        return [index for index in range(self.start, end) if index not in self.done]


@dataclass(slots=True)
class Reader:
    """Folds the lines of an application that reads; counters are records."""

    histories: Histories
    sides: Mapping[str, str]
    committed_only: bool
    processed: int = 0
    redelivered: int = 0
    repeats: int = 0
    out_of_order: int = 0
    aborted_seen: int = 0
    unexplained: int = 0
    examples: list[str] = field(default_factory=list)
    stretches: Stretches = field(default_factory=Stretches)
    tracks: dict[Place, Track] = field(default_factory=dict)
    _open: dict[tuple[str, int], list[Line]] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        """Fold one line."""
        if line.event == "processed":
            self._processed(line)
        elif line.event == "assigned":
            self._settle_open(line)
            self._stand(line)
        elif line.event == "committed":
            for held in self._open.pop((line.run, line.tx or 0), ()):
                self._done(held)
            self._stand(line)
        elif line.event == "aborted":
            self._open.pop((line.run, line.tx or 0), None)

    def lost(self, *, settled: bool) -> int:
        """How many records were never processed; adds examples."""
        count = 0
        for place, track in self.tracks.items():
            indexes = track.lost(settled=settled)
            count += len(indexes)
            for index in indexes[:EXAMPLES]:
                self._example("lost", place, track.history.identities[index])
        return count

    def uncovered(self) -> tuple[str, ...]:
        """Partitions that hold records and that the application never had a committed position for."""
        missing = (
            place
            for place, history in self.histories.items()
            if len(history) and (place not in self.tracks or self.tracks[place].start is None)
        )
        return tuple(f"{topic}/{number}" for topic, number in missing)

    def behind(self) -> int:
        """Records after the last committed positions."""
        return sum(max(0, len(track.history) - track.passed) for track in self.tracks.values())

    def _processed(self, line: Line) -> None:
        if line.tx is None:
            self._done(line)
        else:
            self._open.setdefault((line.run, line.tx), []).append(line)

    def _stand(self, line: Line) -> None:
        for place, offset in line.offsets.items():
            track = self._track(place)
            track.stand(track.history.sides[self.sides[line.side]].position(offset))

    def _settle_open(self, line: Line) -> None:
        """A transaction without an outcome counts as far as the position that is found afterwards lies behind it."""
        for held in (entry for batch in self._open.values() for entry in batch):
            found = line.offsets.get((held.topic, held.partition))
            if found is None:
                continue
            track = self._track((held.topic, held.partition))
            index = track.history.sides[self.sides[held.side]].index(held.offset)
            stands = track.history.sides[self.sides[line.side]].position(found)
            if index is not None and index < stands:
                self._done(held)
        self._open.clear()

    def _track(self, place: Place) -> Track:
        if place not in self.tracks:
            self.tracks[place] = Track(self.histories[place])
        return self.tracks[place]

    def _done(self, line: Line) -> None:
        place = (line.topic, line.partition)
        track = self._track(place)
        side = self.sides[line.side]
        index = track.history.sides[side].index(line.offset)
        if index is None or track.history.identities[index] != line.id:
            self._not_in_the_log(line, place)
            return
        self.processed += 1
        self.stretches.worked(side, line.at)
        before = track.done.get(index)
        track.done[index] = (side, line.offset)
        if before is None:
            self._in_order(line, track, place)
        elif index < track.passed or (before[0] == side and before[1] != line.offset):
            self.redelivered += 1
            self._example("redelivered", place, line.id)
        else:
            self.repeats += 1

    def _not_in_the_log(self, line: Line, place: Place) -> None:
        if self.committed_only:
            self.unexplained += 1
            self._example("unexplained", place, line.id)
        else:
            self.aborted_seen += 1

    def _in_order(self, line: Line, track: Track, place: Place) -> None:
        if line.key is None:
            return
        last = track.last_of_key.get(line.key, -1)
        if line.seq < last:
            self.out_of_order += 1
            self._example("out of order", place, line.id)
        track.last_of_key[line.key] = max(last, line.seq)

    def _example(self, what: str, place: Place, identity: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: {place[0]}/{place[1]} {identity}")


@dataclass(slots=True)
class Runs:
    """Counts runs and lines that are missing in the middle of a file."""

    runs: int = 0
    gaps: int = 0
    errors: int = 0
    _expected: dict[str, int] = field(default_factory=dict)
    _stopped: set[str] = field(default_factory=set)

    def take(self, line: Line) -> None:
        """Fold one line."""
        if line.event == END:
            return
        self.runs += line.run not in self._expected
        self.gaps += line.n - self._expected.get(line.run, 1)
        self._expected[line.run] = line.n + 1
        self.errors += line.event == "error"
        if line.event == "stopped":
            self._stopped.add(line.run)

    def crashes(self) -> int:
        """Runs that ended without a last word; the newest may still be running."""
        return len([run for run in list(self._expected)[:-1] if run not in self._stopped])
