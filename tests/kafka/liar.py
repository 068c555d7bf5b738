"""What somebody may do to a real lab behind kmigrate's back once moves were sealed: each lie with its way back."""

from __future__ import annotations

import json
import os
import signal
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from typist import Typist

from kmigrate.adapters.kafka import Connection
from kmigrate.adapters.kafka.rights import add, remove
from kmigrate.lab.apps import control as apps
from kmigrate.lab.status import status
from kmigrate.manifests.lanes import forward_lanes, names_of, other_way
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.manifests.users import Rule, user
from kmigrate.model import Denial, JsonObject, Lane, Partition, Right, Side
from kmigrate.probes.resources import unready
from kmigrate.steps.cutover.fences import denials
from kmigrate.steps.lanes import start_lane, stop_lane
from kmigrate.world import Key

READER, WRITER, STAYS = "ml-features", "storefront", "billing"
TOPIC, WRITTEN = "shipments", "orders"
MIGHTY = "mighty"
PLACE = Partition(TOPIC, 0)
_DEADLINE_MS = 120_000
Undo = Callable[[], None]


@dataclass(frozen=True)
class Liar(Typist):
    """Somebody at a lab with one reader and one writer moved, who may do anything to the target."""

    @property
    def journal(self) -> Path:
        return self.walk.folder.extra / ".kmigrate"

    def edit(self, key: Key, change: Callable[[JsonObject], JsonObject]) -> Undo:
        """Edit what a resource asks for, wait for its operator, and give the way back."""
        was = self.there(key).spec

        def write(spec: JsonObject) -> None:
            self.change(key, lambda resource: {**resource.body, "spec": spec})
            self.until(f"{key} looked at", lambda: not unready(self.there(key)))

        write(change(was))
        return lambda: write(was)

    @contextmanager
    def operator_asleep(self) -> Iterator[None]:
        """Nobody puts back what is changed on the cluster itself."""
        pid = status(self.walk.folder).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @cached_property
    def mighty(self) -> Connection:
        """Made while the operator is awake."""
        every = [Rule(resource=kind, name="*", operations=("All",)) for kind in ("topic", "group")]
        rules = [*every, Rule(resource="cluster", operations=("All",))]
        self.walk.world.resources.apply(user(MIGHTY, rules, self.walk.migration.target))
        self.until(MIGHTY, lambda: not unready(self.there(Key("KafkaUser", "kafka", MIGHTY))))
        password = str(self.there(Key("Secret", "kafka", MIGHTY)).data["password"])
        return Connection(replace(self.walk.world.logins.ours(Side.TARGET), username=MIGHTY, password=password))

    def lane_of(self, topic: str) -> Lane:
        """The forward lane of a topic."""
        (lane,) = (lane for lane in forward_lanes(self.walk.migration) if topic in lane.topics)
        return lane


def position_of_who_left(at: Liar) -> Undo:
    """Moved on by one where the group stands Empty."""
    groups = at.walk.world.groups(Side.SOURCE)
    held = groups.positions({READER: [PLACE]})[READER][PLACE]
    assert held is not None
    groups.commit({READER: {PLACE: held + 1}})
    return lambda: groups.commit({READER: {PLACE: held}})


def position_before_the_carried_one(at: Liar) -> Undo:
    """Of a group that was stopped for that."""
    home, groups = at.walk.folder.apps / READER, at.walk.world.groups(Side.TARGET)
    apps.steer(home, "stopped")
    at.until("the group Empty", lambda: groups.describe([READER])[READER].stopped)
    held = groups.positions({READER: [PLACE]})[READER][PLACE]
    assert held is not None
    groups.commit({READER: {PLACE: _carried(at) - 1}})

    def undo() -> None:
        groups.commit({READER: {PLACE: held}})
        apps.steer(home, "running")
        at.until("members again", lambda: groups.describe([READER])[READER].members and apps.is_healthy(home))

    return undo


def _carried(at: Liar) -> int:
    lines = map(json.loads, (at.journal / "journal.jsonl").read_text().splitlines())
    facts = [line["data"]["positions"] for line in lines if line["event"] == "FACT" and "positions" in line["data"]]
    (told,) = [fact[READER][str(PLACE)]["to"] for fact in facts if READER in fact]
    return int(told)


def record_changed(at: Liar) -> Undo:
    """The times of a batch of copies, on the disk of a broker of the target, with the checksum that belongs to it."""
    (log,) = sorted(at.walk.folder.operator.rglob(f"{TOPIC}-{PLACE.number}/*.log"))[:1]
    place, batch = _first_batch(log.read_bytes())
    (first,) = struct.unpack_from(">q", batch, 27)
    changed = batch[:27] + struct.pack(">q", first + 1) + batch[35:]
    changed = changed[:17] + struct.pack(">I", _crc32c(changed[21:])) + changed[21:]

    def write(data: bytes) -> None:
        with log.open("r+b") as file:
            file.seek(place)
            file.write(data)

    write(changed)
    return lambda: write(batch)


