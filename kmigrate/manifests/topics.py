"""KafkaTopics: those of the source carried over, and those a mirror needs beforehand (`strimzi.md` §2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.manifests.names import resource, resource_name
from kmigrate.model import Json, JsonObject, Target, Topic

KEEP = {"argocd.argoproj.io/sync-options": "Prune=false"}
"""Who manages resources by Git must not take a topic away, and its records with it, because Git does not have it."""
FOREVER = "9223372036854775807"
"""The largest number of milliseconds that Kafka knows."""
# org.apache.kafka.storage.internals.log.LogConfig and TopicConfig of Kafka 4.3; the tiered and throttled ones are not
# carried: they mean nothing on a cluster without that store or those brokers
KNOWN_SETTINGS = frozenset(
    {
        "cleanup.policy",
        "compression.gzip.level",
        "compression.lz4.level",
        "compression.type",
        "compression.zstd.level",
        "delete.retention.ms",
        "file.delete.delay.ms",
        "flush.messages",
        "flush.ms",
        "index.interval.bytes",
        "max.compaction.lag.ms",
        "max.message.bytes",
        "message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms",
        "message.timestamp.type",
        "min.cleanable.dirty.ratio",
        "min.compaction.lag.ms",
        "min.insync.replicas",
        "preallocate",
        "retention.bytes",
        "retention.ms",
        "segment.bytes",
        "segment.index.bytes",
        "segment.jitter.ms",
        "segment.ms",
        "unclean.leader.election.enable",
    }
)
# copies keep the time of their original, however old it is; a time ahead that the source took it takes as well
_FOR_COPIES = {"message.timestamp.type": "CreateTime", "message.timestamp.before.max.ms": FOREVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedTopic:
    """A KafkaTopic, what of the source's settings it does not carry, and what it holds off until the way back closes.

    `held` has the source's value for every setting that `body` replaces so that a mirror's copies stay whole;
    `released` is the same topic once nobody can go back, with the source's settings alone.
    """

    body: JsonObject
    released: JsonObject
    dropped: Mapping[str, str]
    held: Mapping[str, str]


def carried_topic(
    topic: Topic, target: Target, *, brokers: int, overrides: Mapping[str, str] | None = None
) -> CarriedTopic:
    """The KafkaTopic for a topic of the source: same partitions, the settings Apache Kafka knows, deletion held off.

    It takes the records that the source takes, whoever set that there, and but for old ones no others, or the mirror
    back could not bring them home (design §4.9). `confluent.*` and settings unknown to Kafka 4.3 are dropped,
    `min.insync.replicas` is kept below the copies.
    """
    wanted = {**topic.accepts, **topic.config, **(overrides or {})}
    copies = min(3, brokers)
    kept = {name: value for name, value in wanted.items() if name in KNOWN_SETTINGS}
    if int(kept.get("min.insync.replicas", "1")) > copies:
        kept["min.insync.replicas"] = str(max(1, copies - 1))
    needed = {**_FOR_COPIES, **_held_off(kept)}
    body, released = (
        kafka_topic(topic.name, topic.partitions, config, target, replicas=copies)
        for config in ({**kept, **needed}, kept)
    )
    return CarriedTopic(
        body=body,
        released=released,
        dropped={name: value for name, value in wanted.items() if name not in KNOWN_SETTINGS},
        held={name: kept[name] for name in needed if name in kept and kept[name] != needed[name]},
    )


def kafka_topic(name: str, partitions: int, config: Mapping[str, str], target: Target, *, replicas: int) -> JsonObject:
    """A KafkaTopic whose `topicName` always says the topic, whatever Kubernetes makes of the name; marked as ours."""
    settings: dict[str, Json] = dict(sorted(config.items()))
    spec: JsonObject = {"topicName": name, "partitions": partitions, "replicas": replicas, "config": settings}
    keep = KEEP if target.spec else None
    place, cluster = target.namespace, target.cluster
    return resource("KafkaTopic", resource_name(name), place, spec, cluster=cluster, ours=True, annotations=keep)


def _held_off(config: Mapping[str, str]) -> dict[str, str]:
    """Settings under which nothing disappears from the target (design §4.9)."""
    policy = config.get("cleanup.policy", "delete")
    held = {"retention.ms": "-1", "retention.bytes": "-1"}
    if "compact" in policy:
        held |= {"min.compaction.lag.ms": FOREVER, "max.compaction.lag.ms": FOREVER}
    return held
