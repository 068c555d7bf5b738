"""The real MirrorCheckpointConnector on the same workers, to hold `positions.mirrors_own` to what it says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from confluent_kafka import Consumer, TopicPartition

from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.manifests.topics import kafka_topic
from kmigrate.manifests.users import Rule, user
from kmigrate.model import Json, JsonObject, Lane, Migration, Partition
from kmigrate.positions import MirrorsOwn, SyncIndex, mirrors_own, read_checkpoint
from kmigrate.probes.resources import await_ready
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, World
from redelivery.methods import CHECKPOINTS, Choices

_DEADLINE_MS = 60_000
_SETTINGS = {
    "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
    "offset-syncs.topic.location": "target",
    "checkpoints.topic.replication.factor": "-1",
    "emit.checkpoints.interval.seconds": "1",
    "sync.group.offsets.enabled": "false",
}

Told = tuple[str, Partition]
Checkpoints = dict[Told, MirrorsOwn]


def start(
    world: World,
    migration: Migration,
    lane: Lane,
    settings: Mapping[str, str] = MappingProxyType({}),
    rules: Sequence[Rule] = (),
) -> None:
    """Add the connector to a lane of the mirror, with its topic and its rights; Connect goes on with what it does."""
    target = migration.target
    topic = kafka_topic(_topic(lane), 1, {"cleanup.policy": "compact"}, target, replicas=1)
    for body in (topic, _user(world, migration, lane, rules)):
        world.resources.apply(body)
        await_ready(world, (body,), what="rights of the checkpoints", deadline_ms=_DEADLINE_MS)
    mirror = _with_checkpoints(world, migration, lane, {**_SETTINGS, **settings})
    world.resources.apply(mirror)
    await_ready(world, (mirror,), what="checkpoint connector", deadline_ms=_DEADLINE_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The groups with what the connector chose for them, and how many partitions of how many are as `mirrors_own` says.

    `differ` has a line for each that is not.
    """

    asked: tuple[Choices, ...]
    agreed: int
    of: int
    differ: tuple[str, ...]


def compare(world: World, migration: Migration, client: Mapping[str, str], asked: Sequence[Choices]) -> Compared:
    """What the connector says of every group, once it has told of all of which `mirrors_own` has something to say.

    Nobody writes any more, so both choose by the same syncs.
    """
    (lane,) = forward_lanes(migration)
    syncs = world.mirror.syncs(lane)
    held = {(each.group, p): x for each in asked for p, x in each.held.items()}
    ours = {key: mirrors_own(syncs.get(key[1], SyncIndex()), x) for key, x in held.items()}
    told = _await(world, client, lane, {key for key, offset in ours.items() if offset is not None})
    wanted = {key: None if offset is None else MirrorsOwn(held[key], offset) for key, offset in ours.items()}
    differ = tuple(
        f"{g} {p}: {told.get((g, p))}, not {wanted[g, p]}" for g, p in wanted if told.get((g, p)) != wanted[g, p]
    )
    return Compared(
        asked=tuple(_with(each, told) for each in asked),
        agreed=len(wanted) - len(differ),
        of=len(wanted),
        differ=differ,
    )


def _with(choices: Choices, told: Checkpoints) -> Choices:
    seen = {p: told.get((choices.group, p)) for p in choices.held}
    theirs = {p: None if each is None else each.downstream for p, each in seen.items()}
    return replace(choices, by_method={**choices.by_method, CHECKPOINTS: theirs})


def _await(world: World, client: Mapping[str, str], lane: Lane, wanted: Collection[Told]) -> Checkpoints:
    told: Checkpoints = {}
    consumer = Consumer({**client, "group.id": "redelivered-checkpoints", "enable.auto.commit": "false"})
    consumer.assign([TopicPartition(_topic(lane), 0, 0)])

    def look() -> Ready[None] | NotYet:
        told.update(_told(consumer))
        late = [key for key in wanted if key not in told]
        return NotYet(f"{len(late)} of {len(wanted)} partitions") if late else Ready(None)

    try:
        wait_until(look, what="checkpoints", clock=world.clock, reporter=world.reporter, deadline_ms=_DEADLINE_MS)
    finally:
        consumer.close()
    return told


def _told(consumer: Consumer) -> Checkpoints:
    found: Checkpoints = {}
    for message in consumer.consume(1_000, 0.5):
        key, value = message.key(), message.value()
        read = None if message.error() else read_checkpoint(_bytes(key), _bytes(value))
        if read is not None:
            group, partition, offsets = read
            found[group, partition] = offsets
    return found


def _bytes(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part


def _topic(lane: Lane) -> str:
    return f"{lane.source_alias}.checkpoints.internal"


def _user(world: World, migration: Migration, lane: Lane, rules: Sequence[Rule]) -> JsonObject:
    """The mirror's user with what the connector needs besides: to read the syncs, and its own topic."""
    found = world.resources.get(Key("KafkaUser", migration.target.namespace, MIRROR_USER))
    assert found is not None
    more = (
        Rule(resource="topic", name=_topic(lane), operations=("Describe", "Read", "Write")),
        Rule(resource="topic", name=FORWARD.offset_syncs(lane), operations=("Read",)),
        *rules,
    )
    acls: list[Json] = [*_acls(found.spec), *_acls(user(MIRROR_USER, more, migration.target)["spec"])]
    spec: JsonObject = {**found.spec, "authorization": {"type": "simple", "acls": acls}}
    return {**_bare(found.body), "spec": spec}


def _with_checkpoints(world: World, migration: Migration, lane: Lane, settings: Mapping[str, str]) -> JsonObject:
    found = world.resources.get(Key("KafkaMirrorMaker2", migration.target.namespace, FORWARD.group))
    assert found is not None
    connector: JsonObject = {"tasksMax": 1, "state": "running", "autoRestart": {"enabled": False}, "config": settings}
    mirrors = found.spec["mirrors"]
    assert isinstance(mirrors, list | tuple)
    chosen = [{**mirror, "checkpointConnector": connector} if _is_of(mirror, lane) else mirror for mirror in mirrors]
    spec: JsonObject = {**found.spec, "mirrors": chosen}
    return {**_bare(found.body), "spec": spec}


def _is_of(mirror: Json, lane: Lane) -> bool:
    source = mirror.get("source") if isinstance(mirror, Mapping) else None
    return isinstance(source, Mapping) and source.get("alias") == lane.source_alias


def _acls(spec: object) -> Iterable[JsonObject]:
    assert isinstance(spec, Mapping)
    return tuple(spec["authorization"]["acls"])


def _bare(body: JsonObject) -> JsonObject:
    """A body to apply again: without status, and whatever version it had."""
    metadata = body["metadata"]
    assert isinstance(metadata, Mapping)
    kept = {name: value for name, value in metadata.items() if name in ("name", "namespace", "labels", "annotations")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept}
