"""The topics, group and names that a mirror's Connect workers keep on the target, made before the mirror starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kmigrate.manifests.names import resource_name
from kmigrate.manifests.topics import kafka_topic
from kmigrate.model import JsonObject, Lane, Target, Topic

FORWARD_LOGIN, REVERSE_LOGIN = "kmigrate-mirror-source", "kmigrate-mirror-back-source"
"""The Secrets from which the mirrors take their passwords on the source."""
SOURCE_AUTHORITY = "kmigrate-source-ca"
"""The Secret with the private authority of the source, where it has one."""
_YEAR_MS = 31_536_000_000
_SMALL_SEGMENTS = {"cleanup.policy": "compact", "segment.bytes": "16777216", "min.cleanable.dirty.ratio": "0.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorNames:
    """What is called after a Connect group; `group` is also the name of its KafkaMirrorMaker2 or KafkaConnect."""

    group: str

    @property
    def configs(self) -> str:
        """Connect's `config.storage.topic`."""
        return f"{self.group}-configs"

    @property
    def offsets(self) -> str:
        """Connect's `offset.storage.topic` of the worker; connectors have their own."""
        return f"{self.group}-offsets"

    @property
    def status(self) -> str:
        """Connect's `status.storage.topic`."""
        return f"{self.group}-status"

    def connector_offsets(self, lane: Lane) -> str:
        """The `offsets.storage.topic` of one lane's connector (`lab.md`: the worker's global one blocks restarts).

        It lies where the lane writes: on the target for a forward lane, on the source for a reverse one.
        """
        return f"{self.all_connector_offsets}{lane.name}"

    @property
    def all_connector_offsets(self) -> str:
        """How every `connector_offsets` begins, and no other topic of the group."""
        return f"{self.offsets}-"

    def offsets_wanted(self, lane: Lane) -> str:
        """The ConfigMap from which the operator sets a lane's offsets."""
        return resource_name(f"{self.group}-{lane.name}-offsets-wanted")

    def offsets_listed(self, lane: Lane) -> str:
        """The ConfigMap into which the operator writes a lane's offsets."""
        return resource_name(f"{self.group}-{lane.name}-offsets-listed")

    def offset_syncs(self, lane: Lane) -> str:
        """Where a lane's offset syncs lie, always on the target (`mirrormaker2.md` §2).

        Forward: `offset-syncs.topic.location=target` names it after the source's alias. Reverse: location `source`,
        which is our target, names it after the alias of the cluster copied to.
        """
        alias = lane.source_alias if lane.direction == "forward" else lane.target_alias
        return f"mm2-offset-syncs.{alias}.internal"


def internal_topics(
    names: MirrorNames, lanes: Iterable[Lane], target: Target, *, brokers: int
) -> tuple[JsonObject, ...]:
    """KafkaTopics for Connect's three topics, each forward lane's own offsets topic, and each lane's offset syncs.

    Those of reverse lanes lie on the source: `topics_on_source`.
    Offset syncs are kept whole for a year (`min.compaction.lag.ms`): translation needs all of them (design §4.8).
    """
    copies = min(3, brokers)
    partitions = {names.configs: 1, names.offsets: 5, names.status: 2}
    syncs = {**_SMALL_SEGMENTS, "min.compaction.lag.ms": str(_YEAR_MS)}
    chosen = tuple(lanes)
    here = [lane for lane in chosen if lane.direction == "forward"]
    return (
        *(kafka_topic(name, count, _SMALL_SEGMENTS, target, replicas=copies) for name, count in partitions.items()),
        *(kafka_topic(names.connector_offsets(lane), 1, _SMALL_SEGMENTS, target, replicas=copies) for lane in here),
        *(kafka_topic(names.offset_syncs(lane), 1, syncs, target, replicas=copies) for lane in chosen),
    )


READS = "kmigrate-reads-without-a-group"
"""The group that kmigrate's readers name and never join: librdkafka looks for its coordinator all the same."""


def ledger_name(migration: str) -> str:
    """The topic on the target that holds the claim on a migration and the copy of its journal (design §4.13)."""
    return f"kmigrate-ledger-{migration}"


def ledger_id(migration: str) -> str:
    """The transactional id of whoever works on it: one at a time."""
    return f"kmigrate-{migration}"


def ledger_topic(migration: str, target: Target, *, brokers: int) -> JsonObject:
    """Its KafkaTopic: one partition, a record per line, large ones too.

    Nothing is compacted for a year: a line that a dying process could not commit is read all the same.
    """
    config = {
        "cleanup.policy": "compact",
        "segment.bytes": "67108864",
        "min.compaction.lag.ms": str(_YEAR_MS),
        "max.message.bytes": "16777216",
    }
    return kafka_topic(ledger_name(migration), 1, config, target, replicas=min(3, brokers))


def topics_on_source(names: MirrorNames, lanes: Iterable[Lane]) -> tuple[Topic, ...]:
    """The one small topic that each reverse lane needs on the source: its own offsets (design §1.6).

    Compacted, and nothing else is set: Confluent Cloud refuses small segments.
    """
    return tuple(
        Topic(name=names.connector_offsets(lane), partitions=1, config={"cleanup.policy": "compact"})
        for lane in lanes
        if lane.direction == "reverse"
    )
