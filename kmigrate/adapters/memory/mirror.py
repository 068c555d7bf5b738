"""A coarse mirror: a few records per turn, a marker after each batch, offsets of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.log import Entry, Log
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.adapters.mirror_status import once, trouble
from kmigrate.model import Json, JsonObject, Lane, Partition, Sync
from kmigrate.positions import SyncIndex

_BATCH = 9


@dataclass(slots=True)
class MemoryMirror(State):
    """Copies what its resource asks for (world.Mirror); `last` is the last source offset copied per partition.

    `failed` is why its task FAILED, empty while it is well; `held_up` it copies nothing, and nobody says so; `dies` so
    many batches more in mid-transaction, whose copies are aborted and made again.
    """

    store: MemoryStore
    namespace: str
    source: MemoryCluster
    target: MemoryCluster
    asked: JsonObject = field(default_factory=dict)
    last: dict[Partition, int] = field(default_factory=dict)
    marks: dict[Partition, list[Sync]] = field(default_factory=dict)
    failed: str = ""
    held_up: bool = False
    dies: int = 0
    _runs: dict[str, str] = field(default_factory=dict)

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition."""
        return {partition: offset for partition, offset in self.last.items() if partition.topic in lane.topics}

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        """One sync per batch, of its last record, as under exactly-once."""
        found: dict[Partition, SyncIndex] = {}
        for partition in (each for each in self.marks if each.topic in lane.topics):
            found[partition] = SyncIndex()
            for sync in self.marks[partition]:
                found[partition].add(sync)
        return found

    def once(self, lane: Lane) -> bool:
        """Whether the lane writes exactly once, by its resource."""
        return once(self.store, self.namespace, lane)

    def tasks(self, lane: Lane) -> int:
        """One while the lane runs."""
        return int(lane.connector in self._runs and not self.failed)

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong."""
        return trouble(self.store, self.namespace, lane, self._missing)

    def _missing(self, topics: Iterable[str]) -> list[str]:
        return [name for name in topics if name not in self.target.made]

    def connectors(self) -> Iterator[JsonObject]:
        """Connect's own status of each connector, for the operator to tell."""
        state = {"state": "FAILED", "trace": self.failed} if self.failed else {"state": "RUNNING"}
        for name in _running(self.asked):
            yield {"name": name, "connector": {"state": "RUNNING"}, "tasks": [{"id": 0, **state}]}

    def work(self) -> None:
        """A turn: copy a batch of every partition whose topic is on both sides."""
        self._runs = _running(self.asked)
        for partition in self.last.keys() - self.target.logs.keys():
            del self.last[partition]  # the offsets lay in a topic that went with it
            self.marks.pop(partition, None)
        patterns = [pattern for listed in self._runs.values() for pattern in listed.split(",")]
        for partition in self.source.logs if not (self.failed or self.held_up) else ():
            if partition in self.target.logs and any(re.fullmatch(p, partition.topic) for p in patterns):
                self._copy(partition)

    def _copy(self, partition: Partition) -> None:
        log, to = self.source.logs[partition], self.target.logs[partition]
        batch = log.visible(self.last.get(partition, -1) + 1, limit=_BATCH)
        if batch and self.dies:
            self.dies -= 1
            _write(batch, to, "dies")
            to.abort("dies")
        _write(batch, to)
        if batch:
            self.last[partition] = batch[-1].offset
            self.marks.setdefault(partition, []).append(Sync(self.last[partition], to.end - 1))
            to.mark()


def _write(batch: Sequence[Entry], to: Log, transaction: str = "") -> None:
    for entry in batch:
        assert entry.record is not None
        to.put(entry.record.timestamp, entry.record.digest, entry.number, transaction=transaction)


def _running(asked: JsonObject) -> dict[str, str]:
    """The list of topics, as patterns, of every connector that is to run."""
    target = asked.get("target")
    alias = target.get("alias") if isinstance(target, Mapping) else ""
    mirrors = asked.get("mirrors")
    found = (_lane(each, alias) for each in (mirrors if isinstance(mirrors, Sequence) else ()))
    return {name: topics for name, topics, state in found if state != "stopped"}


def _lane(mirror: Json, target: Json) -> tuple[str, str, Json]:
    assert isinstance(mirror, Mapping)
    source, connector = mirror["source"], mirror["sourceConnector"]
    assert isinstance(source, Mapping)
    assert isinstance(connector, Mapping)
    name = f"{source['alias']}->{target}.MirrorSourceConnector"
    return name, str(mirror["topicsPattern"]), connector.get("state", "running")
