"""What every Mirror promises (kmigrate.world): how far it is, whether its tasks run, what is wrong with it.

On the real side nothing runs: Connect's own offsets and states are written by hand as Connect writes them (`lab.md`),
and so is the status that the operator writes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
from memory_estate import migration
from stages import NOW, eventually, told

from kmigrate.adapters.kept_syncs import Known, keep, load
from kmigrate.adapters.memory import MemoryClock, MemoryEstate, MemoryStore
from kmigrate.adapters.mirror import ConnectMirror
from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.manifests.mirror import RUNNING, STOPPED, Endpoint, mirror_maker
from kmigrate.model import Json, JsonObject, Lane, Partition, Side, Sync, Topic
from kmigrate.positions import SyncIndex
from kmigrate.probes.resources import key_of
from kmigrate.world import Mirror, ResourceStore

TARGET = migration().target
TOPICS = ("orders", "shipments")
FIRST, SECOND = Partition("orders", 0), Partition("shipments", 1)
NOBODY = Endpoint(bootstrap="b:1", mechanism="plain", username="u", password=("s", "k"))


class Stage(Protocol):
    """A lane, and what happens to it."""

    mirror: Mirror
    lane: Lane

    def ask(self, state: str) -> None:
        """The resource asks for the lane to be in that state."""
        ...

    def change(self, part: str, name: str, value: str) -> None:
        """Somebody gives the workers (`target`) or the connector (`mirrors`) another setting."""
        ...

    def copy(self, partition: Partition, count: int) -> int:
        """So many more records are written and will be copied; the source offset of the last one."""
        ...

    def lose(self, partition: Partition) -> None:
        """Connect forgets how far the partition was copied."""
        ...

    def drop_syncs(self) -> None:
        """Somebody removes the topic of the lane's offset syncs."""
        ...

    def fail(self, why: str) -> None:
        """The lane's task fails."""
        ...

    def eventually(self, what: str, holds: Callable[[], object]) -> None: ...


def asked(lane: Lane, state: str) -> JsonObject:
    return mirror_maker(FORWARD, [lane], TARGET, reads_from=NOBODY, writes_to=NOBODY, states={lane.name: state})


def changed(lane: Lane, part: str, name: str, value: str) -> JsonObject:
    """The resource with one setting another."""
    body = json.loads(json.dumps(asked(lane, RUNNING)))
    spec = body["spec"]
    config = spec["target"]["config"] if part == "target" else spec["mirrors"][0]["sourceConnector"]["config"]
    assert name in config
    config[name] = value
    told: JsonObject = body
    return told


class MemoryStage:
    """The mirror of an estate in memory."""

    def __init__(self) -> None:
        self.estate = MemoryEstate(replace(migration(), topics=TOPICS))
        (self.lane,) = forward_lanes(self.estate.migration)
        self.mirror = self.estate.mirror
        for cluster in self.estate.clusters.values():
            for name in TOPICS:
                cluster.create(Topic(name=name, partitions=2))
        for name in (FORWARD.connector_offsets(self.lane), FORWARD.offset_syncs(self.lane)):
            self.estate.clusters[Side.TARGET].create(Topic(name=name, partitions=1))

    def ask(self, state: str) -> None:
        self.estate.store.apply(asked(self.lane, state))

    def change(self, part: str, name: str, value: str) -> None:
        self.estate.store.apply(changed(self.lane, part, name, value))

    def copy(self, partition: Partition, count: int) -> int:
        log = self.estate.clusters[Side.SOURCE].logs[partition]
        for _ in range(count):
            log.put(NOW, told("x"))
        return log.end - 1

    def lose(self, partition: Partition) -> None:
        self.estate.clusters[Side.TARGET].remove(partition.topic)

    def drop_syncs(self) -> None:
        self.estate.clusters[Side.TARGET].remove(FORWARD.offset_syncs(self.lane))

    def fail(self, why: str) -> None:
        self.mirror.failed = why

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        eventually(self.estate, what, holds)


