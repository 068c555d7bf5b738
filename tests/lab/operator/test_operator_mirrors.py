"""Rules 27 to 36: a KafkaMirrorMaker2 with three lanes (running, stopped, without rights), read from a real source."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from confluent_kafka import Producer
from operator_stage import READY, TARGET, Stage, annotated, conditions, told

from kmigrate.errors import Transient
from kmigrate.lab.operator.admin import Acl, ClusterAdmin, NewTopicWish
from kmigrate.lab.operator.mirrormaker import condition_of
from kmigrate.lab.operator.status import mapping, objects, strings
from kmigrate.lab.runtime.connect import ConnectRest
from kmigrate.lab.runtime.kafka import KafkaCluster, sasl_config
from kmigrate.manifests.internal import MirrorNames, internal_topics
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.topics import kafka_topic
from kmigrate.manifests.users import forward_mirror_rules, user
from kmigrate.model import JsonObject, Lane
from kmigrate.world import Resource

GROUP = "mm"
NAMES = MirrorNames(group=GROUP)
TOPICS = ("mm-runs", "mm.stopped", "mm-denied")
LANES = tuple(
    Lane(name=str(number), direction="forward", source_alias=f"cc-{number}", target_alias="strimzi", topics=(topic,))
    for number, topic in enumerate(TOPICS)
)
RUNS, STOPPED, DENIED = LANES
WORKER = f"{GROUP}-mirrormaker2-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The mirror under test, the source it reads from, and a producer there."""

    lab: Stage
    source: KafkaCluster
    producer: Producer

    def body(
        self,
        lanes: Sequence[Lane] = LANES,
        states: Mapping[str, str] | None = None,
        workers: int = 1,
        name: str = GROUP,
        secret: str = "cc",
    ) -> JsonObject:
        reads_from = Endpoint(
            bootstrap=self.source.layout.bootstrap("CLIENT"),
            mechanism="plain",
            username="sa-mirror",
            password=(secret, "password"),
            ca=("cc", "ca.crt"),
        )
        writes_to = Endpoint(
            bootstrap=bootstrap(TARGET),
            mechanism="scram-sha-512",
            username=GROUP,
            password=(GROUP, "password"),
            ca=(ca_secret(TARGET), "ca.crt"),
        )
        names = MirrorNames(group=name)
        wished = {STOPPED.name: "stopped"} if states is None else states
        return mirror_maker(
            names, lanes, TARGET, reads_from=reads_from, writes_to=writes_to, states=wished, workers=workers
        )

    @property
    def rest(self) -> ConnectRest:
        return ConnectRest(str(self.lab.seen("KafkaMirrorMaker2", GROUP).status["url"]))

    def names(self) -> list[str]:
        """Every connector there is."""
        return sorted(strings(self.rest.get("/connectors")))

    def now(self, lane: Lane) -> tuple[str, list[str]]:
        """State of the connector and of its tasks as Connect has them now; ("", []) when there is none."""
        return states_of(mapping(self.rest.get(f"/connectors/{quote(lane.connector, safe='')}/status")))

    def told(self, lane: Lane) -> tuple[str, list[str]]:
        """The same as `status.connectors` has it."""
        seen = self.lab.seen("KafkaMirrorMaker2", GROUP)
        named = {str(one["name"]): one for one in objects(seen.status.get("connectors"))}
        return states_of(named.get(lane.connector, {}))

    def until(self, lane: Lane, state: str, tasks: list[str]) -> None:
        self.lab.until(f"{lane.connector} to be {state} {tasks}", lambda: self.now(lane) == (state, tasks))

    def write(self, topic: str, value: str) -> None:
        self.producer.produce(topic, key=value, value=value)
        assert self.producer.flush(30) == 0

    def settled(self, body: JsonObject) -> Resource:
        return self.lab.settled(self.lab.store.apply(body), 120_000)


def states_of(status: JsonObject) -> tuple[str, list[str]]:
    tasks = [str(task.get("state")) for task in objects(status.get("tasks"))]
    return str(mapping(status.get("connector")).get("state", "")), tasks


