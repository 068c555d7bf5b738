"""The reverse mirror as resources: one KafkaConnect, a KafkaConnector per lane, secrets by reference alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from test_manifests import at

from kmigrate.manifests.internal import internal_topics, topics_on_source
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.lane_offsets import asked, file_name, listed_offsets, wanted_offsets
from kmigrate.manifests.lanes import REVERSE, reverse_of
from kmigrate.manifests.mirror import RUNNING, Endpoint
from kmigrate.manifests.names import is_resource_name
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.model import JsonObject, Lane, Partition, Target

TARGET = Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram")
FORWARD_LANES = tuple(
    Lane(
        name=f"lane-{number}", direction="forward", source_alias=f"source-{number}", target_alias="target",
        topics=topics,
    )
    for number, topics in enumerate((("a.b", "c"), ("d",)))
)  # fmt: skip
LANES = tuple(map(reverse_of, FORWARD_LANES))
BACK = LANES[0]
READS = Endpoint(
    bootstrap=bootstrap(TARGET), mechanism="scram-sha-512", username="kmigrate-reverse",
    password=("kmigrate-reverse", "password"), ca=(ca_secret(TARGET), "ca.crt"),
)  # fmt: skip
WRITES = Endpoint(bootstrap="pkc:9092", mechanism="plain", username="KEY", password=("cc", "secret"))


def connect(writes_to: Endpoint = WRITES) -> JsonObject:
    return reverse_connect(REVERSE, TARGET, reads_from=READS, writes_to=writes_to)


def connector(lane: Lane = BACK, **wish: object) -> JsonObject:
    return reverse_lane(REVERSE, lane, TARGET, reads_from=READS, writes_to=WRITES, **wish)


# ---- lanes ----


def test_a_reverse_lane_has_the_same_topics_and_shares_no_name_with_any_forward_lane() -> None:
    assert [lane.topics for lane in LANES] == [lane.topics for lane in FORWARD_LANES]
    assert {lane.direction for lane in LANES} == {"reverse"}
    everyone = (*FORWARD_LANES, *LANES)
    for name in ("name", "connector"):
        assert len({getattr(lane, name) for lane in everyone}) == len(everyone)
    assert len({REVERSE.offset_syncs(lane) for lane in everyone}) == len(everyone)
    assert all(is_resource_name(lane.connector) for lane in LANES)


def test_its_internal_topics_lie_on_the_target_and_one_small_one_on_the_source() -> None:
    names = {str(at(body, "spec", "topicName")) for body in internal_topics(REVERSE, LANES, TARGET, brokers=3)}
    assert names == {
        "kmigrate-reverse-configs",
        "kmigrate-reverse-offsets",
        "kmigrate-reverse-status",
        "mm2-offset-syncs.source-0-reverse.internal",
        "mm2-offset-syncs.source-1-reverse.internal",
    }
    there = topics_on_source(REVERSE, (*FORWARD_LANES, *LANES))
    assert [(topic.name, topic.partitions, topic.config) for topic in there] == [
        (f"kmigrate-reverse-offsets-lane-{number}-reverse", 1, {"cleanup.policy": "compact"}) for number in range(2)
    ]


# ---- KafkaConnect ----


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exactly.once.source.support", "enabled"),
        ("connector.client.config.override.policy", "All"),
        ("scheduled.rebalance.max.delay.ms", 0),
        ("heartbeat.interval.ms", 500),
        ("producer.transaction.timeout.ms", 15_000),
        ("config.storage.replication.factor", -1),
    ],
)
def test_workers_are_set_as_measured(name: str, value: object) -> None:
    assert at(connect(), "spec", "config", name) == value


def test_the_workers_have_a_group_and_topics_of_their_own_on_the_target_and_take_connectors_from_resources() -> None:
    body = connect()
    assert at(body, "metadata", "name") == at(body, "spec", "groupId") == "kmigrate-reverse"
    assert at(body, "metadata", "annotations") == {"strimzi.io/use-connector-resources": "true"}
    assert at(body, "spec", "bootstrapServers") == "prod-kafka-bootstrap.kafka.svc:9094"
    topics = {at(body, "spec", f"{kind}StorageTopic") for kind in ("config", "offset", "status")}
    assert topics == {"kmigrate-reverse-configs", "kmigrate-reverse-offsets", "kmigrate-reverse-status"}


def test_secrets_are_mounted_key_by_key_where_the_connectors_look_for_them() -> None:
    template = at(connect(), "spec", "template")
    mounted = {
        at(volume, "secret", "secretName"): [at(item, "key") for item in at(volume, "secret", "items")]
        for volume in at(template, "pod", "volumes")
    }
    assert mounted == {"cc": ["secret"], "kmigrate-reverse": ["password"], "prod-cluster-ca-cert": ["ca.crt"]}
    paths = {at(mount, "mountPath") for mount in at(template, "connectContainer", "volumeMounts")}
    used = {path for text in map(str, at(connector(), "spec", "config").values()) for path in references(text)}
    assert used == {(f"/mnt/kmigrate/{name}", key) for name, keys in mounted.items() for key in keys}
    assert paths == {path for path, _ in used}


def references(text: str) -> list[tuple[str, str]]:
    return re.findall(r"\$\{mounted:([^:}]+):([^}]+)\}", text)


def test_two_keys_of_one_secret_are_one_volume() -> None:
    volumes = at(connect(replace(WRITES, ca=("cc", "ca.crt"))), "spec", "template", "pod", "volumes")
    assert at(volumes[0], "secret", "items") == [
        {"key": "ca.crt", "path": "ca.crt"},
        {"key": "secret", "path": "secret"},
    ]


def test_lanes_are_not_named_by_the_workers_so_that_none_rolls_them() -> None:
    assert not [lane for lane in LANES if lane.name in json.dumps(connect())]


# ---- KafkaConnector ----


def test_a_lane_is_made_stopped_restarts_by_no_hand_but_ours_and_belongs_to_the_workers() -> None:
    body = connector()
    assert at(body, "metadata", "name") == BACK.connector == "kmigrate-lane-0-reverse"
    assert at(body, "metadata", "labels", "strimzi.io/cluster") == "kmigrate-reverse"
    assert at(body, "spec", "state") == "stopped"
    assert at(body, "spec", "autoRestart") == {"enabled": False}
    assert at(body, "spec", "class") == "org.apache.kafka.connect.mirror.MirrorSourceConnector"
    assert at(body, "spec", "tasksMax") == 1
    assert at(connector(state=RUNNING), "spec", "state") == "running"
    assert at(connector(state=RUNNING), "spec", "autoRestart") == {"enabled": True}


def test_a_lane_reads_the_target_writes_the_source_and_keeps_its_offsets_there() -> None:
    config = at(connector(), "spec", "config")
    assert at(config, "source.cluster.bootstrap.servers") == bootstrap(TARGET)
    assert at(config, "source.cluster.sasl.mechanism") == "SCRAM-SHA-512"
    for prefix in ("target.cluster.", "producer.override.", "admin.override.", "consumer.override."):
        assert at(config, f"{prefix}bootstrap.servers") == "pkc:9092"
        assert at(config, f"{prefix}sasl.mechanism") == "PLAIN"
        assert f"{prefix}ssl.truststore.certificates" not in config
    assert at(config, "offsets.storage.topic") == "kmigrate-reverse-offsets-lane-0-reverse"
    assert at(config, "topics") == r"a\.b,c"
    assert {at(config, f"{part}.converter") for part in ("key", "value", "header")} == {
        "org.apache.kafka.connect.converters.ByteArrayConverter"
    }
    for owned_by_the_operator in ("name", "connector.class", "tasks.max"):
        assert owned_by_the_operator not in config


@pytest.mark.parametrize(("all_begin_written", "reset"), [(True, "none"), (False, "earliest")])
def test_a_lane_never_begins_at_the_end(all_begin_written: bool, reset: str) -> None:
    body = connector(all_begin_written=all_begin_written)
    assert at(body, "spec", "config", "consumer.auto.offset.reset") == reset


def test_a_user_name_with_quotes_stays_one_value_of_the_login_line() -> None:
    writes = replace(WRITES, username='a"b\\c')
    body = reverse_lane(REVERSE, BACK, TARGET, reads_from=READS, writes_to=writes)
    line = str(at(body, "spec", "config", "producer.override.sasl.jaas.config"))
    assert line.endswith(r'username="a\"b\\c" password="${mounted:/mnt/kmigrate/cc:secret}";')


# ---- offsets ----


def test_offsets_wanted_are_read_back_as_they_were_whatever_else_connect_keeps() -> None:
    last = {Partition("c", 0): 0, Partition("a.b", 3): 41}
    body = wanted_offsets(REVERSE, BACK, TARGET, last)
    assert at(body, "metadata", "name") == at(connector(), "spec", "alterOffsets", "fromConfigMap", "name")
    text = at(body, "data", "offsets.json")
    assert listed_offsets(BACK, str(text)) == last
    others = [
        {"partition": {"cluster": "source-0", "topic": "c", "partition": 0}, "offset": {"offset": 7}},
        {"partition": {"cluster": "target", "topic": "z", "partition": 0}, "offset": {"offset": 7}},
        {"partition": {"cluster": "target", "topic": "c", "partition": 1}, "offset": None},
    ]
    more = {"offsets": [*json.loads(str(text))["offsets"], *others]}
    assert listed_offsets(BACK, json.dumps(more)) == last


def test_the_list_and_the_wish_lie_in_two_maps_of_the_lanes_own() -> None:
    names = {f(lane) for lane in (*FORWARD_LANES, *LANES) for f in (REVERSE.offsets_listed, REVERSE.offsets_wanted)}
    assert len(names) == 8
    assert all(map(is_resource_name, names))


def test_a_forward_lane_is_asked_through_its_kafkamirrormaker2_and_a_reverse_one_by_itself() -> None:
    (forward, _), action = FORWARD_LANES, "strimzi.io/connector-offsets"
    named = "source-0->target.MirrorSourceConnector"
    assert asked(forward, "list") == {action: "list", "strimzi.io/mirrormaker-connector": named}
    assert asked(forward, None) == {action: None, "strimzi.io/mirrormaker-connector": None}
    assert asked(BACK, "alter") == {action: "alter"}
    assert file_name(forward) == "source-0--target.MirrorSourceConnector.json"
    assert file_name(BACK) == "offsets.json"
