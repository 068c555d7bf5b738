"""What the laws' estate is made of: journal lines, logs with markers, groups, denials, workloads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kmigrate.errors import Blocked
from kmigrate.model import Denial, Group, GroupState, OffsetRange, Partition, Record, Right, Side, Topic
from kmigrate.world import WorkloadView


class Died(BaseException):
    """The process was killed here."""


@dataclass(slots=True)
class Watch:
    """Journal lines and every write on the world; kills at one instant, and notes what is never allowed."""

    at: int = -1
    seen: int = 0
    changes: int = 0
    written: list[str] = field(default_factory=list)
    unruly: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        return iter(tuple(self.written))

    def append(self, line: str) -> None:
        self.pass_by()
        self.written.append(line)
        self.pass_by()

    def pass_by(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise Died

    def write(self, what: str, *, differs: bool = True) -> None:
        """A write is about to happen; the newest line of a step must say that the step was begun, or is undone."""
        self.changes += differs
        told = next((t for t in map(json.loads, reversed(self.written)) if t["event"] != "FACT"), {"event": "nothing"})
        if told["event"] not in ("STARTED", "UNDOING"):
            self.unruly.append(f"{what}: the journal's last word is {told['event']}, not STARTED")
        allowed = ("rollback/",) if what.startswith("positions") else ("rollback/", "cutover/")
        if "on the source" in what and not told.get("unit", "").startswith(allowed):
            self.unruly.append(f"{what} in {told.get('unit')}")
        self.pass_by()


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies at an offset: a record with the number it was written under, or a marker (None)."""

    offset: int
    record: Record | None
    number: int = -1


@dataclass(slots=True)
class Log:
    """A partition as it lies on a disk."""

    entries: list[Lying] = field(default_factory=list)

    def put(self, timestamp: int, told: bytes, number: int) -> None:
        end = len(self.entries)
        self.entries.append(Lying(end, Record(offset=end, timestamp=timestamp, digest=told), number))

    def mark(self) -> None:
        self.entries.append(Lying(len(self.entries), None))

    def visible(self, start: int, end: int | None = None) -> list[Lying]:
        return [each for each in self.entries[max(start, 0) : end] if each.record is not None]

    def after(self, time: int) -> int:
        return next((e.offset for e in self.visible(0) if e.record and e.record.timestamp >= time), len(self.entries))

    def __deepcopy__(self, memo: object) -> Log:
        return Log(list(self.entries))


@dataclass(slots=True)
class LawCluster:
    """A cluster, its groups, and what its clients are denied; a denial is enforced one turn after it was written."""

    side: Side
    watch: Watch
    logs: dict[Partition, Log] = field(default_factory=dict)
    made: dict[str, Topic] = field(default_factory=dict)
    positions_of: dict[str, dict[Partition, int]] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    denied: set[Denial] = field(default_factory=set)
    enforced: set[Denial] = field(default_factory=set)
    allowed: tuple[Right, ...] = ()

    def id(self) -> str:
        return f"{self.side}-cluster"

    def brokers(self) -> tuple[str, ...]:
        return (f"{self.side}:9092",)

    def all_topics(self) -> Mapping[str, Topic]:
        return dict(self.made)

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        return {name: self.made[name] for name in names if name in self.made}

    def rights(self) -> tuple[Right, ...]:
        return tuple(sorted(self.allowed))

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        return {p: OffsetRange(start=0, end=len(self.logs[p].entries)) for p in partitions}

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return {p: self.logs[p].after(time) for p, time in times.items()}

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        return {p: tuple(e.record for e in self.logs[p].visible(r.start, r.end) if e.record) for p, r in ranges.items()}

    def stream(self, ranges: Mapping[Partition, OffsetRange]) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        for partition, records in self.read(ranges).items():
            if records:
                yield partition, records
            yield partition, ()

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return {name: self._group(name) for name in names}

    def all(self) -> Mapping[str, Group]:
        return self.describe({*self.positions_of, *(name for name, there in self.members.items() if there)})

    def held(self, group: str) -> Mapping[Partition, int]:
        return dict(self.positions_of.get(group, {}))

    def positions(self, group: str, partitions: Iterable[Partition]) -> Mapping[Partition, int | None]:
        return {p: self.positions_of.get(group, {}).get(p) for p in partitions}

    def commit(self, group: str, positions: Mapping[Partition, int]) -> None:
        self._write(group, differs=any(self.held(group).get(p) != at for p, at in positions.items()))
        self.positions_of.setdefault(group, {}).update(positions)
        self.watch.pass_by()

    def delete(self, group: str) -> None:
        self._write(group, differs=group in self.positions_of)
        self.positions_of.pop(group, None)
        self.watch.pass_by()

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        return frozenset(self.denied & set(denials))

    def deny(self, denials: Iterable[Denial]) -> None:
        for denial in denials:
            self.watch.write(f"denial on the {self.side}", differs=denial not in self.denied)
            self.denied.add(denial)
            self.watch.pass_by()

    def lift(self, denials: Iterable[Denial]) -> None:
        for denial in denials:
            self.watch.write(f"denial on the {self.side} lifted", differs=denial in self.denied)
            self.denied.discard(denial)
            self.watch.pass_by()

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        return dict.fromkeys(self.enforced & set(denials), "listed: every broker answers the rule")

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        return tuple(f"kafka-acls --remove {denial}" for denial in denials)

    def _write(self, group: str, *, differs: bool) -> None:
        if not self._group(group).stopped:
            self.watch.unruly.append(f"positions of group {group} written on the {self.side} while it is not Empty")
            raise Blocked(f"group {group} is not Empty")
        self.watch.write(f"positions on the {self.side}", differs=differs)

    def _group(self, name: str) -> Group:
        if self.members.get(name):
            return Group(name=name, state=GroupState.STABLE, members=self.members[name])
        return Group(name=name, state=GroupState.EMPTY if name in self.positions_of else GroupState.DEAD)


@dataclass(slots=True)
class LawWorkload:
    """Instances of an application; they remember, per group, the numbers of what they processed, in order."""

    watch: Watch
    addresses: Mapping[Side, str]
    side: Side = Side.SOURCE
    running: bool = True
    processed: dict[tuple[str, Partition], list[int]] = field(default_factory=dict)

    def look(self) -> WorkloadView:
        return WorkloadView(running=self.running, bootstrap=self.addresses[self.side])

    def stop(self, deadline_ms: int) -> None:
        self.watch.write("stop", differs=self.running)
        self.running = False
        self.watch.pass_by()

    def start(self, deadline_ms: int) -> None:
        self.watch.write("start", differs=not self.running)
        self.running = True
        self.watch.pass_by()

    def switch(self, side: Side, deadline_ms: int) -> None:
        self.watch.write("switch", differs=self.side is not side)
        self.side = side
        self.watch.pass_by()

    def read(self, group: str, partition: Partition, cluster: LawCluster) -> None:
        held = cluster.positions_of.setdefault(group, {})
        position = held.setdefault(partition, 0)
        for each in cluster.logs[partition].visible(position)[:7]:
            self.processed.setdefault((group, partition), []).append(each.number)
            held[partition] = each.offset + 1
