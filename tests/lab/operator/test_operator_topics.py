"""Rules 15 to 21, and 1 to 5 as they show in topics."""

from __future__ import annotations

import pytest
from operator_stage import INTERVAL_MS, READY, TARGET, Stage, annotated, conditions, told

from kmigrate.lab.operator.admin import NewTopicWish
from kmigrate.manifests.topics import carried_topic, kafka_topic
from kmigrate.model import JsonObject, Topic
from kmigrate.world import Key

pytestmark = pytest.mark.kafka


def topic(name: str, partitions: int = 2, **config: str) -> JsonObject:
    settings = {key.replace("_", "."): value for key, value in config.items()}
    return kafka_topic(name, partitions, settings, TARGET, replicas=1)


def with_spec(body: JsonObject, **changes: object) -> JsonObject:
    spec = body["spec"]
    assert isinstance(spec, dict)
    return {**body, "spec": {name: value for name, value in {**spec, **changes}.items() if value is not None}}


def named(body: JsonObject, name: str) -> JsonObject:
    return {**body, "metadata": {"name": name, "namespace": "kafka", "labels": {"strimzi.io/cluster": "prod"}}}


def test_rule_15_a_topic_is_made_as_asked_and_status_names_it(lab: Stage) -> None:
    carried = carried_topic(Topic(name="Rule_15", partitions=3, config={"retention.ms": "60000"}), TARGET, brokers=1)
    seen = lab.apply(carried.body)
    view = lab.admin.topics(["Rule_15"])["Rule_15"]
    assert told(seen) == READY
    assert seen.status["topicName"] == "Rule_15"
    assert seen.status["topicId"] == view.id
    assert view.replicas == (1, 1, 1)
    assert view.config["retention.ms"] == "-1"
    assert view.config["message.timestamp.type"] == "CreateTime"
    assert carried.held == {"retention.ms": "60000"}


def test_rule_15_absent_counts_are_the_brokers_defaults(lab: Stage) -> None:
    lab.apply(with_spec(topic("rule-15-defaults"), partitions=None, replicas=None))
    assert len(lab.admin.topics(["rule-15-defaults"])["rule-15-defaults"].replicas) == 6


def test_rule_15_a_hundred_topics_are_made_in_one_batch(lab: Stage) -> None:
    made = [lab.store.apply(topic(f"rule-15-many-{number}", 1)) for number in range(100)]
    assert all(told(lab.settled(one)) == READY for one in made)
    assert len(lab.admin.topics(one.key.name for one in made)) == 100


def test_rule_16_what_kafka_refuses_is_ready_false(lab: Stage) -> None:
    seen = lab.apply(topic("rule-16", cleanup_policy="nonsense"))
    assert told(seen) == [("Ready", "False", "KafkaError")]
    assert "cleanup.policy" in str(conditions(seen)[0]["message"])
    assert seen.status["observedGeneration"] == seen.generation
    assert told(lab.apply(topic("rule-16", cleanup_policy="compact"))) == READY


def test_rule_17_fewer_partitions_are_not_supported_and_change_nothing(lab: Stage) -> None:
    lab.apply(topic("rule-17", 3))
    seen = lab.apply(topic("rule-17", 2))
    assert told(seen) == [("Ready", "False", "NotSupported")]
    assert conditions(seen)[0]["message"] == "Decreasing partitions not supported"
    assert len(lab.admin.topics(["rule-17"])["rule-17"].replicas) == 3


def test_rule_17_another_replication_factor_is_not_supported(lab: Stage) -> None:
    lab.apply(topic("rule-17-copies"))
    seen = lab.apply(with_spec(topic("rule-17-copies"), replicas=2))
    assert told(seen) == [("Ready", "False", "NotSupported")]


def test_rule_17_another_topic_name_is_not_supported(lab: Stage) -> None:
    lab.apply(topic("rule-17-name"))
    seen = lab.apply(with_spec(topic("rule-17-name"), topicName="rule-17-other"))
    assert told(seen) == [("Ready", "False", "NotSupported")]
    assert seen.status["topicName"] == "rule-17-name"
    assert lab.admin.topics(["rule-17-other"]) == {}


def test_rule_18_partitions_grow_and_settings_are_set_changed_and_removed(lab: Stage) -> None:
    lab.apply(topic("rule-18", 1, retention_ms="1000", segment_ms="9000"))
    seen = lab.apply(topic("rule-18", 4, retention_ms="2000", max_message_bytes="5000"))
    assert told(seen) == READY

    def grown() -> bool:
        return len(lab.admin.topics(["rule-18"])["rule-18"].replicas) == 4

    lab.until("four partitions", grown)
    assert lab.admin.topics(["rule-18"])["rule-18"].config == {"retention.ms": "2000", "max.message.bytes": "5000"}


