"""Rules 39 to 48: a KafkaConnect whose connectors are KafkaConnectors, lanes that copy from the target to a source."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from operator_stage import READY, TARGET, Stage, annotated, conditions, told

from kmigrate.lab.operator.status import mapping, objects
from kmigrate.manifests.internal import MirrorNames
from kmigrate.manifests.mirror import RUNNING, Endpoint
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.model import JsonObject, Lane, Partition
from kmigrate.world import Key, Resource

if TYPE_CHECKING:
    from reverse_stage import Reverse

LANE = Lane(name="r", direction="reverse", source_alias="strimzi", target_alias="cc-r", topics=("t",))
NAMES = MirrorNames(group="rev-bare")
ANYWHERE = Endpoint(bootstrap="b:9092", mechanism="plain", username="u", password=("cc", "password"))


def bare_connect(**more: object) -> JsonObject:
    body = reverse_connect(NAMES, TARGET, reads_from=ANYWHERE, writes_to=ANYWHERE)
    return {**body, "spec": {**mapping(body["spec"]), **more}}


def bare_lane() -> JsonObject:
    return reverse_lane(NAMES, LANE, TARGET, reads_from=ANYWHERE, writes_to=ANYWHERE)


def relabelled(body: JsonObject, labels: Mapping[str, str], annotations: Mapping[str, str | None]) -> JsonObject:
    metadata = {**mapping(body["metadata"]), "labels": labels, "annotations": annotations}
    return {**body, "metadata": metadata}


def secret(**data: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cc", "namespace": "kafka"}, "data": data}


def refusal(bare: Stage, *bodies: JsonObject) -> tuple[object, str]:
    """Reason and message of the last one's only condition after one look."""
    for body in bodies:
        applied = bare.store.apply(body)
    bare.operator.tick()
    (condition,) = conditions(bare.seen(applied.key.kind, applied.key.name))
    assert (condition["type"], condition["status"]) == ("NotReady", "True")
    return condition["reason"], str(condition["message"])


# ---- refused before a process starts ----


def test_rule_39_a_missing_secret_of_the_workers_own_is_told(bare: Stage) -> None:
    reason, message = refusal(bare, bare_connect())
    assert (reason, message) == ("InvalidConfigurationException", "Secret cc not found")


@pytest.mark.parametrize(
    ("used", "message"),
    [(("away", "key"), "Secret away not found"), (("cc", "key"), r"Secret cc has no ['key']")],
)
def test_rule_41_a_mounted_secret_that_is_not_there_lets_no_pod_become_ready(
    bare: Stage, used: tuple[str, str], message: str
) -> None:
    other = Endpoint(bootstrap="b:9092", mechanism="plain", username="u", password=used)
    body = reverse_connect(NAMES, TARGET, reads_from=ANYWHERE, writes_to=other)
    reason, told_message = refusal(bare, secret(password="x"), body)
    assert reason == "TimeoutException"
    assert told_message.endswith(message)
    assert bare.bench.machine.pid("rev-bare-connect-0") is None


def test_rule_42_without_the_annotation_no_connector_is_taken(bare: Stage) -> None:
    connect = relabelled(bare_connect(), {}, {"strimzi.io/use-connector-resources": None})
    reason, message = refusal(bare, connect, bare_lane())
    assert reason == "NoSuchResourceException"
    assert "is not configured with annotation strimzi.io/use-connector-resources" in message


def test_rule_43_a_connector_without_a_label_belongs_to_nobody(bare: Stage) -> None:
    reason, message = refusal(bare, relabelled(bare_lane(), {}, {}))
    assert reason == "InvalidResourceException"
    assert message.startswith("Resource lacks label 'strimzi.io/cluster'")


def test_rule_43_a_connector_of_no_kafkaconnect_says_so_and_waits_for_it(bare: Stage) -> None:
    reason, message = refusal(bare, bare_lane())
    assert reason == "NoSuchResourceException"
    assert "KafkaConnect resource 'rev-bare' identified by label" in message
    reason, message = refusal(bare, bare_connect(replicas=0), bare_lane())
    assert reason == "NoSuchResourceException"
    bare.operator.tick()
    (condition,) = conditions(bare.seen("KafkaConnector", LANE.connector))
    assert condition["reason"] == "RuntimeException"
    assert str(condition["message"]).endswith("has 0 replicas.")


