"""KafkaMirrorMaker2 with one mirror per lane, and the reverse connector's settings.

Every point of design §4.12 and of `lab.md` ("Moving writers: timings and traps") that is a setting is set here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kmigrate.manifests.internal import MirrorNames
from kmigrate.manifests.kafka import KAFKA_VERSION
from kmigrate.manifests.names import resource
from kmigrate.manifests.sizes import fetch_sizes, request_sizes
from kmigrate.model import Json, JsonObject, Lane, Target

IDENTITY = "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"
MIRROR_SOURCE = "org.apache.kafka.connect.mirror.MirrorSourceConnector"
BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
RUNNING, STOPPED = "running", "stopped"
RESET = "consumer.auto.offset.reset"
"""Where a lane begins in a partition of which it has no offset, or one that is not in the log."""
_TRANSACTION_TIMEOUT_MS = "15000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How Connect signs in to a cluster: `mechanism` is `plain` or `scram-sha-512`, secrets are named, never held.

    `password` and `ca` are (Secret, key) in the namespace of the mirror; `ca` is None for public authorities.
    """

    bootstrap: str
    mechanism: str
    username: str
    password: tuple[str, str]
    ca: tuple[str, str] | None = None


def mirror_maker(
    names: MirrorNames,
    lanes: Sequence[Lane],
    target: Target,
    *,
    reads_from: Endpoint,
    writes_to: Endpoint,
    states: Mapping[str, str] | None = None,
    begin_written: Collection[str] = (),
    workers: int = 1,
    largest: int = 0,
) -> JsonObject:
    """The KafkaMirrorMaker2 of all forward lanes; `states` is `running | stopped` by lane name, default running.

    `begin_written` names lanes of which every partition was handed over behind a record (`reset`). The list of lanes
    never changes once made: adding or removing one rolls the pods, a state does not (design §4.5). `largest` is the
    size of the largest message in bytes (`sizes`).
    """
    wanted = states or {}
    mirrors = [
        _mirror(
            names,
            lane,
            reads_from,
            wanted.get(lane.name, RUNNING),
            reset(all_begin_written=lane.name in begin_written),
            largest,
        )
        for lane in lanes
    ]
    spec: JsonObject = {
        "version": KAFKA_VERSION,
        "replicas": workers,
        "target": {"alias": lanes[0].target_alias, **group_spec(names, writes_to)},
        "mirrors": mirrors,
    }
    return resource("KafkaMirrorMaker2", names.group, target.namespace, spec)


def reset(*, all_begin_written: bool) -> str:
    """`none` where every partition begins behind a record: then a missing offset is an error, and none is copied again.

    Else `earliest`, which is right for those that begin at 0. Never `latest`: it loses what is written before the first
    poll (design §4.4).
    """
    return "none" if all_begin_written else "earliest"


def topics_pattern(lane: Lane) -> str:
    """The explicit list of a lane as MirrorMaker reads it: full-match regular expressions between commas."""
    return ",".join(topic.replace(".", r"\.") for topic in lane.topics)


def reverse_connector(
    lane: Lane,
    *,
    target_client: Mapping[str, str],
    source_client: Mapping[str, str],
    offsets_topic: str,
    all_begin_written: bool,
    largest: int = 0,
) -> dict[str, str]:
    """Flat settings of a reverse MirrorSourceConnector on the target's own workers, exactly-once (`lab.md`).

    `target_client` and `source_client` are Java client settings with `bootstrap.servers`. `offsets_topic` lies on the
    source. `all_begin_written`: every T_c > 0 (`reset`).
    """
    return {
        "connector.class": MIRROR_SOURCE,
        "tasks.max": "1",
        "source.cluster.alias": lane.source_alias,
        "target.cluster.alias": lane.target_alias,
        **_prefixed("source.cluster.", target_client),
        **_prefixed("target.cluster.", source_client),
        **_prefixed("producer.override.", source_client),
        **_prefixed("admin.override.", source_client),
        **_prefixed("consumer.override.", source_client),
        "topics": topics_pattern(lane),
        "topics.exclude": "__.*",
        **_common("source", largest),
        RESET: reset(all_begin_written=all_begin_written),
        "offsets.storage.topic": offsets_topic,
        "key.converter": BYTES,
        "value.converter": BYTES,
        "header.converter": BYTES,
    }


