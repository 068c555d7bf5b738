"""A lane of either direction for the contract of mirrors: in memory, and as Connect and the operator write on Kafka."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from mirror_estate import TARGET, MirrorEstate, bodies, lane_of, with_setting

from kmigrate.adapters.memory import MemoryClock, MemoryStore
from kmigrate.adapters.mirror import ConnectMirror
from kmigrate.manifests.lanes import names_of, side_written
from kmigrate.manifests.mirror import RUNNING
from kmigrate.model import Json, JsonObject, Lane, Partition, Side
from kmigrate.probes.resources import key_of
from kmigrate.world import Mirror, ResourceStore


class Stage(Protocol):
    """A lane, and what happens to it."""

    mirror: Mirror
    lane: Lane

    def ask(self, state: str) -> None:
        """The resources ask for the lane to be in that state."""
        ...

    def change(self, part: str, name: str, value: str) -> None:
        """Somebody gives the `workers` or the `connector` another setting."""
        ...

    def copy(self, partition: Partition, count: int) -> int:
        """So many more records are written and will be copied; the offset of the last one where it was written."""
        ...

    def lose(self, partition: Partition) -> None:
        """Connect forgets how far the partition was copied."""
        ...

    def drop_syncs(self) -> None:
        """Somebody removes the topic of the lane's offset syncs."""
        ...

    def drop_offsets(self) -> None:
        """Somebody removes the topic of the lane's own offsets."""
        ...

    def fail(self, why: str) -> None:
        """The lane's task fails."""
        ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


class MemoryStage:
    """The mirror of an estate in memory."""

    def __init__(self, direction: str) -> None:
        self.lane = lane_of(direction)
        self.made = MirrorEstate(self.lane)
        self.mirror = self.made.estate.mirror

    def ask(self, state: str) -> None:
        self.made.ask(state)

    def change(self, part: str, name: str, value: str) -> None:
        for body in with_setting(self.lane, RUNNING, part, name, value):
            self.made.estate.store.apply(body)

    def copy(self, partition: Partition, count: int) -> int:
        return self.made.write(partition, count)

    def lose(self, partition: Partition) -> None:
        self.made.estate.clusters[side_written(self.lane)].remove(partition.topic)

    def drop_syncs(self) -> None:
        self.made.estate.clusters[Side.TARGET].remove(names_of(self.lane).offset_syncs(self.lane))

    def drop_offsets(self) -> None:
        self.made.estate.clusters[side_written(self.lane)].remove(names_of(self.lane).connector_offsets(self.lane))

    def fail(self, why: str) -> None:
        self.mirror.lanes(self.lane).failed = why

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        self.made.eventually(what, holds)