@pytest.fixture(scope="session")
def mirror(lab: Stage, source: KafkaCluster) -> Iterator[Mirror]:
    prepare_source(source)
    for body in (*internal_topics(NAMES, LANES, TARGET, brokers=1), *map(target_topic, TOPICS)):
        lab.store.apply(body)
    denied = [*forward_mirror_rules(LANES, NAMES, owned=[TOPICS[2]])]
    lab.apply(user(GROUP, denied, TARGET))
    address = {"bootstrap.servers": source.layout.bootstrap("CLIENT"), "log_level": 0}
    producer = Producer({**address, **sasl_config("PLAIN", "sa-writer", "w", lab.bench.certificates.ca)})
    made = Mirror(lab=lab, source=source, producer=producer)
    made.settled(made.body())
    made.until(RUNS, "RUNNING", ["RUNNING"])
    yield made
    producer.flush(5)


def target_topic(name: str) -> JsonObject:
    return kafka_topic(name, 1, {}, TARGET, replicas=1)


def prepare_source(source: KafkaCluster) -> None:
    admin = ClusterAdmin(source.layout.admin_config())
    wishes = [NewTopicWish(name=name, partitions=1, replicas=1, config={}) for name in TOPICS]
    assert set(admin.create_topics(wishes).values()) == {""}
    rights = [("sa-mirror", "Read"), ("sa-mirror", "Describe"), ("sa-writer", "Write")]
    acls = [Acl(f"User:{who}", "topic", name, "literal", what, "*", True) for name in TOPICS for who, what in rights]
    assert admin.add_acls(acls) == ""


def copied(lab: Stage, topic: str) -> int:
    """Bytes in the first partition's log on the broker's disk say whether anything was copied."""
    folder = lab.bench.folder / "operator" / "kafka" / "prod" / "node-0" / f"{topic}-0"
    return sum(path.stat().st_size for path in folder.glob("*.log"))


@pytest.mark.kafka
def test_rule_27_connectors_are_named_and_set_as_the_spec_says_and_copy_records(mirror: Mirror) -> None:
    mirror.write("mm-runs", "one")
    mirror.lab.until("the record to be copied", lambda: copied(mirror.lab, "mm-runs") > 0)
    config = mapping(mirror.rest.get(f"/connectors/{quote(RUNS.connector, safe='')}/config"))
    assert RUNS.connector == "cc-0->strimzi.MirrorSourceConnector"
    assert config["topics"] == "mm-runs"
    assert config["exactly.once.support"] == "required"
    assert config["offsets.storage.topic"] == "mm-offsets-0"
    assert mirror.names() == sorted(lane.connector for lane in LANES)


@pytest.mark.kafka
def test_rule_27_no_password_lies_in_settings_or_in_connects_topics(mirror: Mirror) -> None:
    config = mapping(mirror.rest.get(f"/connectors/{quote(RUNS.connector, safe='')}/config"))
    texts = [str(value) for value in config.values()]
    texts += [
        path.read_text() for path in (mirror.lab.bench.folder / "operator" / "kafka" / GROUP).glob("*.properties")
    ]
    assert len(texts) > 10
    assert not [text for text in texts if "$x" in text or "BEGIN CERTIFICATE" in text]


@pytest.mark.kafka
def test_rule_27_another_replica_is_another_worker_and_goes_again(mirror: Mirror) -> None:
    pid = mirror.lab.bench.machine.pid(WORKER)
    mirror.settled(mirror.body(workers=2))
    assert mirror.lab.bench.machine.pid(f"{GROUP}-mirrormaker2-1") is not None
    mirror.settled(mirror.body())
    assert mirror.lab.bench.machine.pid(f"{GROUP}-mirrormaker2-1") is None
    assert mirror.lab.bench.machine.pid(WORKER) == pid
    mirror.until(RUNS, "RUNNING", ["RUNNING"])


def test_rule_28_a_service_without_a_cluster_behind_it_does_not_answer(bare: Stage) -> None:
    assert bare.operator.address("pkc-1.example:9092") == "pkc-1.example:9092"
    with pytest.raises(Transient):
        bare.operator.address(bootstrap(TARGET))