def group_spec(names: MirrorNames, endpoint: Endpoint, more: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """What KafkaMirrorMaker2 (in `spec.target`) and KafkaConnect (in `spec`) say of their workers alike.

    Group, topics, how they sign in at `endpoint`, and their settings; `more` is added to those.
    """
    return {
        "groupId": names.group,
        "configStorageTopic": names.configs,
        "offsetStorageTopic": names.offsets,
        "statusStorageTopic": names.status,
        **_endpoint(endpoint),
        "config": {**_worker(), **(more or {})},
    }


def _worker() -> dict[str, Json]:
    return {
        "exactly.once.source.support": "enabled",
        "connector.client.config.override.policy": "All",
        "plugin.discovery": "service_load",
        "config.storage.replication.factor": -1,
        "offset.storage.replication.factor": -1,
        "status.storage.replication.factor": -1,
        "offset.flush.interval.ms": 5_000,
        # the default of five minutes would leave the tasks of a dead worker lying for as long
        "scheduled.rebalance.max.delay.ms": 0,
        # other workers hear of a rebalance, and so of a connector's stop, with a heartbeat (default 3000)
        "heartbeat.interval.ms": 500,
        # a killed worker's open transaction holds up readers, and the next worker's start, for as long
        "producer.transaction.timeout.ms": int(_TRANSACTION_TIMEOUT_MS),
    }


def _mirror(names: MirrorNames, lane: Lane, endpoint: Endpoint, state: str, begins: str, largest: int) -> JsonObject:
    config: dict[str, Json] = {
        **_common("target", largest),
        RESET: begins,
        "offsets.storage.topic": names.connector_offsets(lane),
    }
    return {
        "source": {"alias": lane.source_alias, **_endpoint(endpoint)},
        "topicsPattern": topics_pattern(lane),
        "topicsExcludePattern": "__.*",
        "sourceConnector": {"tasksMax": 1, "config": config, **steering(names, lane, state)},
    }


def steered(state: str) -> JsonObject:
    """A lane that is to run gets up again by itself: a broker that dies takes tasks with it, which stay FAILED.

    One that must stand does not: who starts it by mistake finds its task FAILED (design §4.3).
    """
    return {"state": state, "autoRestart": {"enabled": state == RUNNING}}


def steering(names: MirrorNames, lane: Lane, state: str) -> JsonObject:
    """The state of a lane's connector (`running | stopped`), and the ConfigMaps for its offsets (`strimzi.md` §3)."""
    return {
        **steered(state),
        "listOffsets": {"toConfigMap": {"name": names.offsets_listed(lane)}},
        "alterOffsets": {"fromConfigMap": {"name": names.offsets_wanted(lane)}},
    }


def _common(offset_syncs_location: str, largest: int) -> dict[str, str]:
    return {
        "replication.policy.class": IDENTITY,
        "offset-syncs.topic.location": offset_syncs_location,
        "offset-syncs.topic.replication.factor": "-1",
        "offset.lag.max": "100",
        "replication.factor": "-1",
        "sync.topic.acls.enabled": "false",
        "sync.topic.configs.enabled": "false",
        "heartbeats.replication.enabled": "false",
        "refresh.topics.interval.seconds": "600",
        "exactly.once.support": "required",
        "transaction.boundary": "poll",
        "consumer.isolation.level": "read_committed",
        # an idle commit, and with it the tail syncs, waits for as long (default 1000)
        "consumer.poll.timeout.ms": "50",
        "consumer.max.poll.records": "2000",
        # at most ten transactions a second and task: unbounded, eight tasks filled two cores
        "consumer.fetch.min.bytes": "1048576",
        "consumer.fetch.max.wait.ms": "100",
        **fetch_sizes(largest),
        "consumer.receive.buffer.bytes": "-1",
        # who reads the lane's own offsets; a stop waits for its last fetch, and so for as long (default 500)
        "consumer.override.fetch.max.wait.ms": "50",
        "producer.override.transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,
        "producer.override.linger.ms": "20",
        "producer.override.batch.size": "262144",
        "producer.override.compression.type": "lz4",
        **request_sizes(largest),
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Json]:
    trusted = [] if endpoint.ca is None else [{"secretName": endpoint.ca[0], "certificate": endpoint.ca[1]}]
    secret, key = endpoint.password
    return {
        "bootstrapServers": endpoint.bootstrap,
        "tls": {"trustedCertificates": trusted},
        "authentication": {
            "type": endpoint.mechanism,
            "username": endpoint.username,
            "passwordSecret": {"secretName": secret, "password": key},
        },
    }


def _prefixed(prefix: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {prefix + name: value for name, value in settings.items()}