class KafkaStage:
    """Connect's own topics of both sides, a store, and this stage as Connect and as the operator."""

    def __init__(self, two, kept: Path, direction: str = "forward") -> None:
        self.lane = _named(lane_of(direction), uuid4().hex[:8])
        self._names = names_of(self.lane)
        self._two, self._store = two, MemoryStore(MemoryClock())
        self._connector: JsonObject = {}
        self._sent: dict[Partition, int] = {}
        self._producers = {side: _producer(two, side) for side in Side}
        self._topic(side_written(self.lane), self._names.connector_offsets(self.lane), 1)
        self._topic(Side.TARGET, self._names.offset_syncs(self.lane), 1)
        self._topic(Side.TARGET, self._names.status, 2)
        self._kept = kept
        self.mirror = self.again()

    @property
    def store(self) -> ResourceStore:
        return self._store

    def again(self) -> ConnectMirror:
        """The same mirror, looked at by another process."""

        def connection(side: Side):
            return self._two.sides[side].connection(str(side))

        return ConnectMirror(self._store, TARGET.namespace, connection, self._kept)

    def tell(self, partition: Partition, offsets: Iterable[int]) -> None:
        """So many syncs, of copies that lie where their originals do, as MirrorMaker 2 writes them (OffsetSync)."""
        topic = self._names.offset_syncs(self.lane)
        self._topic(Side.TARGET, topic, 1)
        for offset in offsets:
            self._producers[Side.TARGET].produce(topic, struct.pack(">qq", offset, offset), _key(partition))
        assert self._producers[Side.TARGET].flush(30) == 0

    def ask(self, state: str) -> None:
        for body in bodies(self.lane, state):
            self._store.apply(body)
        self._connector = self._status(state)
        key = f"status-task-{self.lane.connector}-0"
        word = {"state": "RUNNING", "worker_id": "w"} if state == RUNNING else None
        self._say(Side.TARGET, self._names.status, key, word)

    def change(self, part: str, name: str, value: str) -> None:
        for body in with_setting(self.lane, RUNNING, part, name, value):
            self._store.apply(body)

    def copy(self, partition: Partition, count: int) -> int:
        self._sent[partition] = self._sent.get(partition, -1) + count
        self._keep(partition, {"offset": self._sent[partition]})
        self._mumble(partition)
        self.tell(partition, [self._sent[partition]])
        return self._sent[partition]

    def _mumble(self, partition: Partition) -> None:
        """A sync that nobody can read."""
        self._topic(Side.TARGET, self._names.offset_syncs(self.lane), 1)
        self._producers[Side.TARGET].produce(self._names.offset_syncs(self.lane), b"\0\0\0", _key(partition))

    def lose(self, partition: Partition) -> None:
        self._keep(partition, None)

    def drop_syncs(self) -> None:
        assert self._two.target.admin.delete_topic(self._names.offset_syncs(self.lane)) == ""

    def drop_offsets(self) -> None:
        admin = self._two.sides[side_written(self.lane)].admin
        assert admin.delete_topic(self._names.connector_offsets(self.lane)) == ""

    def fail(self, why: str) -> None:
        self._connector = self._status("FAILED", why)
        key = f"status-task-{self.lane.connector}-0"
        self._say(Side.TARGET, self._names.status, key, {"state": "FAILED", "trace": why})

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        for body in bodies(self.lane, RUNNING):
            resource = self._store.get(key_of(body))
            if resource is not None:
                told = {"observedGeneration": resource.generation, **self._told(resource.key.kind)}
                self._store.write_status(resource.key, told)
        self._two.until(what, holds)

    def _told(self, kind: str) -> dict[str, Json]:
        """Conditions and connectors as the operator writes them of each kind."""
        ready: JsonObject = {"type": "Ready", "status": "True"}
        if kind == "KafkaMirrorMaker2":
            return {"conditions": [ready], "connectors": [self._connector]}
        if kind == "KafkaConnect":
            return {"conditions": [ready]}
        if "FAILED" in json.dumps(self._connector):
            why = "The following tasks have failed: 0, see connectorStatus for more details."
            ready = {"type": "NotReady", "status": "True", "reason": "Throwable", "message": why}
        return {"conditions": [ready], "connectorStatus": self._connector}

    def _status(self, state: str, trace: str = "") -> JsonObject:
        task = {"id": 0, "state": state.upper(), **({"trace": trace} if trace else {})}
        return {"name": self.lane.connector, "connector": {"state": "RUNNING"}, "tasks": [task]}

    def _keep(self, partition: Partition, offset: Mapping[str, object] | None) -> None:
        """An offset as Connect keeps it, in the topic of the connector's own."""
        where = {"cluster": self.lane.source_alias, "partition": partition.number, "topic": partition.topic}
        topic = self._names.connector_offsets(self.lane)
        self._say(side_written(self.lane), topic, json.dumps([self.lane.connector, where]), offset)

    def _say(self, side: Side, topic: str, key: str, value: Mapping[str, object] | None) -> None:
        self._producers[side].produce(topic, None if value is None else json.dumps(value), key)
        assert self._producers[side].flush(30) == 0

    def _topic(self, side: Side, name: str, partitions: int) -> None:
        from kmigrate.adapters.kafka import KafkaCluster

        cluster = KafkaCluster(self._two.sides[side].connection(str(side)))
        if name not in cluster.topics([name]):
            self._two.sides[side].topic(name, partitions, {"cleanup.policy": "compact"})
            self._two.until("the topic is known", lambda: name in cluster.topics([name]))


def _key(partition: Partition) -> bytes:
    topic = partition.topic.encode()
    return struct.pack(">h", len(topic)) + topic + struct.pack(">i", partition.number)


def _named(lane: Lane, mark: str) -> Lane:
    """The lane under names that no other test has."""
    if lane.direction == "reverse":
        return replace(lane, name=f"lane-{mark}-reverse", target_alias=f"source-{mark}-reverse")
    return replace(lane, name=f"lane-{mark}", source_alias=f"source-{mark}")


def another(lane: Lane) -> Lane:
    """A lane of the same direction that is nowhere."""
    return replace(lane, name="lane-2", source_alias="source-2", target_alias="source-2-reverse", topics=("other",))


def _producer(two, side: Side):
    from confluent_kafka import Producer
    from two_clusters import WRITER

    return Producer({**two.sides[side].client(WRITER), "partitioner": "murmur2_random", "linger.ms": 0})