@pytest.mark.kafka
def test_rule_28_a_service_is_the_listener_of_its_port(lab: Stage) -> None:
    listener = objects(lab.seen("Kafka", TARGET.cluster).status["listeners"])[0]
    for name in ("prod-kafka-bootstrap:9094", "prod-kafka-bootstrap.kafka.svc:9094"):
        assert lab.operator.address(name) == listener["bootstrapServers"]
    with pytest.raises(Transient):
        lab.operator.address("prod-kafka-bootstrap:9095")


@pytest.mark.kafka
def test_rule_29_a_missing_secret_is_told_and_no_worker_starts(mirror: Mirror) -> None:
    seen = mirror.settled(mirror.body(name="mm-29", secret="nowhere"))
    assert told(seen) == [("NotReady", "True", "InvalidConfigurationException")]
    assert "Secret nowhere not found" in str(conditions(seen)[0]["message"])
    assert mirror.lab.bench.machine.pid("mm-29-mirrormaker2-0") is None


@pytest.mark.kafka
def test_rule_30_a_lane_made_stopped_copies_nothing_until_started_and_no_worker_rolls(mirror: Mirror) -> None:
    pid = mirror.lab.bench.machine.pid(WORKER)
    mirror.write("mm.stopped", "one")
    mirror.until(STOPPED, "STOPPED", [])
    assert copied(mirror.lab, "mm.stopped") == 0
    mirror.settled(mirror.body(states={}))
    mirror.until(STOPPED, "RUNNING", ["RUNNING"])
    mirror.lab.until("the record to be copied", lambda: copied(mirror.lab, "mm.stopped") > 0)
    mirror.settled(mirror.body())
    mirror.until(STOPPED, "STOPPED", [])
    assert mirror.lab.bench.machine.pid(WORKER) == pid


@pytest.mark.kafka
def test_rule_31_a_connector_made_by_hand_is_deleted_at_the_interval(mirror: Mirror) -> None:
    config = mapping(mirror.rest.get(f"/connectors/{quote(STOPPED.connector, safe='')}/config"))
    foreign = {**config, "name": "foreign", "offsets.storage.topic": "mm-offsets-1"}
    mirror.rest.post("/connectors", {"name": "foreign", "config": foreign, "initial_state": "STOPPED"})
    mirror.lab.until("it to go", lambda: mirror.rest.get("/connectors/foreign") is None)


@pytest.mark.kafka
def test_rule_31_a_list_of_mirrors_that_shrinks_or_grows_rolls_the_worker(mirror: Mirror) -> None:
    pid = mirror.lab.bench.machine.pid(WORKER)
    seen = mirror.settled(mirror.body(lanes=LANES[:2]))
    assert mirror.lab.bench.machine.pid(WORKER) != pid
    assert [one["name"] for one in objects(seen.status["connectors"])] == [lane.connector for lane in LANES[:2]]
    mirror.lab.until("the connector to go", lambda: DENIED.connector not in mirror.names())
    shrunk = mirror.lab.bench.machine.pid(WORKER)
    mirror.settled(mirror.body())
    assert mirror.lab.bench.machine.pid(WORKER) not in (None, shrunk)
    assert DENIED.connector in mirror.names()
    mirror.until(RUNS, "RUNNING", ["RUNNING"])


@pytest.mark.kafka
def test_rules_32_and_34_a_failed_task_leaves_ready_and_shows_only_after_a_reconcile(mirror: Mirror) -> None:
    mirror.until(DENIED, "RUNNING", ["RUNNING"])
    mirror.lab.until("the status to follow", lambda: mirror.told(DENIED) == ("RUNNING", ["RUNNING"]))
    mirror.lab.operator.set_interval(600_000)
    try:
        mirror.settled(annotated(mirror.lab.seen("KafkaMirrorMaker2", GROUP), look="before"))
        mirror.write("mm-denied", "one")
        mirror.until(DENIED, "RUNNING", ["FAILED"])
        assert mirror.told(DENIED) == ("RUNNING", ["RUNNING"])
        mirror.lab.store.apply(annotated(mirror.lab.seen("KafkaMirrorMaker2", GROUP), look="after"))
        mirror.lab.until("the status to be new", lambda: mirror.told(DENIED) == ("RUNNING", ["FAILED"]))
        seen = mirror.lab.seen("KafkaMirrorMaker2", GROUP)
    finally:
        mirror.lab.operator.set_interval(1_000)
    failed = next(one for one in objects(seen.status["connectors"]) if one["name"] == DENIED.connector)
    assert told(seen) == READY
    assert "TopicAuthorizationException" in str(objects(failed["tasks"])[0]["trace"])
    assert copied(mirror.lab, "mm-denied") == 0