class KafkaStage:
    """Topics of Connect on the target, a store, and this stage as Connect and as the operator."""

    def __init__(self, two, kept: Path) -> None:
        from confluent_kafka import Producer
        from two_clusters import WRITER

        mark = uuid4().hex[:8]
        (lane,) = forward_lanes(replace(migration(), topics=TOPICS))
        self.lane = replace(lane, name=f"lane-{mark}", source_alias=f"source-{mark}")
        self._two, self._store = two, MemoryStore(MemoryClock())
        self._connectors: list[JsonObject] = []
        self._sent: dict[Partition, int] = {}
        self._producer = Producer({**two.target.client(WRITER), "partitioner": "murmur2_random", "linger.ms": 0})
        self._topic(FORWARD.connector_offsets(self.lane), 1)
        self._topic(FORWARD.offset_syncs(self.lane), 1)
        self._topic(FORWARD.status, 2)
        self._kept = kept
        self.mirror = self.again()

    @property
    def store(self) -> ResourceStore:
        return self._store

    def again(self) -> ConnectMirror:
        """The same mirror, looked at by another process."""
        return ConnectMirror(self._store, TARGET.namespace, lambda: self._two.target.connection("target"), self._kept)

    def tell(self, partition: Partition, offsets: Iterable[int]) -> None:
        """So many syncs, of copies that lie where their originals do."""
        topic = FORWARD.offset_syncs(self.lane)
        self._topic(topic, 1)
        key = struct.pack(">h", len(partition.topic)) + partition.topic.encode() + struct.pack(">i", partition.number)
        for offset in offsets:
            self._producer.produce(topic, struct.pack(">qq", offset, offset), key)
        assert self._producer.flush(30) == 0

    def ask(self, state: str) -> None:
        self._store.apply(asked(self.lane, state))
        self._connectors = [self._status(state)]
        key = f"status-task-{self.lane.connector}-0"
        self._say(FORWARD.status, key, {"state": "RUNNING", "worker_id": "w"} if state == RUNNING else None)

    def change(self, part: str, name: str, value: str) -> None:
        self._store.apply(changed(self.lane, part, name, value))

    def copy(self, partition: Partition, count: int) -> int:
        self._sent[partition] = self._sent.get(partition, -1) + count
        self._say(FORWARD.connector_offsets(self.lane), self._where(partition), {"offset": self._sent[partition]})
        key = struct.pack(">h", len(partition.topic)) + partition.topic.encode() + struct.pack(">i", partition.number)
        self._sync(key, struct.pack(">qq", self._sent[partition], self._sent[partition]))
        return self._sent[partition]

    def _sync(self, key: bytes, value: bytes) -> None:
        """A sync as MirrorMaker 2 writes it (OffsetSync), after one that nobody can read."""
        topic = FORWARD.offset_syncs(self.lane)
        self._topic(topic, 1)
        self._producer.produce(topic, value[:3], key)
        self._producer.produce(topic, value, key)
        assert self._producer.flush(30) == 0

    def lose(self, partition: Partition) -> None:
        self._say(FORWARD.connector_offsets(self.lane), self._where(partition), None)

    def drop_syncs(self) -> None:
        assert self._two.target.admin.delete_topic(FORWARD.offset_syncs(self.lane)) == ""

    def fail(self, why: str) -> None:
        self._connectors = [self._status("FAILED", why)]
        self._say(FORWARD.status, f"status-task-{self.lane.connector}-0", {"state": "FAILED", "trace": why})

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        key = key_of(asked(self.lane, RUNNING))
        resource = self._store.get(key)
        if resource is not None:
            ready: JsonObject = {"type": "Ready", "status": "True"}
            status: dict[str, Json] = {"observedGeneration": resource.generation, "conditions": [ready]}
            self._store.write_status(key, {**status, "connectors": list(self._connectors)})
        self._two.until(what, holds)

    def _status(self, state: str, trace: str = "") -> JsonObject:
        task = {"id": 0, "state": state.upper(), **({"trace": trace} if trace else {})}
        return {"name": self.lane.connector, "connector": {"state": "RUNNING"}, "tasks": [task]}

    def _where(self, partition: Partition) -> str:
        where = {"cluster": self.lane.source_alias, "partition": partition.number, "topic": partition.topic}
        return json.dumps([self.lane.connector, where])

    def _say(self, topic: str, key: str, value: Mapping[str, object] | None) -> None:
        self._producer.produce(topic, None if value is None else json.dumps(value), key)
        assert self._producer.flush(30) == 0

    def _topic(self, name: str, partitions: int) -> None:
        from kmigrate.adapters.kafka import KafkaCluster

        cluster = KafkaCluster(self._two.target.connection("target"))
        if name not in cluster.topics([name]):
            self._two.target.topic(name, partitions, {"cleanup.policy": "compact"})
            self._two.until("the topic is known", lambda: name in cluster.topics([name]))


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "memory":
        yield MemoryStage()
        return
    made = KafkaStage(request.getfixturevalue("two"), tmp_path)
    yield made
    made.mirror.close()


