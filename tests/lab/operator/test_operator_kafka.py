"""Rules 6 to 14, and 1 to 5 where no topic or user is needed."""

from __future__ import annotations

import signal

import pytest
from operator_stage import READY, TARGET, Stage, annotated, conditions, told

from kmigrate.errors import Invalid
from kmigrate.lab.operator.kafka_spec import refuse_or_warn
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource


def with_spec(body: JsonObject, **changes: Json) -> JsonObject:
    spec = body["spec"]
    assert isinstance(spec, dict)
    return {**body, "spec": {**spec, **changes}}


def in_kafka(body: JsonObject, **changes: Json) -> JsonObject:
    spec = body["spec"]
    assert isinstance(spec, dict)
    return {**body, "spec": {**spec, "kafka": {**spec["kafka"], **changes}}}


def refused(bare: Stage, *bodies: JsonObject) -> str:
    for body in bodies:
        bare.store.apply(body)
    bare.operator.tick()
    assert bare.bench.machine.names() == ()
    seen = bare.seen("Kafka", TARGET.cluster)
    assert [condition["type"] for condition in conditions(seen)] == ["NotReady"]
    assert seen.status["observedGeneration"] == seen.generation
    return f"{conditions(seen)[0]['reason']}: {conditions(seen)[0]['message']}"


# ---- refusals, without a process ----


def test_rule_8_a_kafka_without_pools_is_refused(bare: Stage) -> None:
    _, cluster = kafka(TARGET, brokers=1)
    assert refused(bare, cluster).startswith("InvalidResourceException: No KafkaNodePools")


@pytest.mark.parametrize("missing", ["controller", "broker"])
def test_rule_8_a_kafka_without_a_role_is_refused(bare: Stage, missing: str) -> None:
    pool, cluster = kafka(TARGET, brokers=1)
    roles: list[Json] = [role for role in ("controller", "broker") if role != missing]
    assert f"the {missing} role" in refused(bare, with_spec(pool, roles=roles), cluster)


def test_rule_9_a_version_that_is_not_supported_is_refused(bare: Stage) -> None:
    pool, cluster = kafka(TARGET, brokers=1)
    assert refused(bare, pool, in_kafka(cluster, version="3.9.0")).startswith("UnsupportedKafkaVersionException")


@pytest.mark.parametrize(
    "name",
    [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
    ],
)
def test_rule_10_more_copies_than_brokers_are_refused(bare: Stage, name: str) -> None:
    pool, cluster = kafka(TARGET, brokers=1, config={name: 2})
    assert f"'{name}' should be set to 1 or less" in refused(bare, pool, cluster)


@pytest.mark.parametrize("field", ["name", "port"])
def test_rule_10_two_listeners_with_one_name_or_port_are_refused(bare: Stage, field: str) -> None:
    pool, cluster = kafka(TARGET, brokers=1)
    one: JsonObject = {
        "name": "a",
        "port": 9094,
        "type": "internal",
        "tls": True,
        "authentication": {"type": "scram-sha-512"},
    }
    two = {**one, "name": "b", "port": 9095, field: one[field]}
    assert f"unique {field}" in refused(bare, pool, in_kafka(cluster, listeners=[one, two]))


def test_rule_1_what_cannot_start_is_not_ready_with_the_cause(bare: Stage) -> None:
    for body in kafka(TARGET, brokers=1):
        bare.store.apply(body)
    bare.operator.tick()
    seen = bare.seen("Kafka", TARGET.cluster)
    assert told(seen) == [("NotReady", "True", "PlatformError")]
    assert "/nowhere/java" in str(conditions(seen)[0]["message"])


def test_rule_2_a_failure_that_stays_keeps_its_time_and_writes_nothing(bare: Stage) -> None:
    _, cluster = kafka(TARGET, brokers=1)
    refused(bare, cluster)
    first = bare.seen("Kafka", TARGET.cluster)
    bare.store.apply(annotated(first, touched="1"))
    bare.operator.tick()
    assert bare.seen("Kafka", TARGET.cluster).status == first.status


def test_rule_3_a_paused_resource_is_left_alone_until_the_annotation_goes(bare: Stage) -> None:
    _, cluster = kafka(TARGET, brokers=1)
    bare.store.apply(annotated(bare.store.apply(cluster), pause_reconciliation="true"))
    bare.operator.tick()
    paused = bare.seen("Kafka", TARGET.cluster)
    assert told(paused) == [("ReconciliationPaused", "True", None)]
    assert "observedGeneration" not in paused.status
    bare.store.apply(annotated(paused, pause_reconciliation=None))
    bare.operator.tick()
    assert told(bare.seen("Kafka", TARGET.cluster)) == [("NotReady", "True", "InvalidResourceException")]