def test_rule_33_a_failed_connector_is_not_ready() -> None:
    running: JsonObject = {"connector": {"state": "RUNNING"}, "tasks": [{"state": "FAILED"}]}
    failed: JsonObject = {"connector": {"state": "FAILED"}, "tasks": []}
    assert condition_of({"a": running}).type == "Ready"
    seen = condition_of({"a": running, "b": failed})
    assert (seen.type, seen.status) == ("NotReady", "True")
    assert seen.message == "The following connectors have failed: b"


@pytest.mark.kafka
def test_rule_35_settings_changed_by_hand_come_back_at_the_interval(mirror: Mirror) -> None:
    path = f"/connectors/{quote(STOPPED.connector, safe='')}/config"
    config = mapping(mirror.rest.get(path))
    mirror.rest.put(path, {**config, "topics": ".*"})
    mirror.lab.until("the settings to come back", lambda: mirror.rest.get(path) == config)


@pytest.mark.kafka
def test_rule_36_a_killed_worker_is_started_again_and_the_stopped_lane_stays_stopped(mirror: Mirror) -> None:
    pid = mirror.lab.bench.machine.pid(WORKER)
    mirror.lab.bench.machine.signal(WORKER, signal.SIGKILL)
    mirror.lab.until("a new worker", lambda: mirror.lab.bench.machine.pid(WORKER) not in (None, pid))
    mirror.until(RUNS, "RUNNING", ["RUNNING"])
    mirror.until(STOPPED, "STOPPED", [])