def test_rule_43_connectors_of_a_kafkaconnect_that_goes_are_told(bare: Stage) -> None:
    refusal(bare, bare_connect(replicas=0), bare_lane())
    bare.store.delete(Key("KafkaConnect", "kafka", NAMES.group))
    bare.operator.tick()
    bare.operator.tick()
    (condition,) = conditions(bare.seen("KafkaConnector", LANE.connector))
    assert condition["reason"] == "NoSuchResourceException"


# ---- on a running group ----


@pytest.mark.kafka
def test_rule_39_the_group_says_where_it_is_and_what_it_can(reverse: Reverse) -> None:
    seen = reverse.lab.seen("KafkaConnect", "rev")
    assert told(seen) == READY
    assert seen.status["replicas"] == 1
    plugins = {str(one["class"]) for one in objects(seen.status["connectorPlugins"])}
    assert "org.apache.kafka.connect.mirror.MirrorSourceConnector" in plugins


@pytest.mark.kafka
def test_rule_39_no_secret_lies_in_resources_settings_or_connects_topics(reverse: Reverse) -> None:
    from reverse_stage import LANES

    texts = [str(value) for lane in LANES for value in reverse.config(lane).values()]
    folder = reverse.lab.bench.folder / "operator" / "kafka" / "rev"
    texts += [path.read_text() for path in folder.glob("*.properties")]
    texts += [str(reverse.seen(lane).body) for lane in LANES] + [str(reverse.lab.seen("KafkaConnect", "rev").body)]
    target = str(reverse.lab.seen("Secret", "rev").data["password"])
    assert len(texts) > 100
    assert not [text for text in texts if "$x" in text or "BEGIN CERTIFICATE" in text or target in text]


