"""Logs and audit files written by hand, so that a test can plant one fault and see what the auditor makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmigrate.lab.auditor.audit import ApplicationAudit, Cluster, Verdict, audit
from kmigrate.lab.auditor.log import LogRecord

OLD, NEW = "old:9092", "new:9093"
KEYS = ("red", "green", None, "blue")


@dataclass
class MemoryLog:
    """A log in memory; one topic, its partitions by number."""

    topic: str
    held: dict[int, list[LogRecord]]

    def partitions(self, topic: str) -> int:
        return len(self.held) if topic == self.topic else 0

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        assert topic == self.topic
        return iter(self.held[partition])


def orders(count: int, *, twins: Sequence[int] = ()) -> list[LogRecord]:
    """Committed records of the source with a hole in the offsets after every fifth, as markers leave it."""
    made: list[LogRecord] = []
    for number in range(count):
        copies = 2 if number in twins else 1
        identity = f"shop-1-{number}" + ("x2" if copies == 2 else "")
        for _ in range(copies):
            offset = len(made) + len(made) // 5
            made.append(LogRecord(offset, 1_000 + number, identity, KEYS[number % 4], number, hash(identity)))
    return made


def copied(records: Sequence[LogRecord]) -> list[LogRecord]:
    """The same records as a mirror writes them: other offsets, other holes."""
    return [record._replace(offset=at + at // 3) for at, record in enumerate(records)]


@dataclass
class Diary:
    """Writes an application's audit files: `folder/audit/RUN-PID.jsonl`."""

    folder: Path
    app: str = "reader"
    isolation: str = "read_committed"
    reads: tuple[str, ...] = ("orders",)
    writes: tuple[str, ...] = ()
    lines: list[dict[str, object]] = field(default_factory=list)
    run: int = 0
    at: int = 1_000

    def start(self, side: str) -> None:
        self.end()
        self.run += 1
        self.side = side
        self.add(
            "started", app=self.app, group=self.app, isolation=self.isolation, reads=self.reads, writes=self.writes
        )

    def add(self, event: str, **fields: object) -> None:
        self.at += 1
        self.lines.append({"n": len(self.lines) + 1, "at": self.at, "event": event, "side": self.side, **fields})

    def assigned(self, position: int) -> None:
        self.add("assigned", positions={"orders/0": position})

    def process(self, records: Sequence[LogRecord], **more: int) -> None:
        for record in records:
            self.add(
                "processed",
                topic="orders",
                partition=0,
                offset=record.offset,
                id=record.identity,
                key=record.key,
                seq=record.sequence,
                **more,
            )

    def commit(self, position: int, **more: int) -> None:
        self.add("committed", offsets={"orders/0": position}, **more)

    def work(self, records: Sequence[LogRecord], *, batch: int = 4) -> None:
        """Process and commit in batches."""
        for at in range(0, len(records), batch):
            part = records[at : at + batch]
            self.process(part)
            self.commit(part[-1].offset + 1)

    def stop(self) -> None:
        self.add("stopped", reason="asked")

    def end(self, torn: str = "") -> None:
        """Write the run's file; without `stop` before it the run was killed."""
        if self.lines:
            (self.folder / "audit").mkdir(parents=True, exist_ok=True)
            text = "".join(json.dumps(line) + "\n" for line in self.lines)
            (self.folder / "audit" / f"{self.run}-77.jsonl").write_text(text + torn)
        self.lines = []


@dataclass
class Move:
    """A reader that processes `left` records on the source, then the rest on the target from where it is put."""

    folder: Path
    source: list[LogRecord] = field(default_factory=lambda: orders(20, twins=(3, 11)))
    target: list[LogRecord] = field(default_factory=list)
    left: int = 10
    shift: int = 0
    isolation: str = "read_committed"

    def __post_init__(self) -> None:
        self.target = self.target or copied(self.source)
        self.diary = Diary(self.folder, isolation=self.isolation)

    def run(self) -> Verdict:
        self.on_source()
        self.on_target()
        return self.verdict()

    def on_source(self) -> None:
        self.diary.start(OLD)
        self.diary.assigned(0)
        self.diary.work(self.source[: self.left])
        self.diary.stop()

    def on_target(self) -> None:
        done = {(record.identity, record.key) for record in self.source[: self.left]}
        first = next(at for at, record in enumerate(self.target) if (record.identity, record.key) not in done)
        rest = self.target[first + self.shift :]
        self.diary.start(NEW)
        self.diary.at += 250
        self.diary.assigned(rest[0].offset)
        self.diary.work(rest)
        self.diary.stop()

    def verdict(self) -> Verdict:
        self.diary.end()
        clusters = (cluster("source", OLD, self.source), cluster("target", NEW, self.target))
        return audit([self.folder], clusters)


def cluster(name: str, address: str, records: Sequence[LogRecord]) -> Cluster:
    return Cluster(name=name, log=MemoryLog("orders", {0: list(records)}), addresses=(address,))


def faults(app: ApplicationAudit) -> dict[str, int]:
    """Every count of a fault that is not zero."""
    names = (
        "lost",
        "redelivered",
        "repeats",
        "out_of_order",
        "aborted_seen",
        "unexplained",
        "audit_gaps",
        "unknown_outcome",
        "missing_written",
        "resurrected",
    )
    return {name: getattr(app, name) for name in names if getattr(app, name)}


def differences(verdict: Verdict) -> dict[str, int]:
    """Every kind of difference between the logs that is not zero."""
    (only,) = verdict.differences
    names = ("missing", "extra", "swapped", "changed", "behind", "ahead")
    return {name: getattr(only, name) for name in names if getattr(only, name)}


__all__ = ["Diary", "LogRecord", "MemoryLog", "Move", "cluster", "copied", "differences", "faults", "orders"]
