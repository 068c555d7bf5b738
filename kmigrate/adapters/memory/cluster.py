"""A cluster in memory: topics, logs, ACLs, and who may sign in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kmigrate.adapters.memory import telling
from kmigrate.adapters.memory.acls import Acls
from kmigrate.adapters.memory.log import Entry, Log
from kmigrate.adapters.memory.state import State
from kmigrate.errors import Blocked, PlatformError, Transient
from kmigrate.model import FullRecord, KeyedRows, OffsetRange, Partition, Record, Right, Run, Stretch, Topic

_BATCH = 500


@dataclass(slots=True)
class MemoryCluster(State):
    """Topics and their logs (world.Cluster); `users` may sign in, kmigrate `may_list_rights` or may not."""

    name: str
    addresses: tuple[str, ...] = ("memory:9092",)
    made: dict[str, Topic] = field(default_factory=dict)
    logs: dict[Partition, Log] = field(default_factory=dict)
    acls: Acls = field(default_factory=Acls)
    users: set[str] = field(default_factory=set)
    may_list_rights: bool = True

    def create(self, topic: Topic) -> None:
        """Make a topic, or give the one that is there other settings or more partitions."""
        self.made[topic.name] = topic
        for partition in topic.all():
            self.logs.setdefault(partition, Log())

    def remove(self, name: str) -> None:
        """Remove a topic with its logs."""
        for partition in self.made.pop(name).all():
            del self.logs[partition]

    def id(self) -> str:
        """The cluster id."""
        return f"{self.name}-cluster"

    def brokers(self) -> tuple[str, ...]:
        """The address of every broker, sorted."""
        return tuple(sorted(self.addresses))

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        """The named topics that exist."""
        return {name: self.made[name] for name in sorted(set(names)) if name in self.made}

    def all_topics(self) -> Mapping[str, Topic]:
        """Every topic."""
        return dict(self.made)

    def rights(self) -> tuple[Right, ...]:
        """Every ACL as it is written, sorted."""
        if not self.may_list_rights:
            told = f"{self.name}: listing ACLs: User:kmigrate lacks Describe on the cluster"
            raise Blocked(
                told,
                hint="grant it: kafka-acls.sh --add --allow-principal User:kmigrate --operation Describe --cluster",
            )
        return tuple(sorted(self.acls.rules))

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        """Log start and end per partition."""
        logs = {partition: self._log(partition) for partition in partitions}
        return {p: OffsetRange(start=log.start, end=log.stable if committed else log.end) for p, log in logs.items()}

    def ends(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, int]:
        """Log end per partition."""
        return {p: each.end for p, each in self.ranges(partitions, committed=committed).items()}

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """First offset at or after each time; the end where there is none."""
        return {partition: self._log(partition).first_at(time) for partition, time in times.items()}

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        """Every visible record within each range, in order; what a record says is told without its time."""
        seen = {p: self._records(p, wanted, committed=committed) for p, wanted in ranges.items()}
        return {p: tuple(map(_with_time, of) if timed and self._stamps(p) else of) for p, of in seen.items()}

    def _stamps(self, partition: Partition) -> bool:
        return self.made[partition.topic].config.get("message.timestamp.type") == "LogAppendTime"

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        """Read once what is given back is called."""
        return lambda: self.read(ranges, timed=timed)

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        """Read once what is given back is called."""
        return lambda: {p: telling.run(records) for p, records in self.read(ranges, timed=timed).items()}

    def stream(self, ranges: Mapping[Partition, OffsetRange]) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        """The committed records of each range in batches, each range ended by an empty one."""
        for partition, wanted in ranges.items():
            records = tuple(self._records(partition, wanted, committed=True))
            for first in range(0, len(records), _BATCH):
                yield partition, records[first : first + _BATCH]
            yield partition, ()

    def stretches(
        self, ranges: Mapping[Partition, OffsetRange], records: int
    ) -> Generator[tuple[Partition, Stretch], None, None]:
        """The committed records of each range in stretches of so many."""
        return telling.stretches(self.read(ranges), ranges, records)

    def keyed(
        self, ranges: Mapping[Partition, OffsetRange], parts: int
    ) -> Generator[tuple[Partition, KeyedRows], None, None]:
        """The committed records of each range that have a key: none."""
        return telling.keyed(ranges)

    def records_in_full(self, places: Iterable[tuple[Partition, int]]) -> Mapping[tuple[Partition, int], FullRecord]:
        """The committed records at those offsets."""
        wanted = {(p, offset): self._log(p).visible(offset, offset + 1) for p, offset in places}
        return {place: telling.in_full(each) for place, entries in wanted.items() for each in _records(entries)}

    def _records(self, partition: Partition, wanted: OffsetRange, *, committed: bool) -> Iterator[Record]:
        if wanted.start >= wanted.end:
            return iter(())
        log = self._log(partition)
        if not log.start <= wanted.start <= log.end:
            gone = f"{self.name}: reading {partition}: offset {wanted.start} is not in the log any more, or not yet"
            raise PlatformError(gone, hint="look at the topic's retention")
        if wanted.end > (log.stable if committed else log.end):
            raise Transient(f"{self.name}: reading {partition}: no record at its end")
        return _records(log.visible(wanted.start, wanted.end, committed=committed))

    def _log(self, partition: Partition) -> Log:
        if partition not in self.logs:
            raise PlatformError(f"{self.name}: there is no {partition}", hint="look at the topic")
        return self.logs[partition]


def _records(entries: Iterable[Entry]) -> Iterator[Record]:
    return (entry.record for entry in entries if entry.record is not None)


def _with_time(record: Record) -> Record:
    """Of records stamped here no digest with a time is that of the record they were copied from."""
    return record._replace(digest=record.timestamp.to_bytes(8, "big") + record.digest[:8])