def test_a_misspelt_field_is_refused_by_strimzis_own_schema(bare: Stage) -> None:
    _, cluster = kafka(TARGET, brokers=1)
    with pytest.raises(Invalid, match=r"spec\.kafka\.listenerz: unknown field; did you mean listeners"):
        bare.store.apply(in_kafka(cluster, listenerz=[]))


# ---- the running cluster ----


@pytest.mark.kafka
def test_rule_6_status_tells_where_and_what_the_cluster_is(lab: Stage) -> None:
    seen = lab.seen("Kafka", TARGET.cluster)
    assert told(seen) == READY
    assert seen.status["kafkaVersion"] == "4.3.1"
    assert seen.status["kafkaNodePools"] == [{"name": "dual"}]
    (listener,) = seen.status["listeners"] if isinstance(seen.status["listeners"], list) else ()
    address = listener["addresses"][0]
    assert listener["name"] == "scram"
    assert listener["bootstrapServers"] == f"{address['host']}:{address['port']}"
    secret = lab.seen("Secret", "prod-cluster-ca-cert")
    assert listener["certificates"] == [secret.data["ca.crt"]]


@pytest.mark.kafka
def test_rule_14_a_pool_has_its_nodes_in_status_and_no_ready_condition(lab: Stage) -> None:
    pool = lab.seen("KafkaNodePool", "dual")
    assert pool.status["conditions"] == []
    assert pool.status["nodeIds"] == [0]
    assert pool.status["roles"] == ["controller", "broker"]
    assert pool.status["clusterId"] == lab.seen("Kafka", TARGET.cluster).status["clusterId"]
    assert pool.status["observedGeneration"] == pool.generation


@pytest.mark.kafka
def test_rules_7_11_12_13_listeners_vanish_while_not_ready_and_changed_settings_roll_the_brokers(lab: Stage) -> None:
    _, body = kafka(TARGET, brokers=1, config=small_machine_config())
    spec = body["spec"]
    assert isinstance(spec, dict)
    config = spec["kafka"]["config"]
    before = lab.bench.machine.pid("kafka-prod-0")
    failed = lab.apply(in_kafka(body, config={**config, "default.replication.factor": 9}))
    assert told(failed) == [("NotReady", "True", "InvalidResourceException")]
    assert "listeners" not in failed.status
    assert "clusterId" in failed.status
    assert lab.bench.machine.pid("kafka-prod-0") == before
    fewer = {name: value for name, value in config.items() if name != "min.insync.replicas"}
    changed = lab.apply(in_kafka(body, config={**fewer, "log.retention.hours": 3, "sasl.enabled.mechanisms": "PLAIN"}))
    assert told(changed) == READY
    assert lab.bench.machine.pid("kafka-prod-0") != before
    properties = (lab.bench.folder / "operator" / "kafka" / "prod" / "node-0.properties").read_text().splitlines()
    assert "log.retention.hours=3" in properties
    assert "min.insync.replicas=1" in properties
    assert not [line for line in properties if line.startswith("sasl.enabled.mechanisms")]
    assert "Kafka: setting sasl.enabled.mechanisms is forbidden and ignored" in lab.notes.texts
    restored = lab.apply(body)
    assert told(restored) == READY
    assert restored.status["listeners"] == changed.status["listeners"]


@pytest.mark.kafka
def test_rule_13_a_broker_that_was_killed_is_started_again(lab: Stage) -> None:
    before = lab.bench.machine.pid("kafka-prod-0")
    lab.bench.machine.signal("kafka-prod-0", signal.SIGKILL)
    lab.until("the broker to come back", lambda: lab.bench.machine.pid("kafka-prod-0") not in (None, before))
    lab.until("the broker to answer", lambda: lab.admin.topics([]) == {} and lab.admin.acls() is not None)


def test_rule_12_missing_copies_are_told_beside_ready() -> None:
    pool, cluster = kafka(TARGET, brokers=3)
    held = Resource(key=Key("KafkaNodePool", "kafka", "dual"), body=pool, generation=1, version="1")
    bare_config = in_kafka(cluster, config={})["spec"]
    assert isinstance(bare_config, dict)
    told_reasons = [condition.reason for condition in refuse_or_warn(bare_config, [held])]
    assert told_reasons == ["KafkaDefaultReplicationFactor", "KafkaMinInsyncReplicas"]
