"""What is rendered says what the design asks for; that Strimzi takes it is tested beside its schemas."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmigrate.errors import UsageError
from kmigrate.manifests.internal import MirrorNames, internal_topics
from kmigrate.manifests.kafka import bootstrap, ca_secret, kafka
from kmigrate.manifests.mirror import Endpoint, mirror_maker, reverse_connector, topics_pattern
from kmigrate.manifests.names import is_resource_name, resource_name
from kmigrate.manifests.topics import carried_topic
from kmigrate.manifests.users import (
    Rule,
    application_rules,
    denials,
    fence_rules,
    forward_mirror_rules,
    keeping_denials,
    reverse_mirror_rules,
    reverse_source_rules,
    user,
    worker_rules,
)
from kmigrate.model import Application, Json, Lane, Reads, Target, Topic

TARGET = Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram")
NAMES = MirrorNames(group="fwd")
ONE = Lane(name="1", direction="forward", source_alias="cc-1", target_alias="strimzi", topics=("a.b", "c"))
TWO = Lane(name="2", direction="forward", source_alias="cc-2", target_alias="strimzi", topics=("d",))
BACK = Lane(name="r1", direction="reverse", source_alias="strimzi", target_alias="cc-1", topics=("a.b",))
READS = Endpoint(bootstrap="pkc:9092", mechanism="plain", username="KEY", password=("cc", "secret"))
WRITES = Endpoint(
    bootstrap=bootstrap(TARGET), mechanism="scram-sha-512", username="fwd", password=("fwd", "password"),
    ca=(ca_secret(TARGET), "ca.crt"),
)  # fmt: skip


def at(value: Json, *path: str | int) -> Json:
    for part in path:
        if isinstance(part, int):
            assert isinstance(value, (list, tuple))
            value = value[part]
        else:
            assert isinstance(value, Mapping)
            value = value[part]
    return value


# ---- names ----


@given(st.text(alphabet=st.sampled_from("abzAZ019._-"), min_size=1, max_size=249))
def test_every_topic_name_becomes_a_name_that_kubernetes_takes_and_stays_itself_where_it_can(topic: str) -> None:
    name = resource_name(topic)
    assert is_resource_name(name)
    assert (name == topic) == is_resource_name(topic)
    assert resource_name(topic) == name


def test_two_topics_that_differ_in_case_only_get_two_names() -> None:
    assert len({resource_name(name) for name in ("Orders", "orders", "ORDERS", "orders_", "_orders")}) == 5


# ---- the cluster ----


@pytest.mark.parametrize(("brokers", "copies", "in_sync"), [(1, 1, 1), (2, 2, 2), (3, 3, 2), (6, 3, 2)])
def test_copies_follow_the_number_of_brokers(brokers: int, copies: int, in_sync: int) -> None:
    pool, cluster = kafka(TARGET, brokers=brokers)
    config = at(cluster, "spec", "kafka", "config")
    assert at(config, "default.replication.factor") == copies
    assert at(config, "transaction.state.log.min.isr") == in_sync
    assert at(config, "auto.create.topics.enable") is False
    assert at(pool, "spec", "replicas") == brokers


def test_the_cluster_authorizes_and_has_no_super_users() -> None:
    _, cluster = kafka(TARGET, brokers=1)
    assert at(cluster, "spec", "kafka", "authorization") == {"type": "simple"}
    assert at(cluster, "spec", "kafka", "listeners", 0, "authentication") == {"type": "scram-sha-512"}
    assert bootstrap(TARGET) == "prod-kafka-bootstrap.kafka.svc:9094"


# ---- topics ----


def test_a_topic_keeps_what_kafka_knows_and_says_what_it_drops_and_holds_off() -> None:
    config = {
        "confluent.value.schema.validation": "true",
        "made.up": "1",
        "retention.ms": "1000",
        "max.message.bytes": "2000",
        "message.timestamp.type": "LogAppendTime",
    }
    carried = carried_topic(Topic(name="A", partitions=4, config=config), TARGET, brokers=3)
    assert carried.dropped == {"confluent.value.schema.validation": "true", "made.up": "1"}
    assert carried.held == {"retention.ms": "1000", "message.timestamp.type": "LogAppendTime"}
    assert at(carried.body, "spec", "topicName") == "A"
    assert at(carried.body, "spec", "partitions") == 4
    assert at(carried.body, "spec", "config") == {
        "max.message.bytes": "2000",
        "message.timestamp.before.max.ms": "9223372036854775807",
        "message.timestamp.type": "CreateTime",
        "retention.bytes": "-1",
        "retention.ms": "-1",
    }


def test_a_topic_takes_what_the_source_takes_whoever_set_that_there_and_no_more_but_old_records() -> None:
    accepts = {
        "max.message.bytes": "2097164",
        "message.timestamp.after.max.ms": "3600000",
        "message.timestamp.before.max.ms": "86400000",
    }
    topic = Topic(
        name="a", partitions=1, config={"max.message.bytes": "5"}, accepts={**accepts, "max.message.bytes": "5"}
    )
    for seen, size in ((topic, "5"), (Topic(name="a", partitions=1, accepts=accepts), "2097164")):
        config = at(carried_topic(seen, TARGET, brokers=3).body, "spec", "config")
        assert config["max.message.bytes"] == size
        assert config["message.timestamp.after.max.ms"] == "3600000"
        assert config["message.timestamp.before.max.ms"] == "9223372036854775807"


def test_once_nobody_can_go_back_a_topic_has_the_settings_of_the_source_alone() -> None:
    config = {"confluent.x": "1", "retention.ms": "1000", "cleanup.policy": "compact,delete"}
    carried = carried_topic(
        Topic(name="a", partitions=1, config=config), TARGET, brokers=1, overrides={"segment.ms": "7"}
    )
    assert at(carried.released, "spec", "config") == {
        "cleanup.policy": "compact,delete",
        "retention.ms": "1000",
        "segment.ms": "7",
    }
    assert at(carried.released, "metadata") == at(carried.body, "metadata")


def test_a_compacted_topic_is_not_compacted_until_the_way_back_is_closed() -> None:
    carried = carried_topic(Topic(name="a", partitions=1, config={"cleanup.policy": "compact"}), TARGET, brokers=1)
    assert at(carried.body, "spec", "config", "min.compaction.lag.ms") == "9223372036854775807"
    assert at(carried.body, "spec", "config", "cleanup.policy") == "compact"


def test_copies_in_sync_are_fewer_than_copies_and_overrides_win() -> None:
    topic = Topic(name="a", partitions=1, config={"min.insync.replicas": "2"})
    one = carried_topic(topic, TARGET, brokers=1, overrides={"segment.ms": "7"})
    assert at(one.body, "spec", "config", "min.insync.replicas") == "1"
    assert at(one.body, "spec", "config", "segment.ms") == "7"


def test_internal_topics_are_all_that_a_mirror_would_make_and_syncs_are_kept_for_a_year() -> None:
    made = internal_topics(NAMES, [ONE, TWO], TARGET, brokers=3)
    configs = {str(at(body, "spec", "topicName")): at(body, "spec", "config") for body in made}
    assert sorted(configs) == [
        "fwd-configs",
        "fwd-offsets",
        "fwd-offsets-1",
        "fwd-offsets-2",
        "fwd-status",
        "mm2-offset-syncs.cc-1.internal",
        "mm2-offset-syncs.cc-2.internal",
    ]
    assert {at(config, "cleanup.policy") for config in configs.values()} == {"compact"}
    kept = {
        name for name, config in configs.items() if isinstance(config, Mapping) and "min.compaction.lag.ms" in config
    }
    assert kept == {"mm2-offset-syncs.cc-1.internal", "mm2-offset-syncs.cc-2.internal"}


# ---- users ----


def test_a_user_has_exactly_its_rules_and_no_password() -> None:
    body = user("app", [Rule(resource="topic", name="t", operations=("Read",)), *fence_rules(groups=["g"])], TARGET)
    assert at(body, "spec", "authentication") == {"type": "scram-sha-512"}
    places = [{"type": kind, "name": kind[0], "patternType": "literal"} for kind in ("group", "topic")]
    assert at(body, "spec", "authorization", "acls") == [
        {"type": "deny", "resource": places[0], "operations": ["Read"], "host": "*"},
        {"type": "allow", "resource": places[1], "operations": ["Read"], "host": "*"},
    ]


def test_a_name_that_cannot_be_a_user_is_told() -> None:
    with pytest.raises(UsageError, match="cannot be a KafkaUser"):
        user("LKCABC", [], TARGET)


def test_the_forward_mirror_may_write_its_topics_but_those_the_target_owns_and_create_none() -> None:
    rules = forward_mirror_rules([ONE, TWO], NAMES, owned=["c"])
    assert not [rule for rule in rules if {"Create", "All", "Alter", "Delete"} & set(rule.operations)]
    assert not [rule for rule in rules if rule.name == "*" or rule.resource == "cluster"]
    written = {rule.name for rule in rules if rule.resource == "topic" and "Write" in rule.operations}
    assert {"a.b", "d"} <= written
    assert "c" not in written
    ids = {(rule.name, rule.pattern) for rule in rules if rule.resource == "transactionalId"}
    assert ids == {("connect-cluster-fwd", "literal"), ("fwd-", "prefix")}


def test_the_reverse_mirror_only_reads_the_topics_it_copies() -> None:
    by_name = {rule.name: rule.operations for rule in reverse_mirror_rules([BACK], NAMES)}
    assert by_name == {"a.b": ("Read",), "mm2-offset-syncs.cc-1.internal": ("Write",)}


def test_the_reverse_mirror_writes_nothing_that_the_source_owns() -> None:
    before = {rule.name: (rule.operations, rule.pattern) for rule in reverse_source_rules([BACK], NAMES, owned=["a.b"])}
    after = {rule.name: rule.operations for rule in reverse_source_rules([BACK], NAMES)}
    assert before == {
        "a.b": (("Describe",), "literal"),
        "fwd-offsets-r1": (("Read", "Write"), "literal"),
        "fwd-kmigrate-r1-": (("Write",), "prefix"),
    }
    assert after["a.b"] == ("Write",)


def test_workers_may_keep_their_own_topics_and_lead_their_group_and_no_more() -> None:
    rules = worker_rules(NAMES)
    assert {rule.name for rule in rules} == {"fwd", "fwd-configs", "fwd-offsets", "fwd-status", "connect-cluster-fwd"}
    assert {rule.pattern for rule in rules} == {"literal"}
    assert set(rules) <= set(forward_mirror_rules([ONE], NAMES))


APPLICATION = Application(
    name="a",
    team="t",
    reads=(Reads(group="g", topics=("in",)),),
    writes=("out",),
    principals=(),
    workloads=(),
    transactional_ids=("tx",),
)


def test_an_application_gets_its_topics_groups_and_transactional_ids() -> None:
    rights = {(rule.resource, rule.name, rule.operations) for rule in application_rules(APPLICATION)}
    assert rights == {
        ("topic", "in", ("Describe", "Read")),
        ("group", "g", ("Describe", "Read")),
        ("topic", "out", ("Describe", "Write")),
        ("transactionalId", "tx", ("Describe", "Write")),
    }


def test_deny_rules_that_stand_are_kept_and_rules_in_another_order_are_no_change() -> None:
    wanted = user("a", application_rules(APPLICATION), TARGET)
    fenced = user("a", (*application_rules(APPLICATION), *fence_rules(groups=["g"])), TARGET)
    turned = {"authorization": {"type": "simple", "acls": [*reversed(fenced["spec"]["authorization"]["acls"])]}}
    kept = keeping_denials(wanted, turned)["spec"]
    assert [rule["type"] for rule in denials(kept)] == ["deny"]
    assert kept["authorization"] == turned["authorization"]
    assert keeping_denials(wanted, {}) == wanted


# ---- mirrors ----


def mirrors() -> Json:
    body = mirror_maker(NAMES, [ONE, TWO], TARGET, reads_from=READS, writes_to=WRITES, states={"2": "stopped"})
    return body["spec"]


def test_each_lane_is_a_mirror_with_its_own_alias_list_state_and_offsets_topic() -> None:
    spec = mirrors()
    for number, (lane, state) in enumerate(((ONE, "running"), (TWO, "stopped"))):
        assert at(spec, "mirrors", number, "source", "alias") == lane.source_alias
        assert at(spec, "mirrors", number, "topicsPattern") == topics_pattern(lane)
        assert at(spec, "mirrors", number, "sourceConnector", "state") == state
        config = at(spec, "mirrors", number, "sourceConnector", "config")
        assert at(config, "offsets.storage.topic") == f"fwd-offsets-{lane.name}"
    assert topics_pattern(ONE) == r"a\.b,c"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exactly.once.support", "required"),
        ("consumer.isolation.level", "read_committed"),
        ("consumer.poll.timeout.ms", "50"),
        ("consumer.auto.offset.reset", "earliest"),
        ("offset-syncs.topic.location", "target"),
        ("replication.policy.class", "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"),
        ("sync.topic.configs.enabled", "false"),
        ("sync.topic.acls.enabled", "false"),
        ("consumer.fetch.min.bytes", "1048576"),
        ("consumer.fetch.max.wait.ms", "100"),
        ("producer.override.transaction.timeout.ms", "15000"),
    ],
)
def test_a_lane_is_set_as_measured(name: str, value: str) -> None:
    assert at(mirrors(), "mirrors", 0, "sourceConnector", "config", name) == value


def test_workers_are_exactly_once_and_do_not_wait_for_a_dead_one() -> None:
    config = at(mirrors(), "target", "config")
    assert at(config, "exactly.once.source.support") == "enabled"
    assert at(config, "scheduled.rebalance.max.delay.ms") == 0
    assert at(config, "producer.transaction.timeout.ms") == 15_000


def test_a_public_authority_is_an_empty_list_and_a_private_one_is_named() -> None:
    assert at(mirrors(), "mirrors", 0, "source", "tls") == {"trustedCertificates": []}
    trusted = {"secretName": "prod-cluster-ca-cert", "certificate": "ca.crt"}
    assert at(mirrors(), "target", "tls") == {"trustedCertificates": [trusted]}


@pytest.mark.parametrize(("all_begin_written", "reset"), [(True, "none"), (False, "earliest")])
def test_a_reverse_connector_reads_the_target_writes_the_source_and_never_begins_at_the_end(
    all_begin_written: bool, reset: str
) -> None:
    settings = reverse_connector(
        BACK,
        target_client={"bootstrap.servers": "here"},
        source_client={"bootstrap.servers": "there"},
        offsets_topic="rev",
        all_begin_written=all_begin_written,
    )
    assert settings["source.cluster.bootstrap.servers"] == "here"
    for prefix in ("target.cluster.", "producer.override.", "admin.override.", "consumer.override."):
        assert settings[f"{prefix}bootstrap.servers"] == "there"
    assert settings["consumer.auto.offset.reset"] == reset
    assert settings["offset-syncs.topic.location"] == "source"
    assert settings["offsets.storage.topic"] == "rev"
    assert settings["exactly.once.support"] == "required"