def _first_batch(log: bytes) -> tuple[int, bytes]:
    """The first batch of records that is no marker: where it lies, and its bytes (record batch of magic 2)."""
    at = 0
    while at < len(log):
        (size,) = struct.unpack_from(">i", log, at + 8)
        (attributes,) = struct.unpack_from(">h", log, at + 21)
        batch = log[at : at + 12 + size]
        if not attributes & 0x20:
            return at, batch
        at += 12 + size
    raise AssertionError("no batch of records")


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def setting_on_the_cluster(at: Liar) -> Undo:
    """Past the KafkaTopic: one that is asked for, and one that nobody asked for."""
    _configure(at, TOPIC, {"retention.ms": "3600000", "segment.jitter.ms": "5"})
    return lambda: _configure(at, TOPIC, {"retention.ms": "-1", "segment.jitter.ms": None})


def _configure(at: Liar, topic: str, settings: Mapping[str, str | None]) -> None:
    entries = [
        ConfigEntry(
            name,
            value or "",
            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
        )
        for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for future in at.mighty.admin().incremental_alter_configs([resource]).values():
        future.result(30)


def topic_edited(at: Liar) -> Undo:
    key = Key("KafkaTopic", "kafka", TOPIC)
    return at.edit(key, lambda spec: {**spec, "config": {**spec["config"], "retention.ms": "3600000"}})


def fence_on_the_source_lifted(at: Liar) -> Undo:
    fence, (one, *_) = at.walk.world.fence(Side.SOURCE), _denials(at, Side.SOURCE, WRITER)
    fence.lift([one])
    return lambda: fence.deny([one])


def _denials(at: Liar, side: Side, app: str) -> tuple[Denial, ...]:
    return denials(side, at.walk.migration.application(app))


def right_of_the_mirror_back_gone(at: Liar) -> Undo:
    """Of a lane that stands: one that runs would fail, and stay so."""
    auth, lane = at.walk.migration.reverse_auth, other_way(at.lane_of(TOPIC))
    assert auth is not None
    topic = names_of(lane).connector_offsets(lane)
    right = Right(principal=f"User:{auth.username}", resource="topic", name=topic, operation="Read")
    at.walk.world.source_admin.revoke([right])
    return lambda: at.walk.world.source_admin.grant([right])


def right_that_came_with_a_topic_gone(at: Liar) -> Undo:
    """The mirror back may not write any more what the target owns: its task fails for good, and is started again."""
    world, lane, auth = at.walk.world, other_way(at.lane_of(WRITTEN)), at.walk.migration.reverse_auth
    assert auth is not None
    right = Right(principal=f"User:{auth.username}", resource="topic", name=WRITTEN, operation="Write")
    world.source_admin.revoke([right])
    at.until(f"{lane.name} to fail", lambda: [word for word in world.mirror.trouble(lane) if "FAILED" in word])

    def undo() -> None:
        world.source_admin.grant([right])
        for steer in (stop_lane, start_lane):
            steer(world, at.walk.migration.target, lane, _DEADLINE_MS)

    return undo


def right_of_a_user_gone(at: Liar) -> Undo:
    """From the KafkaUser of somebody who was not moved."""

    def without(spec: JsonObject) -> JsonObject:
        return {**spec, "authorization": {"type": "simple", "acls": spec["authorization"]["acls"][1:]}}

    return at.edit(Key("KafkaUser", "kafka", STAYS), without)


def right_on_the_cluster_gone(at: Liar) -> Undo:
    """Past that KafkaUser."""
    ((topic, *_), *_) = (reads.topics for reads in at.walk.migration.application(STAYS).reads)
    right = Right(principal=f"User:{STAYS}", resource="topic", name=topic, operation="Read")
    remove(at.mighty, [right])
    return lambda: add(at.mighty, [right])


def mirror_started(at: Liar) -> Undo:
    """The forward lane of a topic that the target owns."""
    lane, mirror = at.lane_of(WRITTEN), at.walk.world.mirror
    at.ask(lane, RUNNING)

    def undo() -> None:
        at.ask(lane, STOPPED)
        at.until(f"{lane.name} to stand", lambda: not mirror.tasks(lane) and not mirror.trouble(lane))

    return undo


def fence_on_the_target_lifted(at: Liar) -> Undo:
    """From the KafkaUser, and the operator has seen to it."""

    def without(spec: JsonObject) -> JsonObject:
        acls = [acl for acl in spec["authorization"]["acls"] if acl["type"] != "deny"]
        return {**spec, "authorization": {"type": "simple", "acls": acls}}

    return at.edit(Key("KafkaUser", "kafka", READER), without)


def fence_on_the_targets_cluster_lifted(at: Liar) -> Undo:
    (one, *_) = _denials(at, Side.TARGET, READER)
    right = Right(principal=one.principal, resource=one.resource, name=one.name, operation=one.operation, type="deny")
    remove(at.mighty, [right])
    return lambda: add(at.mighty, [right])