def test_rule_19_a_setting_changed_by_hand_comes_back_at_the_interval(lab: Stage) -> None:
    lab.apply(topic("rule-19", 1, retention_ms="1000"))
    assert lab.admin.alter_config("rule-19", {"retention.ms": "5", "segment.ms": "77777"}, []) == ""
    lab.until(
        "the settings to come back", lambda: lab.admin.topics(["rule-19"])["rule-19"].config == {"retention.ms": "1000"}
    )


def test_rule_20_the_younger_of_two_resources_for_one_topic_is_a_conflict(lab: Stage) -> None:
    first = lab.apply(topic("rule-20"))
    second = lab.apply(named(topic("rule-20", 5), "a-rule-20"))
    assert told(second) == [("Ready", "False", "ResourceConflict")]
    assert told(lab.seen("KafkaTopic", first.key.name)) == READY
    assert len(lab.admin.topics(["rule-20"])["rule-20"].replicas) == 2
    lab.store.delete(second.key)
    lab.apply(topic("rule-20-after"))
    assert "rule-20" in lab.admin.topics(["rule-20"])


def test_rule_21_a_resource_that_goes_takes_its_topic_along(lab: Stage) -> None:
    made = lab.apply(topic("rule-21"))
    lab.store.delete(made.key)
    lab.until("the topic to go", lambda: lab.admin.topics(["rule-21"]) == {})


def test_rule_21_a_detached_topic_stays_when_its_resource_goes(lab: Stage) -> None:
    made = lab.apply(topic("rule-21-kept"))
    lab.store.apply(annotated(made, managed="false"))
    lab.until("the topic to be detached", lambda: told(lab.seen("KafkaTopic", made.key.name))[0][0] == "Unmanaged")
    lab.store.delete(made.key)
    lab.apply(topic("rule-21-after"))
    assert "rule-21-kept" in lab.admin.topics(["rule-21-kept"])


def test_rule_2_an_unchanged_topic_is_not_written_again_at_the_interval(lab: Stage) -> None:
    first = lab.apply(topic("rule-2"))
    lab.admin.alter_config("rule-2", {"retention.ms": "5"}, [])
    lab.until("an interval to pass", lambda: lab.admin.topics(["rule-2"])["rule-2"].config == {})
    assert lab.seen("KafkaTopic", "rule-2").version == first.version


def test_rule_3_a_paused_topic_is_left_as_it_is(lab: Stage) -> None:
    made = lab.apply(topic("rule-3", 1))
    lab.store.apply(annotated(made, pause_reconciliation="true"))
    lab.until("the pause to be told", lambda: told(lab.seen("KafkaTopic", "rule-3"))[0][0] == "ReconciliationPaused")
    lab.store.apply(topic("rule-3", 2))
    lab.apply(topic("rule-3-after"))
    paused = lab.seen("KafkaTopic", "rule-3")
    assert paused.status["observedGeneration"] == 1
    assert paused.generation == 2
    assert len(lab.admin.topics(["rule-3"])["rule-3"].replicas) == 1
    resumed = lab.settled(lab.store.apply(annotated(paused, pause_reconciliation=None)))
    assert told(resumed) == READY


def test_rule_4_a_change_is_reconciled_at_once_and_drift_only_at_the_interval(lab: Stage) -> None:
    lab.apply(topic("rule-4-drift", 1))
    lab.operator.set_interval(600_000)
    lab.apply(topic("rule-4-before", 1))
    try:
        lab.admin.alter_config("rule-4-drift", {"retention.ms": "5"}, [])
        assert told(lab.apply(topic("rule-4", 1))) == READY
        assert lab.admin.topics(["rule-4-drift"])["rule-4-drift"].config == {"retention.ms": "5"}
    finally:
        lab.operator.set_interval(INTERVAL_MS)
    lab.until("the drift to be reverted", lambda: lab.admin.topics(["rule-4-drift"])["rule-4-drift"].config == {})


def test_rule_5_a_topic_of_no_kafka_is_ignored(lab: Stage) -> None:
    body = topic("rule-5")
    stray = lab.store.apply({**body, "metadata": {"name": "rule-5", "namespace": "kafka", "labels": {}}})
    other = lab.store.apply(
        {**body, "metadata": {"name": "rule-5-b", "namespace": "kafka", "labels": {"strimzi.io/cluster": "nobody"}}}
    )
    lab.apply(topic("rule-5-after"))
    for ignored in (stray, other):
        seen = lab.store.get(Key("KafkaTopic", "kafka", ignored.key.name))
        assert seen is not None
        assert seen.status == {}
    assert lab.admin.topics(["rule-5"]) == {}


def test_a_foreign_topic_is_left_alone(lab: Stage) -> None:
    wish = NewTopicWish(name="made-by-hand", partitions=1, replicas=1, config={})
    assert lab.admin.create_topics([wish]) == {"made-by-hand": ""}
    lab.apply(topic("after-a-foreign-one"))
    assert "made-by-hand" in lab.admin.topics(["made-by-hand"])
