"""What came out: one row per method, topic and lag, whether kmigrate kept its word, and the machine."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import psutil

from kmigrate.manifests.kafka import KAFKA_VERSION
from kmigrate.model import Grade, Partition, Position
from redelivery.methods import KMIGRATE, METHODS, TIMESTAMPS, UNMARKED, Choices
from redelivery.truth import Copies
from redelivery.workload import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group by one method. `behind` is what the group had not read of what was written when it stopped.

    `grades` are kmigrate's, `at_most` what it said would be given twice at most, `broken` each partition where it did
    not keep its word. `markers` counts partitions put at a transaction marker, not at a record.
    """

    method: str
    topic: str
    lag: str
    twice: int
    lost: int
    unanswered: int
    grades: Mapping[str, int] = field(default_factory=dict)
    at_most: int = 0
    broken: tuple[str, ...] = ()
    markers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFacts:
    """Committed records written, aborted ones, and how many of the former stand on the target in the end."""

    topic: str
    written: int
    aborted: int
    on_target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Partitions that the real checkpoint connector puts where `positions.mirrors_own` does."""

    agreed: int
    of: int
    differ: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that is printed; `compaction`: written to the compacted topic, and left, before any question."""

    rows: tuple[Row, ...]
    topics: tuple[TopicFacts, ...]
    compaction: tuple[int, int]
    checkpoints: Agreement
    sizes: Mapping[str, int]

    def broken(self) -> list[str]:
        """Where kmigrate did not keep its word."""
        return [each for row in self.rows for each in row.broken]

    def told(self) -> dict[str, object]:
        """As JSON."""
        return {**asdict(self), "machine": machine()}


def rows_of(topic: str, lag: str, choices: Choices, logs: Sequence[Log], found: Sequence[Copies]) -> Iterator[Row]:
    """Hold every method's choices for a group to the truth."""
    aside = {p: found[p.number].as_late_as(choices.times[p]) if p in choices.times else None for p in choices.held}
    by_method = {**choices.by_method, UNMARKED: aside}
    for method in METHODS:
        chosen = by_method[method]
        judged = {
            p: found[p.number].judge(offset, logs[p.number].read_before(choices.held[p]))
            for p, offset in chosen.items()
            if offset is not None
        }
        ours = method == KMIGRATE
        yield Row(
            method=method,
            topic=topic,
            lag=lag,
            twice=sum(twice for twice, _ in judged.values()),
            lost=sum(lost for _, lost in judged.values()),
            unanswered=len(chosen) - len(judged),
            grades=Counter(str(at.grade) for at in choices.positions.values()) if ours else {},
            at_most=sum(map(_at_most, choices.positions.values())) if ours else 0,
            broken=tuple(_broken(choices, judged)) if ours else (),
            markers=_markers(choices, found) if method == TIMESTAMPS else 0,
        )


def _markers(choices: Choices, found: Sequence[Copies]) -> int:
    chosen = choices.by_method[TIMESTAMPS]
    return sum(found[p.number].is_marker(chosen[p] or 0, time) for p, time in choices.times.items())


def _broken(choices: Choices, judged: Mapping[Partition, tuple[int, int]]) -> Iterator[str]:
    for p, (twice, lost) in judged.items():
        at = choices.positions[p]
        if lost or twice > _at_most(at):
            yield (
                f"{choices.group} {p}: {twice} twice, {lost} lost; from {at.came_from} to {at.offset}, {at.grade},"
                f" at most {at.repeats_at_most} twice, {at.bracket}: {at.reason}"
            )


def _at_most(position: Position) -> int:
    return 0 if position.grade is Grade.EXACT_PROVEN else position.repeats_at_most


def table(outcome: Outcome) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "| topic | group | method | given twice | lost | partitions without an answer | grades |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    for row in outcome.rows:
        grades = _grades([row])
        cells = (row.topic, row.lag, row.method, f"{row.twice:,}", f"{row.lost:,}", str(row.unanswered), grades)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _grades(rows: Sequence[Row]) -> str:
    counts = sum((Counter(row.grades) for row in rows), Counter[str]())
    at_most = sum(row.at_most for row in rows)
    told = ", ".join(f"{count} {grade}" for grade, count in counts.most_common())
    return f"{told} (at most {at_most} twice)" if at_most else told


def short(outcome: Outcome) -> str:
    """One line per group: what each method gives twice, and what it lost or left without an answer."""
    lines = [f"| topic | group | {' | '.join(METHODS)} |", f"|---|---|{'--:|' * len(METHODS)}"]
    groups = dict.fromkeys((row.topic, row.lag) for row in outcome.rows)
    for topic, lag in groups:
        rows = {row.method: row for row in outcome.rows if (row.topic, row.lag) == (topic, lag)}
        lines.append(f"| {topic} | {lag} | {' | '.join(_cell(rows[method]) for method in METHODS)} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    lost = f", {row.lost:,} lost" if row.lost else ""
    without = f", {row.unanswered} partitions none" if row.unanswered else ""
    return f"{row.twice:,}{lost}{without}"


def totals(outcome: Outcome) -> str:
    """What each method adds up to, what was written, how the checkpoints compare, the machine."""
    lines = []
    for method in METHODS:
        rows = [row for row in outcome.rows if row.method == method]
        twice, lost, without = (sum(getattr(row, name) for row in rows) for name in ("twice", "lost", "unanswered"))
        told = f"{method}: {twice:,} given twice, {lost:,} lost, {without} partitions without an answer"
        markers = sum(row.markers for row in rows)
        told += f", {markers} put at a transaction marker" if markers else ""
        lines.append(told + (f": {_grades(rows)}" if method == KMIGRATE else ""))
    lines += [
        f"{each.topic}: {each.written:,} committed records and {each.aborted:,} aborted ones written;"
        f" {each.on_target:,} on the target in the end"
        for each in outcome.topics
    ]
    checked, (written, left) = outcome.checkpoints, outcome.compaction
    lines.append(f"compaction had left {left:,} of {written:,} on the source before the first group was asked about")
    lines.append(
        f"MirrorMaker 2's own checkpoints are where kmigrate's account of its rule puts them"
        f" in {checked.agreed} of {checked.of} partitions"
    )
    lines += [f"  {each}" for each in checked.differ]
    lines += [f"BROKEN {each}" for each in outcome.broken()]
    lines.append(machine())
    return "\n".join(lines)


def machine() -> str:
    """What it ran on."""
    memory = round(psutil.virtual_memory().total / 2**30)
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {memory} GiB, {platform.machine()}, Python {python}, Kafka {KAFKA_VERSION}"
