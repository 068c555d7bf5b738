"""Logs with markers, a cluster with groups, a journal's lines and death, all in memory (see memory_world)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kmigrate.adapters.memory import Death, Died
from kmigrate.errors import Blocked
from kmigrate.model import Group, GroupState, OffsetRange, Partition, Record, Right, Topic

__all__ = ["Death", "Died", "Lines", "Log", "MemoryCluster"]


@dataclass(slots=True)
class Lines:
    """Journal lines in memory; dying before a line and right after it are two instants."""

    death: Death
    written: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        return iter(tuple(self.written))

    def append(self, line: str) -> None:
        self.death.pass_by()
        self.written.append(line)
        self.death.pass_by()


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at an offset: a record with the number it was written under, or a marker (None)."""

    offset: int
    record: Record | None
    number: int = -1


@dataclass(slots=True)
class Log:
    """A partition as it lies on a disk."""

    entries: list[Entry] = field(default_factory=list)
    start: int = 0
    unstable: int = 0  # so many entries at the end belong to an open transaction

    @property
    def end(self) -> int:
        return len(self.entries)

    def put(self, timestamp: int, told: bytes, number: int) -> None:
        self.entries.append(Entry(self.end, Record(offset=self.end, timestamp=timestamp, digest=told), number))

    def mark(self) -> None:
        self.entries.append(Entry(self.end, None))

    def visible(self, wanted: OffsetRange) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries[max(wanted.start, 0) : wanted.end] if e.record is not None)


@dataclass(slots=True)
class MemoryCluster:
    """A cluster and its groups."""

    name: str
    death: Death
    logs: dict[Partition, Log] = field(default_factory=dict)
    held_by: dict[str, dict[Partition, int]] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    configs: dict[str, dict[str, str]] = field(default_factory=dict)
    commits: list[dict[Partition, int]] = field(default_factory=list)

    def id(self) -> str:
        return self.name

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        counts = {n: sum(p.topic == n for p in self.logs) for n in names}
        return {n: Topic(name=n, partitions=c, config=self.configs.get(n, {})) for n, c in counts.items() if c}

    def all_topics(self) -> Mapping[str, Topic]:
        return self.topics({partition.topic for partition in self.logs})

    def brokers(self) -> tuple[str, ...]:
        return (f"{self.name}:9092",)

    def rights(self) -> tuple[Right, ...]:
        return ()

    def all(self) -> Mapping[str, Group]:
        return self.describe(self.held_by)

    def held(self, group: str) -> Mapping[Partition, int]:
        return dict(self.held_by.get(group, {}))

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        logs = {p: self.logs[p] for p in partitions}
        return {p: OffsetRange(start=g.start, end=g.end - (g.unstable if committed else 0)) for p, g in logs.items()}

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return {p: self._at(self.logs[p], time) for p, time in times.items()}

    def read(self, ranges: Mapping[Partition, OffsetRange]) -> Mapping[Partition, tuple[Record, ...]]:
        return {p: tuple(e.record for e in self.logs[p].visible(r) if e.record) for p, r in ranges.items()}

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return {name: self._group(name) for name in names}

    def positions(self, group: str, partitions: Iterable[Partition]) -> Mapping[Partition, int | None]:
        return {p: self.held_by.get(group, {}).get(p) for p in partitions}

    def commit(self, group: str, positions: Mapping[Partition, int]) -> None:
        self._must_be_stopped(group)
        self.death.pass_by()
        self.held_by.setdefault(group, {}).update(positions)
        self.commits.append(dict(positions))
        self.death.pass_by()

    def delete(self, group: str) -> None:
        self._must_be_stopped(group)
        self.death.pass_by()
        self.held_by.pop(group, None)
        self.death.pass_by()

    def _must_be_stopped(self, group: str) -> None:
        if not self._group(group).stopped:
            raise Blocked(f"group {group} is not Empty")

    def _group(self, name: str) -> Group:
        if self.members.get(name):
            return Group(name=name, state=GroupState.STABLE, members=self.members[name])
        return Group(name=name, state=GroupState.EMPTY if name in self.held_by else GroupState.DEAD)

    @staticmethod
    def _at(log: Log, time: int) -> int:
        found = (e.offset for e in log.entries[log.start :] if e.record is not None and e.record.timestamp >= time)
        return next(found, log.end)