def test_nothing_is_copied_and_no_task_runs_before_it_was_asked_for(stage: Stage) -> None:
    assert stage.mirror.copied(stage.lane) == {}
    assert stage.mirror.tasks(stage.lane) == 0
    assert stage.mirror.trouble(stage.lane) == (f"there is no KafkaMirrorMaker2 {FORWARD.group}",)


def test_the_last_source_offset_copied_is_known_per_partition_and_grows(stage: Stage) -> None:
    stage.ask(RUNNING)
    last = {FIRST: stage.copy(FIRST, 1), SECOND: stage.copy(SECOND, 25)}
    stage.eventually("copied", lambda: stage.mirror.copied(stage.lane) == last)
    assert stage.mirror.copied(stage.lane) == last
    more = {**last, FIRST: stage.copy(FIRST, 12)}
    stage.eventually("more is copied", lambda: stage.mirror.copied(stage.lane) == more)


def test_every_sync_that_was_told_is_known_and_what_cannot_be_read_is_passed_over(stage: Stage) -> None:
    assert stage.mirror.syncs(stage.lane) == {}

    def marks() -> list[int]:
        known = stage.mirror.syncs(stage.lane)
        assert set(known) <= {FIRST}
        return [sync.original for sync in known.get(FIRST, ())]

    stage.ask(RUNNING)
    seen: list[int] = []
    for count in (1, 12):
        last = stage.copy(FIRST, count)
        seen.append(last)
        stage.eventually("copied", lambda last=last: stage.mirror.copied(stage.lane) == {FIRST: last})
        stage.eventually("told", lambda: marks() and marks()[-1] == seen[-1])

    assert set(seen) <= set(marks())
    assert marks() == sorted(marks())
    assert stage.mirror.syncs(replace(stage.lane, source_alias="source-2", topics=("other",))) == {}


def test_the_task_of_one_lane_is_not_that_of_another(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("it runs", lambda: stage.mirror.tasks(stage.lane) == 1)
    assert stage.mirror.tasks(replace(stage.lane, source_alias="source-2")) == 0


def test_what_connect_has_forgotten_is_missing(stage: Stage) -> None:
    stage.ask(RUNNING)
    last = {FIRST: stage.copy(FIRST, 1), SECOND: stage.copy(SECOND, 1)}
    stage.eventually("copied", lambda: stage.mirror.copied(stage.lane) == last)
    stage.lose(FIRST)
    stage.eventually("forgotten", lambda: stage.mirror.copied(stage.lane) == {SECOND: last[SECOND]})


def test_a_lane_that_runs_has_a_task_and_a_stopped_one_has_none_and_is_well(stage: Stage) -> None:
    for _ in range(2):
        stage.ask(RUNNING)
        stage.eventually("it runs", lambda: stage.mirror.tasks(stage.lane) == 1)
        assert stage.mirror.trouble(stage.lane) == ()
        stage.ask(STOPPED)
        stage.eventually("it stands", lambda: stage.mirror.tasks(stage.lane) == 0)
        assert stage.mirror.trouble(stage.lane) == ()


def test_what_the_operator_has_not_looked_at_yet_is_trouble(stage: Stage) -> None:
    stage.ask(RUNNING)
    (why,) = stage.mirror.trouble(stage.lane)
    assert "has not looked at the last change yet" in why
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())


