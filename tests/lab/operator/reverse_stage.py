"""A reverse mirror as resources: its KafkaConnect, three lanes, and both clusters to write to and look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from confluent_kafka import Consumer, IsolationLevel, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from operator_stage import TARGET, Stage, annotated
from two_clusters import acls

from kmigrate.lab.operator.admin import ClusterAdmin, NewTopicWish
from kmigrate.lab.operator.status import mapping, objects, strings
from kmigrate.lab.runtime.connect import ConnectRest
from kmigrate.lab.runtime.kafka import KafkaCluster
from kmigrate.manifests.internal import MirrorNames, internal_topics, topics_on_source
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.lane_offsets import asked, file_name, listed_offsets, wanted_offsets
from kmigrate.manifests.lanes import reverse_of
from kmigrate.manifests.mirror import STOPPED, Endpoint
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.topics import kafka_topic
from kmigrate.manifests.users import reverse_mirror_rules, reverse_source_rules, user, worker_rules
from kmigrate.model import JsonObject, Lane, Partition
from kmigrate.world import Resource

GROUP = "rev"
NAMES = MirrorNames(group=GROUP)
WORKER = f"{GROUP}-connect-0"
PARTITIONS = 3
FORWARD = tuple(
    Lane(name=name, direction="forward", source_alias=f"cc-{name}", target_alias="strimzi", topics=(f"back.{name}",))
    for name in ("moved", "steered", "denied")
)
MOVED, STEERED, DENIED = LANES = tuple(map(reverse_of, FORWARD))
OPEN_S = 30
Seen = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """The reverse mirror under test."""

    lab: Stage
    source: KafkaCluster

    # ---- resources ----

    @property
    def reads(self) -> Endpoint:
        return Endpoint(
            bootstrap=bootstrap(TARGET),
            mechanism="scram-sha-512",
            username=GROUP,
            password=(GROUP, "password"),
            ca=(ca_secret(TARGET), "ca.crt"),
        )

    @property
    def writes(self) -> Endpoint:
        return Endpoint(
            bootstrap=self.source.layout.bootstrap("CLIENT"),
            mechanism="plain",
            username="sa-mirror",
            password=("cc", "password"),
            ca=("cc", "ca.crt"),
        )

    def connect(self) -> JsonObject:
        return reverse_connect(NAMES, TARGET, reads_from=self.reads, writes_to=self.writes)

    def body(self, lane: Lane, state: str = STOPPED, *, all_begin_written: bool = False) -> JsonObject:
        return reverse_lane(
            NAMES,
            lane,
            TARGET,
            reads_from=self.reads,
            writes_to=self.writes,
            state=state,
            all_begin_written=all_begin_written,
        )

    def settled(self, body: JsonObject) -> Resource:
        return self.lab.settled(self.lab.store.apply(body), 120_000)

    def seen(self, lane: Lane) -> Resource:
        return self.lab.seen("KafkaConnector", lane.connector)

    def pid(self) -> int | None:
        return self.lab.bench.machine.pid(WORKER)

    # ---- what Connect and the resource say ----

    @property
    def rest(self) -> ConnectRest:
        return ConnectRest(str(self.lab.seen("KafkaConnect", GROUP).status["url"]))

    def names(self) -> list[str]:
        return sorted(strings(self.rest.get("/connectors")))

    def config(self, lane: Lane) -> JsonObject:
        return mapping(self.rest.get(f"/connectors/{quote(lane.connector, safe='')}/config"))

    def told(self, lane: Lane) -> tuple[str, list[str]]:
        """State of the connector and of its tasks as `status.connectorStatus` has it."""
        status = mapping(self.seen(lane).status.get("connectorStatus"))
        tasks = [str(task.get("state")) for task in objects(status.get("tasks"))]
        return str(mapping(status.get("connector")).get("state", "")), tasks

    def until(self, lane: Lane, state: str, tasks: Sequence[str]) -> None:
        self.lab.until(f"{lane.connector} to be {state} {tasks}", lambda: self.told(lane) == (state, list(tasks)))

    # ---- offsets ----

    def ask(self, lane: Lane, action: str | None) -> None:
        """Set the annotation by which offsets are asked for, or take it away."""
        wanted = {name.removeprefix("strimzi.io/"): value for name, value in asked(lane, action).items()}
        self.lab.store.apply(annotated(self.seen(lane), **wanted))

    def is_served(self, lane: Lane) -> bool:
        return "strimzi.io/connector-offsets" not in mapping(self.seen(lane).metadata.get("annotations"))

    def served(self, lane: Lane, action: str) -> None:
        self.ask(lane, action)
        self.lab.until(f"{action} of {lane.connector} to be served", lambda: self.is_served(lane))

    def wish(self, lane: Lane, last: Mapping[Partition, int]) -> None:
        self.lab.store.apply(wanted_offsets(NAMES, lane, TARGET, last))

    def listed(self, lane: Lane) -> dict[Partition, int]:
        """What the operator lists now."""
        self.served(lane, "list")
        data = self.lab.seen("ConfigMap", NAMES.offsets_listed(lane)).data
        return listed_offsets(lane, str(data[file_name(lane)]))

    # ---- both clusters, as their super users ----

    def settings(self, side: str) -> dict[str, str | int | float | bool]:
        running = self.lab.operator.kafka(TARGET.cluster)
        assert running is not None
        layout = self.source.layout if side == "source" else running.cluster.layout
        return {**layout.admin_config(), "log_level": 0}

    def write(self, side: str, topic: str, values: Sequence[str], *, abort: bool = False) -> None:
        """One transaction over all but the last partition, committed or aborted."""
        producer = Producer({**self.settings(side), "transactional.id": f"{side}-{topic}"})
        producer.init_transactions(OPEN_S)
        producer.begin_transaction()
        for number, value in enumerate(values):
            producer.produce(
                topic,
                value,
                key=value[-1:],
                partition=number % (PARTITIONS - 1),
                timestamp=self.lab.bench.clock.now_ms() + number,
                headers=[("n", str(number).encode())],
            )
        assert producer.flush(OPEN_S) == 0
        if abort:
            producer.abort_transaction(OPEN_S)
        else:
            producer.commit_transaction(OPEN_S)
        self.lab.until("the markers", lambda: self.ends(side, topic) == self.ends(side, topic, committed=True))

    def log(self, side: str, topic: str) -> dict[int, list[tuple[int, Seen]]]:
        """Offset and identity of every committed record, by partition, up to the ends of now."""
        read = {"group.id": "nobody", "isolation.level": "read_committed", "enable.partition.eof": True}
        consumer = Consumer({**self.settings(side), **read})
        try:
            return _read(consumer, topic, self.ends(side, topic, committed=True))
        finally:
            consumer.close()

    def ends(self, side: str, topic: str, *, committed: bool = False) -> dict[int, int]:
        """High watermark by partition, markers counted; the last stable offset with `committed`."""
        admin = AdminClient(self.settings(side))
        wanted = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(PARTITIONS)}
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        asked = admin.list_offsets(wanted, isolation_level=level, request_timeout=OPEN_S)
        return {place.partition: int(future.result(OPEN_S).offset) for place, future in asked.items()}


def _read(consumer: Consumer, topic: str, ends: Mapping[int, int]) -> dict[int, list[tuple[int, Seen]]]:
    """Each partition says when it is read to its end: a position stands still before markers."""
    found: dict[int, list[tuple[int, Seen]]] = {number: [] for number in ends}
    consumer.assign([TopicPartition(topic, number, 0) for number in ends])
    unread = set(ends)
    while unread:
        message = consumer.poll(OPEN_S)
        assert message is not None, f"{topic}: no record and no end of {unread}"
        error, number = message.error(), message.partition()
        if error is None:
            identity = (message.timestamp()[1], message.key(), message.value(), tuple(message.headers() or ()))
            found[number].append((message.offset(), identity))
            continue
        assert error.code() == KafkaError._PARTITION_EOF, error.str()
        if message.offset() >= ends[number]:
            unread.discard(number)
    return found


def identities(log: Mapping[int, Sequence[tuple[int, Seen]]]) -> dict[int, list[Seen]]:
    return {number: [identity for _, identity in records] for number, records in log.items()}


def make(lab: Stage, source: KafkaCluster) -> Reverse:
    """Everything a reverse mirror needs beforehand, its KafkaConnect, and every lane stopped."""
    made = Reverse(lab=lab, source=source)
    topics = [topic for lane in LANES for topic in lane.topics]
    for body in internal_topics(NAMES, LANES, TARGET, brokers=1):
        lab.store.apply(body)
    for topic in topics:
        lab.store.apply(kafka_topic(topic, PARTITIONS, {}, TARGET, replicas=1))
    _prepare_source(source, topics)
    lab.apply(user(GROUP, (*reverse_mirror_rules(LANES, NAMES), *worker_rules(NAMES)), TARGET))
    made.settled(made.connect())
    for lane in LANES:
        made.settled(made.body(lane))
    return made


def _prepare_source(source: KafkaCluster, topics: Sequence[str]) -> None:
    admin = ClusterAdmin(source.layout.admin_config())
    wishes = [NewTopicWish(name=topic, partitions=PARTITIONS, replicas=1, config={}) for topic in topics]
    wishes += [
        NewTopicWish(name=topic.name, partitions=topic.partitions, replicas=1, config=topic.config)
        for topic in topics_on_source(NAMES, LANES)
    ]
    assert set(admin.create_topics(wishes).values()) == {""}
    assert admin.add_acls(acls("sa-mirror", reverse_source_rules(LANES, NAMES, owned=DENIED.topics))) == ""