def offsets_of(mirror: Mirror, connector: str, offset: int) -> JsonObject:
    """A ConfigMap that `alterOffsets` reads."""
    place: JsonObject = {"cluster": "cc-1", "topic": "mm.stopped", "partition": 0}
    wanted: JsonObject = {"offsets": [{"partition": place, "offset": {"offset": offset}}]}
    data = {f"{connector.replace('->', '--')}.json": json.dumps(wanted)}
    metadata = {"name": "mm-alter", "namespace": "kafka"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def with_maps(body: JsonObject) -> JsonObject:
    """The second lane's connector with both ConfigMaps named."""
    spec = mapping(body["spec"])
    lanes = [dict(one) for one in objects(spec["mirrors"])]
    maps = {
        "listOffsets": {"toConfigMap": {"name": "mm-list"}},
        "alterOffsets": {"fromConfigMap": {"name": "mm-alter"}},
    }
    lanes[1]["sourceConnector"] = {**mapping(lanes[1]["sourceConnector"]), **maps}
    return {**body, "spec": {**spec, "mirrors": lanes}}


def asked(mirror: Mirror, action: str | None) -> None:
    """Ask for something about the stopped lane's offsets."""
    name = STOPPED.connector if action else None
    seen = mirror.lab.seen("KafkaMirrorMaker2", GROUP)
    mirror.lab.store.apply(annotated(seen, connector_offsets=action, mirrormaker_connector=name))


def is_served(mirror: Mirror) -> bool:
    annotations = mapping(mirror.lab.seen("KafkaMirrorMaker2", GROUP).metadata.get("annotations"))
    return "strimzi.io/connector-offsets" not in annotations and "strimzi.io/mirrormaker-connector" not in annotations


def listed(mirror: Mirror) -> object:
    asked(mirror, "list")
    mirror.lab.until("the offsets to be listed", lambda: is_served(mirror))
    text = mirror.lab.seen("ConfigMap", "mm-list").data["cc-1--strimzi.MirrorSourceConnector.json"]
    return json.loads(str(text))["offsets"]


@pytest.mark.kafka
def test_rules_37_and_38_offsets_of_a_stopped_connector_are_altered_and_listed_and_never_reset(mirror: Mirror) -> None:
    mirror.settled(with_maps(mirror.body()))
    mirror.until(STOPPED, "STOPPED", [])
    mirror.lab.store.apply(offsets_of(mirror, STOPPED.connector, 41))
    asked(mirror, "alter")
    mirror.lab.until("the offsets to be altered", lambda: is_served(mirror))
    place = {"cluster": "cc-1", "topic": "mm.stopped", "partition": 0}
    assert listed(mirror) == [{"partition": place, "offset": {"offset": 41}}]
    asked(mirror, "reset")
    warned = [*READY, ("Warning", "True", "ResetOffsets")]
    mirror.lab.until("the refusal", lambda: told(mirror.lab.seen("KafkaMirrorMaker2", GROUP)) == warned)
    asked(mirror, None)
    mirror.lab.until("the warning to go", lambda: told(mirror.lab.seen("KafkaMirrorMaker2", GROUP)) == READY)
    assert listed(mirror) == [{"partition": place, "offset": {"offset": 41}}]


@pytest.mark.kafka
def test_rule_38_a_connector_that_runs_is_not_altered_and_the_wish_stays(mirror: Mirror) -> None:
    mirror.settled(with_maps(mirror.body(states={})))
    mirror.until(STOPPED, "RUNNING", ["RUNNING"])
    mirror.lab.store.apply(offsets_of(mirror, STOPPED.connector, 41))
    asked(mirror, "alter")
    warned = [*READY, ("Warning", "True", "AlterOffsets")]
    mirror.lab.until("the refusal", lambda: told(mirror.lab.seen("KafkaMirrorMaker2", GROUP)) == warned)
    assert not is_served(mirror)
    asked(mirror, None)
    mirror.lab.until("the warning to go", lambda: told(mirror.lab.seen("KafkaMirrorMaker2", GROUP)) == READY)
    mirror.settled(mirror.body())
    mirror.until(STOPPED, "STOPPED", [])


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("given", "missing"),
    [("connector_offsets", "mirrormaker-connector"), ("mirrormaker_connector", "connector-offsets")],
)
def test_rule_37_one_annotation_without_the_other_is_a_warning(mirror: Mirror, given: str, missing: str) -> None:
    mirror.lab.store.apply(annotated(mirror.lab.seen("KafkaMirrorMaker2", GROUP), **{given: "list"}))
    warned = [*READY, ("Warning", "True", "ManageOffsets")]
    mirror.lab.until("the warning", lambda: told(mirror.lab.seen("KafkaMirrorMaker2", GROUP)) == warned)
    assert f"is missing annotation strimzi.io/{missing}" in str(conditions(seen_group(mirror))[1]["message"])
    asked(mirror, None)
    mirror.lab.until("the warning to go", lambda: told(seen_group(mirror)) == READY)


@pytest.mark.kafka
def test_rule_37_the_name_of_no_connector_is_passed_over_in_silence(mirror: Mirror) -> None:
    nobody = {"connector_offsets": "list", "mirrormaker_connector": "nobody"}
    mirror.lab.store.apply(annotated(seen_group(mirror), **nobody))
    mirror.settled(mirror.body(states={}))
    assert told(seen_group(mirror)) == READY
    assert not is_served(mirror)
    asked(mirror, None)
    mirror.settled(mirror.body())
    mirror.until(STOPPED, "STOPPED", [])


def seen_group(mirror: Mirror) -> Resource:
    return mirror.lab.seen("KafkaMirrorMaker2", GROUP)


@pytest.mark.kafka
def test_what_connect_refuses_is_told_with_its_words(mirror: Mirror) -> None:
    body = mirror.body()
    spec = mapping(body["spec"])
    lanes = [dict(one) for one in objects(spec["mirrors"])]
    connector = mapping(lanes[1]["sourceConnector"])
    config = {**mapping(connector["config"]), "consumer.isolation.level": "read_uncommitted"}
    lanes[1]["sourceConnector"] = {**connector, "config": config}
    seen = mirror.settled({**body, "spec": {**spec, "mirrors": lanes}})
    assert told(seen) == [("NotReady", "True", "ConnectRestException")]
    assert "exactly-once" in str(conditions(seen)[0]["message"])
    assert told(mirror.settled(mirror.body())) == READY