def test_a_lane_writes_once_only_where_workers_and_connector_must(stage: Stage) -> None:
    assert not stage.mirror.once(stage.lane)
    stage.ask(RUNNING)
    assert stage.mirror.once(stage.lane)
    assert not stage.mirror.once(replace(stage.lane, source_alias="source-2"))
    for part, name, value in (
        ("target", "exactly.once.source.support", "preparing"),
        ("mirrors", "exactly.once.support", "requested"),
    ):
        stage.change(part, name, value)
        assert not stage.mirror.once(stage.lane)
        stage.ask(RUNNING)
        assert stage.mirror.once(stage.lane)


def test_a_task_that_failed_is_named_with_the_first_line_of_why_and_does_not_run(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())
    stage.fail("no such host\n\tat some.java.Class")
    stage.eventually("told", lambda: stage.mirror.trouble(stage.lane))
    assert stage.mirror.trouble(stage.lane) == (f"{stage.lane.connector}: task 0 FAILED: no such host",)
    assert stage.mirror.tasks(stage.lane) == 0
    assert not any("FAILED" in told for told in stage.mirror.trouble(replace(stage.lane, source_alias="source-2")))


def test_a_lane_whose_own_topic_was_removed_stands_still_and_that_is_told(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())
    stage.drop_syncs()
    stage.eventually("told", lambda: stage.mirror.trouble(stage.lane))
    (why,) = stage.mirror.trouble(stage.lane)
    assert f"its topic {FORWARD.offset_syncs(stage.lane)} is gone" in why


# ---- on Kafka: syncs kept on disk ----


def _another_process(stage: KafkaStage) -> Mapping[Partition, SyncIndex]:
    mirror = stage.again()
    try:
        return mirror.syncs(stage.lane)
    finally:
        mirror.close()


def _kept(stage: KafkaStage, folder: Path) -> tuple[Path, Known]:
    """A thousand syncs, told and kept; and among what was kept one that nobody told: who knows it has it from there."""
    stage.tell(FIRST, range(1_000))
    assert len(stage.mirror.syncs(stage.lane)[FIRST]) == 1_000
    (file,) = folder.iterdir()
    known = load(file)
    assert known is not None
    known.syncs[SECOND] = SyncIndex()
    known.syncs[SECOND].add(Sync(7, 7))
    return file, known


@pytest.mark.kafka
def test_another_process_goes_on_behind_the_syncs_that_were_kept(two, tmp_path: Path) -> None:
    stage = KafkaStage(two, tmp_path)
    file, known = _kept(stage, tmp_path)
    assert known.next == {0: 1_000}
    keep(file, known)
    stage.tell(FIRST, [1_000])
    seen = _another_process(stage)
    assert list(seen[SECOND]) == [Sync(7, 7)]
    assert len(seen[FIRST]) == 1_001
    stage.mirror.close()


@pytest.mark.kafka
@pytest.mark.parametrize("spoil", ["another topic of that name", "further than the topic", "torn"])
def test_syncs_that_were_kept_of_something_else_are_read_again(two, tmp_path: Path, spoil: str) -> None:
    stage = KafkaStage(two, tmp_path)
    file, known = _kept(stage, tmp_path)
    if spoil == "another topic of that name":
        known.topic_id = "x"
    elif spoil == "further than the topic":
        known.next = {0: 1_001}
    keep(file, known)
    if spoil == "torn":
        file.write_bytes(file.read_bytes()[:-1])
    seen = _another_process(stage)
    assert set(seen) == {FIRST}
    assert len(seen[FIRST]) == 1_000
    stage.mirror.close()


# ---- in memory: markers ----


def test_the_copies_are_in_order_with_a_marker_after_each_batch() -> None:
    stage = MemoryStage()
    stage.ask(RUNNING)
    last = stage.copy(FIRST, 20)
    stage.eventually("copied", lambda: stage.mirror.copied(stage.lane) == {FIRST: last})
    entries = stage.estate.clusters[Side.TARGET].logs[FIRST].entries
    assert [entry.offset for entry in entries if entry.record is None] == [9, 19, 22]
    assert len(entries) == 23
