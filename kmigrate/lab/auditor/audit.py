"""The whole audit: the applications' files against the logs of both clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kmigrate.lab.auditor.compare import Difference, compare, read_partition
from kmigrate.lab.auditor.history import History, build
from kmigrate.lab.auditor.lines import About, Line, about, lines, snapshot, topics
from kmigrate.lab.auditor.log import Log
from kmigrate.lab.auditor.readers import Histories, Place, Reader, Runs, Stretches, Switch
from kmigrate.lab.auditor.writers import Writer

Moves = tuple[int, tuple[Switch, ...]]
"""Of how many partitions an application was to work, and its switches from one side to the other."""
NO_WINDOWS: Mapping[str, tuple[int, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One side: its name, its log, and every bootstrap address under which applications may know it."""

    name: str
    log: Log
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationAudit:
    """The verdict on one application; the counts are told in the package's docstring.

    `around` has the records it worked on before, within and after the window it was asked about.
    """

    name: str
    group: str
    isolation: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    partitions: int
    around: tuple[int, int, int]
    runs: int
    crashes: int
    errors: int
    audit_gaps: int
    processed: int
    lost: int
    redelivered: int
    repeats: int
    out_of_order: int
    aborted_seen: int
    unexplained: int
    behind: int
    uncovered: tuple[str, ...]
    written: int
    taken_back: int
    refused: int
    unknown_outcome: int
    unknown_written: int
    missing_written: int
    resurrected: int
    switches: tuple[Switch, ...]
    examples: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Nothing lost, given twice, out of order, or that cannot be explained."""
        faults = (self.lost, self.redelivered, self.out_of_order, self.unexplained, self.audit_gaps)
        return not any(faults) and not (self.missing_written or self.resurrected or self.uncovered)

    @property
    def moved(self) -> bool:
        """Whether it worked on more than one side."""
        return bool(self.switches)

    @property
    def pause_ms(self) -> int | None:
        """The longest pause of a switch; None when it never moved."""
        return max((switch.pause_ms for switch in self.switches), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All applications, by name, and the comparison of the logs (empty with one cluster)."""

    applications: tuple[ApplicationAudit, ...]
    differences: tuple[Difference, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing at all is wrong."""
        return all(app.clean for app in self.applications) and all(entry.clean for entry in self.differences)


def audit(
    folders: Sequence[Path],
    clusters: Sequence[Cluster],
    *,
    settled: bool = False,
    windows: Mapping[str, tuple[int, int]] = NO_WINDOWS,
) -> Verdict:
    """Audit the applications in these folders against one or two clusters, the source first.

    `windows` has, by application, a half-open stretch of time (ms since the epoch) whose records are counted apart.

    The files are read up to where they are now, then the logs, so it may run beside live traffic. With `settled` an
    application is expected to have processed everything, not only up to its last committed position. The logs of all
    topics are held in memory as identities (about 0.3 kB a record). Raises KafkaException, TimeoutError, ValueError
    when a file is damaged or an address belongs to no cluster.
    """
    told = [(folder, seen) for folder in folders if (seen := about(folder)) is not None]
    held = [snapshot(folder) for folder, _ in told]
    sides = {address: cluster.name for cluster in clusters for address in cluster.addresses}
    histories: dict[Place, History] = {}
    differences: list[Difference] = []
    found: Counter[str] = Counter()
    for topic in topics(folders):
        for number in range(max(cluster.log.partitions(topic) for cluster in clusters)):
            logs = {cluster.name: read_partition(cluster.log, topic, number) for cluster in clusters}
            history = histories[topic, number] = build(logs)
            found.update(history.identities)
            if len(clusters) > 1:
                differences.append(compare(topic, number, *logs.values()))
    return Verdict(
        applications=tuple(
            _application(seen, lines(taken), histories, sides, found, windows.get(seen.app, (0, 0)), settled=settled)
            for (_, seen), taken in zip(told, held, strict=True)
        ),
        differences=tuple(differences),
    )


def _application(
    seen: About,
    batch: Iterable[Line],
    histories: Histories,
    sides: Mapping[str, str],
    found: Mapping[str, int],
    window: tuple[int, int],
    *,
    settled: bool,
) -> ApplicationAudit:
    read = {place: history for place, history in histories.items() if place[0] in seen.reads}
    committed_only = seen.isolation != "read_uncommitted"
    reader = Reader(read, sides, committed_only=committed_only, stretches=Stretches(window))
    writer, runs = Writer(sides, stretches=Stretches(window)), Runs()
    for line in batch:
        if line.side not in sides and line.side:
            raise ValueError(f"{seen.app} worked with {line.side}, which is no address of a known cluster")
        runs.take(line)
        reader.take(line)
        writer.take(line)
    worked = reader if seen.reads else writer
    own = _own(seen, histories)
    switches = worked.stretches.switches(own)
    return _verdict_on(seen, runs, reader, writer, found, (len(own), switches), settled=settled)


def _verdict_on(
    seen: About, runs: Runs, reader: Reader, writer: Writer, found: Mapping[str, int], moves: Moves, *, settled: bool
) -> ApplicationAudit:
    before, during, after = (reader if seen.reads else writer).stretches.around
    lost = reader.lost(settled=settled)
    return ApplicationAudit(
        name=seen.app,
        group=seen.group,
        isolation=seen.isolation,
        reads=seen.reads,
        writes=seen.writes,
        partitions=moves[0],
        around=(before, during, after),
        runs=runs.runs,
        crashes=runs.crashes(),
        errors=runs.errors,
        audit_gaps=runs.gaps,
        processed=reader.processed,
        lost=lost,
        redelivered=reader.redelivered,
        repeats=reader.repeats,
        out_of_order=reader.out_of_order,
        aborted_seen=reader.aborted_seen,
        unexplained=reader.unexplained,
        behind=reader.behind(),
        uncovered=reader.uncovered() if seen.reads else (),
        written=writer.kept.total(),
        taken_back=writer.aborted.total(),
        refused=writer.refused,
        unknown_outcome=writer.unknown.total(),
        unknown_written=writer.unknown_written(found),
        missing_written=writer.missing(found),
        resurrected=writer.resurrected(found),
        switches=moves[1],
        examples=tuple(reader.examples),
    )


def _own(seen: About, histories: Histories) -> tuple[History, ...]:
    """Of the partitions it reads; of those it writes when it reads none."""
    return tuple(history for place, history in histories.items() if place[0] in (seen.reads or seen.writes))