@pytest.mark.kafka
def test_rule_40_annotations_connectors_and_states_roll_no_worker(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    pid = reverse.pid()
    reverse.settled(annotated(reverse.lab.seen("KafkaConnect", "rev"), look="at me"))
    reverse.settled(reverse.body(STEERED, RUNNING))
    reverse.until(STEERED, "RUNNING", ["RUNNING"])
    reverse.settled(reverse.body(STEERED))
    reverse.until(STEERED, "STOPPED", [])
    assert reverse.pid() == pid


@pytest.mark.kafka
def test_rule_40_a_setting_rolls_the_workers_and_a_stopped_lane_stays_stopped(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    pid, body = reverse.pid(), reverse.connect()
    spec = mapping(body["spec"])
    config = {**mapping(spec["config"]), "task.shutdown.graceful.timeout.ms": 4_000}
    reverse.settled({**body, "spec": {**spec, "config": config}})
    reverse.lab.until("a new worker", lambda: reverse.pid() not in (None, pid))
    changed = reverse.pid()
    reverse.settled(body)
    reverse.lab.until("the old settings", lambda: reverse.pid() not in (None, changed))
    reverse.settled(annotated(reverse.seen(STEERED), look="again"))
    reverse.until(STEERED, "STOPPED", [])


@pytest.mark.kafka
def test_rule_41_a_mounted_secret_is_followed_without_a_roll(reverse: Reverse) -> None:
    pid = reverse.pid()
    path = reverse.lab.bench.folder / "operator" / "kafka" / "rev" / "mnt" / "kmigrate" / "cc" / "password"
    before = path.read_text()
    data = reverse.lab.seen("Secret", "cc").data
    assert path.stat().st_mode & 0o777 == 0o600
    reverse.lab.store.apply(secret(**{**data, "password": "another"}))
    reverse.lab.until("the file to follow", lambda: path.read_text() == "another")
    reverse.lab.store.apply(secret(**data))
    reverse.lab.until("the file to follow again", lambda: path.read_text() == before)
    assert reverse.pid() == pid


@pytest.mark.kafka
def test_rule_42_a_connector_made_by_hand_is_deleted_at_the_interval(reverse: Reverse) -> None:
    from reverse_stage import LANES, STEERED

    config = {**reverse.config(STEERED), "name": "foreign"}
    reverse.rest.post("/connectors", {"name": "foreign", "config": config, "initial_state": "STOPPED"})
    reverse.lab.until("it to go", lambda: reverse.names() == sorted(lane.connector for lane in LANES))


@pytest.mark.kafka
def test_rule_44_a_connector_is_steered_through_its_states(reverse: Reverse) -> None:
    """One that was stopped has no tasks to pause."""
    from reverse_stage import STEERED

    for state, shown, tasks in (
        ("running", "RUNNING", ["RUNNING"]),
        ("paused", "PAUSED", ["PAUSED"]),
        ("stopped", "STOPPED", []),
        ("paused", "PAUSED", []),
        ("running", "RUNNING", ["RUNNING"]),
        ("stopped", "STOPPED", []),
    ):
        reverse.settled(reverse.body(STEERED, state))
        reverse.until(STEERED, shown, tasks)


@pytest.mark.kafka
def test_rule_44_a_resource_that_goes_takes_its_connector_along_and_its_offsets_stay(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    last = {Partition(STEERED.topics[0], 1): 7}
    reverse.wish(STEERED, last)
    reverse.served(STEERED, "alter")
    reverse.lab.store.delete(reverse.seen(STEERED).key)
    reverse.lab.until("the connector to go", lambda: STEERED.connector not in reverse.names())
    reverse.settled(reverse.body(STEERED))
    reverse.until(STEERED, "STOPPED", [])
    assert reverse.listed(STEERED) == last


@pytest.mark.kafka
def test_rule_45_settings_changed_by_hand_come_back_at_the_interval(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    config = reverse.config(STEERED)
    reverse.rest.put(f"/connectors/{STEERED.connector}/config", {**config, "topics": ".*"})
    reverse.lab.until("the settings to come back", lambda: reverse.config(STEERED) == config)


@pytest.mark.kafka
def test_rules_46_and_47_a_failed_task_is_not_ready_and_a_status_is_followed_until_it_is_still(
    reverse: Reverse,
) -> None:
    """The lane may not write what the source owns: its task fails with the first record, as both mirrors on would."""
    from reverse_stage import DENIED, PARTITIONS

    pid, (topic,) = reverse.pid(), DENIED.topics
    reverse.write("target", topic, ["one", "two"])
    reverse.settled(reverse.body(DENIED, RUNNING))
    reverse.until(DENIED, "RUNNING", ["FAILED"])
    seen: list[Resource] = []  # the operator starts it again, so that it may be another one at the next look

    def is_not_ready() -> bool:
        seen[:] = [reverse.seen(DENIED)]
        return told(seen[0]) == [("NotReady", "True", "Throwable")]

    reverse.lab.until("the condition", is_not_ready)
    status = mapping(seen[0].status)
    (failed,) = objects(mapping(status["connectorStatus"])["tasks"])
    assert "TopicAuthorizationException" in str(failed["trace"])
    assert status["tasksMax"] == 1
    assert reverse.log("source", topic) == {number: [] for number in range(PARTITIONS)}
    reverse.lab.operator.set_interval(600_000)
    try:
        reverse.settled(reverse.body(DENIED))
        reverse.until(DENIED, "STOPPED", [])
        reverse.lab.until("Ready", lambda: told(reverse.seen(DENIED)) == READY)
    finally:
        reverse.lab.operator.set_interval(1_000)
    assert reverse.pid() == pid


@pytest.mark.kafka
def test_rule_48_offsets_of_a_stopped_connector_are_altered_and_listed_and_never_reset(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    last = {Partition(STEERED.topics[0], 0): 41, Partition(STEERED.topics[0], 2): 0}
    reverse.wish(STEERED, last)
    reverse.served(STEERED, "alter")
    kept = reverse.listed(STEERED)
    assert {partition: kept[partition] for partition in last} == last
    reverse.ask(STEERED, "reset")
    warned(reverse, "ResetOffsets", "Encountered error resetting connector offsets. Connect cannot forget offsets")
    assert reverse.listed(STEERED) == kept


def warned(reverse: Reverse, reason: str, message: str) -> None:
    """The wish stands with a Warning beside Ready; taken back, both go."""
    from reverse_stage import STEERED

    wanted = [*READY, ("Warning", "True", reason)]
    reverse.lab.until(f"the warning {reason}", lambda: told(reverse.seen(STEERED)) == wanted)
    assert str(conditions(reverse.seen(STEERED))[1]["message"]).startswith(message)
    assert not reverse.is_served(STEERED)
    reverse.ask(STEERED, None)
    reverse.lab.until("the warning to go", lambda: told(reverse.seen(STEERED)) == READY)


@pytest.mark.kafka
@pytest.mark.parametrize(("action", "doing"), [("alter", "altering"), ("reset", "resetting")])
def test_rule_48_a_connector_that_runs_is_not_altered_and_the_wish_stays(
    reverse: Reverse, action: str, doing: str
) -> None:
    from reverse_stage import STEERED

    reverse.settled(reverse.body(STEERED, RUNNING))
    reverse.until(STEERED, "RUNNING", ["RUNNING"])
    reverse.ask(STEERED, action)
    refused = f"Encountered error {doing} connector offsets. Connector is not in STOPPED state"
    warned(reverse, f"{action.capitalize()}Offsets", refused)
    reverse.settled(reverse.body(STEERED))
    reverse.until(STEERED, "STOPPED", [])


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "ConfigMap kafka/rev-steered-reverse-offsets-wanted does not exist."),
        ({"other": "x"}, "Data field offsets.json is missing."),
        ({"offsets.json": "{"}, "Failed to parse contents of offsets.json as JSON"),
    ],
)
def test_rule_48_offsets_that_cannot_be_read_are_told(
    reverse: Reverse, data: Mapping[str, str] | None, message: str
) -> None:
    from reverse_stage import NAMES as THEIRS
    from reverse_stage import STEERED

    name = THEIRS.offsets_wanted(STEERED)
    reverse.lab.store.delete(Key("ConfigMap", "kafka", name))
    if data is not None:
        metadata = {"name": name, "namespace": "kafka"}
        reverse.lab.store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    reverse.ask(STEERED, "alter")
    reverse.lab.until("the refusal", lambda: len(conditions(reverse.seen(STEERED))) == 2)
    assert message in str(conditions(reverse.seen(STEERED))[1]["message"])
    warned(reverse, "AlterOffsets", "Encountered error altering connector offsets. ")


@pytest.mark.kafka
def test_rule_48_a_connector_that_names_no_map_is_told(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    body = reverse.body(STEERED)
    spec = {name: value for name, value in mapping(body["spec"]).items() if name != "listOffsets"}
    reverse.settled({**body, "spec": spec})
    reverse.ask(STEERED, "list")
    warned(
        reverse,
        "ListOffsets",
        "Failed to list the connector offsets due to missing property listOffsets in KafkaConnector CR.",
    )
    reverse.settled(body)


@pytest.mark.kafka
def test_rule_48_a_word_that_is_no_action_is_not_ready(reverse: Reverse) -> None:
    from reverse_stage import STEERED

    reverse.ask(STEERED, "rewind")
    wanted = [("NotReady", "True", "IllegalArgumentException")]
    reverse.lab.until("the refusal", lambda: told(reverse.seen(STEERED)) == wanted)
    reverse.ask(STEERED, None)
    reverse.lab.until("it to go", lambda: told(reverse.seen(STEERED)) == READY)


@pytest.mark.kafka
def test_rule_36_a_killed_worker_of_a_kafkaconnect_is_started_again(reverse: Reverse) -> None:
    from reverse_stage import STEERED, WORKER

    pid = reverse.pid()
    reverse.lab.bench.machine.signal(WORKER, signal.SIGKILL)
    reverse.lab.until("a new worker", lambda: reverse.pid() not in (None, pid))
    reverse.until(STEERED, "STOPPED", [])
    reverse.lab.until("its REST to answer", lambda: STEERED.connector in reverse.names())
