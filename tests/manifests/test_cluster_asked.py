"""The cluster that a plan asks for: its place, disks, pools, and what the Kafka says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmigrate.manifests.bridge import kafka_bridge
from kmigrate.manifests.cluster import cluster
from kmigrate.manifests.internal import internal_topics
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.manifests.lanes import FORWARD, REVERSE, reverse_of
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.pools import brokers_by_zone
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.sizes import broker_sizes, fetch_sizes, largest_message, request_sizes
from kmigrate.manifests.topics import kafka_topic
from kmigrate.manifests.users import principal_of, rights_asked, user
from kmigrate.model import (
    Authority,
    Bridge,
    ClusterSpec,
    Json,
    JsonObject,
    Lane,
    Listener,
    Resources,
    SecretRef,
    Storage,
    Target,
    Topic,
)

SPEC = ClusterSpec(
    brokers=4,
    zones=("eu-1a", "eu-1b", "eu-1c"),
    storage=Storage(size="500Gi", storage_class="fast", volumes=2),
    listener=Listener(name="scram"),
    resources=Resources(cpu="2", memory="16Gi", heap="4g"),
    cruise_control=True,
    maintenance=("* * 1-4 ? * SUN *",),
    authority=Authority(validity_days=30, renewal_days=3),
    quotas={"type": "kafka", "producerByteRate": 5},
)
TARGET = Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram", spec=SPEC)
LAB = Target(platform="lab", store="s", namespace="kafka", cluster="prod", listener="scram")
LANE = Lane(name="lane-1", direction="forward", source_alias="source-1", target_alias="target", topics=("a",))
ENDPOINT = Endpoint(bootstrap="b:1", mechanism="plain", username="u", password=("s", "password"))


def made(spec: ClusterSpec = SPEC, largest: int = 0) -> dict[str, JsonObject]:
    """By kind and name."""
    return {f"{body['kind']} {at(body, 'metadata', 'name')}": body for body in cluster(TARGET, spec, largest=largest)}


def at(value: Json, *path: str | int) -> Json:
    for part in path:
        assert isinstance(value, Mapping | list | tuple)
        value = value[part]  # type: ignore[call-overload, index]
    return value


def test_the_pools_come_before_the_kafka_and_all_are_marked_as_ours() -> None:
    names = list(made())
    assert names == [
        "KafkaNodePool controllers",
        "KafkaNodePool brokers-eu-1a",
        "KafkaNodePool brokers-eu-1b",
        "KafkaNodePool brokers-eu-1c",
        "Kafka prod",
    ]
    assert {at(body, "metadata", "labels", "app.kubernetes.io/managed-by") for body in made().values()} == {"kmigrate"}


def test_a_place_and_a_storage_class_are_made_only_when_asked() -> None:
    storage = Storage(size="1Gi", storage_class="fast", create=True, iops=4_000, throughput=250)
    names = made(replace(SPEC, namespace=True, storage=storage))
    assert list(names)[:2] == ["Namespace kafka", "StorageClass fast"]
    made_class = names["StorageClass fast"]
    assert at(made_class, "parameters") == {"type": "gp3", "encrypted": "true", "iops": "4000", "throughput": "250"}
    told = {key: made_class[key] for key in ("volumeBindingMode", "reclaimPolicy", "allowVolumeExpansion")}
    assert told == {
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
        "allowVolumeExpansion": True,
    }
    assert "namespace" not in at(made_class, "metadata")


@pytest.mark.parametrize(
    ("name", "ids", "replicas"),
    [("controllers", "[0-99]", 3), ("brokers-eu-1a", "[100-199]", 2), ("brokers-eu-1c", "[300-399]", 1)],
)
def test_every_pool_has_numbers_of_its_own(name: str, ids: str, replicas: int) -> None:
    pool = made()[f"KafkaNodePool {name}"]
    assert at(pool, "metadata", "annotations") == {"strimzi.io/next-node-ids": ids}
    assert at(pool, "metadata", "labels", "strimzi.io/cluster") == "prod"
    assert at(pool, "spec", "replicas") == replicas


@given(st.integers(1, 99), st.integers(0, 7))
def test_brokers_are_spread_evenly_and_their_numbers_tell_the_zone(brokers: int, zones: int) -> None:
    asked = replace(SPEC, brokers=brokers, zones=tuple(f"z{number}" for number in range(zones)))
    groups = list(brokers_by_zone(asked).values())
    numbers = [number for ids in groups for number in ids]
    assert len(numbers) == len(set(numbers)) == brokers
    assert max(map(len, groups)) - min(map(len, groups)) <= 1
    assert all(number // 100 == zone for zone, ids in enumerate(groups, 1) for number in ids)


def test_brokers_stay_in_their_zone_and_controllers_are_spread_over_all() -> None:
    pod = at(made()["KafkaNodePool brokers-eu-1b"], "spec", "template", "pod")
    (term,) = at(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    assert at(term, "matchExpressions", 0) == {
        "key": "topology.kubernetes.io/zone",
        "operator": "In",
        "values": ["eu-1b"],
    }
    spread = at(made()["KafkaNodePool controllers"], "spec", "template", "pod", "topologySpreadConstraints", 0)
    assert (at(spread, "topologyKey"), at(spread, "whenUnsatisfiable")) == (
        "topology.kubernetes.io/zone",
        "DoNotSchedule",
    )
    nowhere = replace(SPEC, zones=())
    assert list(made(nowhere)) == ["KafkaNodePool controllers", "KafkaNodePool brokers", "Kafka prod"]
    assert "affinity" not in at(made(nowhere)["KafkaNodePool brokers"], "spec", "template", "pod")
    assert "rack" not in at(made(nowhere)["Kafka prod"], "spec", "kafka")


def test_disks_outlive_their_claim_and_the_first_holds_what_the_quorum_writes() -> None:
    volumes = at(made()["KafkaNodePool brokers-eu-1a"], "spec", "storage", "volumes")
    disk = {"type": "persistent-claim", "size": "500Gi", "class": "fast", "deleteClaim": False}
    assert volumes == [{"id": 0, "kraftMetadata": "shared", **disk}, {"id": 1, **disk}]
    (own,) = at(made()["KafkaNodePool controllers"], "spec", "storage", "volumes")
    assert (at(own, "size"), at(own, "class")) == ("20Gi", "fast")
    default = made(replace(SPEC, storage=Storage(size="1Gi")))["KafkaNodePool brokers-eu-1a"]
    assert "class" not in at(default, "spec", "storage", "volumes", 0)


def test_memory_is_a_limit_and_processors_are_not() -> None:
    spec = at(made()["KafkaNodePool brokers-eu-1a"], "spec")
    assert at(spec, "resources") == {"requests": {"cpu": "2", "memory": "16Gi"}, "limits": {"memory": "16Gi"}}
    assert at(spec, "jvmOptions") == {"-Xms": "4g", "-Xmx": "4g"}
    plain = made(replace(SPEC, resources=Resources()))["KafkaNodePool brokers-eu-1a"]
    assert {"resources", "jvmOptions"}.isdisjoint(at(plain, "spec"))


def test_what_the_kafka_says() -> None:
    spec = at(made()["Kafka prod"], "spec")
    assert at(spec, "kafka", "rack") == {"type": "topology-label", "topologyKey": "topology.kubernetes.io/zone"}
    assert at(spec, "kafka", "authorization") == {"type": "simple"}
    assert at(spec, "kafka", "quotas") == {"type": "kafka", "producerByteRate": 5}
    assert at(spec, "clusterCa") == at(spec, "clientsCa")
    assert at(spec, "clusterCa", "validityDays") == 30
    assert at(spec, "maintenanceTimeWindows") == ["* * 1-4 ? * SUN *"]
    assert {"entityOperator", "cruiseControl", "kafkaExporter"} <= set(spec)
    least = at(
        made(replace(SPEC, cruise_control=False, exporter=False, maintenance=(), quotas={}))["Kafka prod"], "spec"
    )
    assert {"cruiseControl", "kafkaExporter", "maintenanceTimeWindows"}.isdisjoint(least)


def test_what_the_plan_sets_is_laid_over_the_defaults() -> None:
    config = at(made(replace(SPEC, config={"min.insync.replicas": 1, "num.io.threads": 9}))["Kafka prod"], "spec")
    settings = at(config, "kafka", "config")
    assert (at(settings, "min.insync.replicas"), at(settings, "num.io.threads")) == (1, 9)
    assert at(settings, "auto.create.topics.enable") is False


# ---- sizes ----


def test_the_largest_message_of_the_source_passes_in_every_place() -> None:
    topics = [
        Topic(name="a", partitions=1, config={"max.message.bytes": "2000000"}),
        Topic(name="b", partitions=1, accepts={"max.message.bytes": "8388608"}),
        Topic(name="c", partitions=1),
    ]
    assert largest_message(topics, {}) == 8_388_608
    assert largest_message(topics, {"c": {"max.message.bytes": "9000000"}}) == 9_000_000
    assert largest_message([], {}) == 0
    config = at(made(largest=8_388_608)["Kafka prod"], "spec", "kafka", "config")
    assert (at(config, "message.max.bytes"), at(config, "replica.fetch.max.bytes")) == (8_388_608, 8_388_608)
    body = mirror_maker(FORWARD, [LANE], TARGET, reads_from=ENDPOINT, writes_to=ENDPOINT, largest=8_388_608)
    lane = at(body, "spec", "mirrors", 0, "sourceConnector", "config")
    back = reverse_lane(REVERSE, reverse_of(LANE), TARGET, reads_from=ENDPOINT, writes_to=ENDPOINT, largest=8_388_608)
    for settings in (lane, at(back, "spec", "config")):
        assert at(settings, "producer.override.max.request.size") == "33554432"
        assert at(settings, "producer.override.buffer.memory") == "67108864"
        assert at(settings, "consumer.max.partition.fetch.bytes") == "8388608"


@given(st.integers(0, 1 << 30))
def test_no_size_is_below_kafkas_own_or_below_the_largest_message_unless_no_broker_takes_it(largest: int) -> None:
    brokers, fetches, sent = broker_sizes(largest), fetch_sizes(largest), request_sizes(largest)
    assert brokers["message.max.bytes"] == max(1_048_588, largest)
    assert all(int(size) >= largest for size in fetches.values())
    request = int(sent["producer.override.max.request.size"])
    assert request >= min(largest, 104_857_600)
    assert request < int(sent.get("producer.override.buffer.memory", "33554432"))


# ---- around it ----


def test_a_topic_is_not_taken_away_because_git_does_not_have_it() -> None:
    kept = at(kafka_topic("a", 1, {}, TARGET, replicas=1), "metadata", "annotations")
    assert kept == {"argocd.argoproj.io/sync-options": "Prune=false"}
    assert "annotations" not in at(kafka_topic("a", 1, {}, LAB, replicas=1), "metadata")


def test_a_user_signs_in_with_a_password_a_given_one_or_a_certificate() -> None:
    given_one = SecretRef(namespace="kafka", name="own", key="pass")
    signs_in = [
        at(user("a", [], TARGET, **how), "spec", "authentication")  # type: ignore[arg-type]
        for how in ({}, {"password": given_one}, {"auth": "tls"})
    ]
    assert signs_in == [
        {"type": "scram-sha-512"},
        {"type": "scram-sha-512", "password": {"valueFrom": {"secretKeyRef": {"name": "own", "key": "pass"}}}},
        {"type": "tls"},
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [("scram-sha-512", "User:a"), ("tls", "User:CN=a"), ("tls-external", "User:CN=a")]
)
def test_who_signs_in_with_a_certificate_is_called_after_its_subject(kind: str, name: str) -> None:
    acl = {"type": "allow", "resource": {"type": "topic", "name": "t"}, "operations": ["Read"], "host": "10.0.0.1"}
    spec = {"authentication": {"type": kind}, "authorization": {"type": "simple", "acls": [acl]}}
    assert principal_of("a", spec) == name
    assert {(right.principal, right.host) for right in rights_asked("a", spec)} == {(name, "10.0.0.1")}


def test_a_bridge_signs_in_inside_as_a_user_of_the_plan() -> None:
    spec = at(kafka_bridge(TARGET, Bridge(user="web", replicas=2, port=8081)), "spec")
    assert at(spec, "bootstrapServers") == "prod-kafka-bootstrap.kafka.svc:9094"
    assert at(spec, "authentication", "username") == "web"
    assert (at(spec, "replicas"), at(spec, "http")) == (2, {"port": 8081})


# ---- a lab's resources ----


def test_a_labs_resources_are_byte_for_byte_what_they_were() -> None:
    """What is stored already would change otherwise, and with it every lab that lives."""
    rendered = (
        *kafka(LAB, brokers=1, config=small_machine_config()),
        *internal_topics(FORWARD, [LANE], LAB, brokers=1),
        user("app", [], LAB),
        mirror_maker(FORWARD, [LANE], LAB, reads_from=ENDPOINT, writes_to=ENDPOINT),
        reverse_connect(REVERSE, LAB, reads_from=ENDPOINT, writes_to=ENDPOINT),
        reverse_lane(REVERSE, reverse_of(LANE), LAB, reads_from=ENDPOINT, writes_to=ENDPOINT),
    )
    told = json.dumps(rendered)
    assert (
        hashlib.sha256(told.encode()).hexdigest() == "41b9e8a28f325c0bd7a3d9a716a17e8b15b8fc1487ad9d67c118d070e2a4c9ac"
    )
