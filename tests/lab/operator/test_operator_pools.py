"""Rules 50 to 52: pools of nodes, their numbers, and listeners that nothing gives an address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from operator_stage import FOREVER_MS, READY, TARGET, Stage, conditions, running, told

from kmigrate.lab.operator.kafka_spec import node_ids
from kmigrate.manifests.cluster import cluster
from kmigrate.manifests.kafka import small_machine_config
from kmigrate.model import ClusterSpec, Json, JsonObject, Listener, Storage
from kmigrate.probes.waited import where_to_look
from kmigrate.world import Key, Resource

LARGEST = 1_048_576
ZONES = ClusterSpec(
    brokers=2,
    controllers=1,
    zones=("a", "b"),
    storage=Storage(size="1Gi"),
    listener=Listener(name="scram", kind="internal", port=9094),
    config={**small_machine_config(), "default.replication.factor": 2, "min.insync.replicas": 1},
)


def pool(name: str, replicas: int, asked: str = "", has: tuple[int, ...] = ()) -> Resource:
    annotations: dict[str, Json] = {"strimzi.io/next-node-ids": asked} if asked else {}
    body: JsonObject = {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"replicas": replicas},
        "status": {"nodeIds": list(has)},
    }
    return Resource(key=Key("KafkaNodePool", "kafka", name), body=body, generation=1, version="1")


@pytest.mark.parametrize(
    ("pools", "numbers"),
    [
        ([pool("a", 2), pool("b", 2)], {"a": (0, 1), "b": (2, 3)}),
        (
            [pool("a", 2, "[100-199]"), pool("b", 1, "[200-299]"), pool("c", 1)],
            {"a": (100, 101), "b": (200,), "c": (0,)},
        ),
        ([pool("a", 3, "[7, 3-4]")], {"a": (7, 3, 4)}),
        ([pool("a", 3, "[5]"), pool("b", 1, "[5]")], {"a": (5, 0, 1), "b": (2,)}),
        ([pool("a", 2, "[100-199]", has=(4,)), pool("b", 1, has=(100,))], {"a": (4, 101), "b": (100,)}),
        ([pool("a", 1, has=(4, 9))], {"a": (4,)}),
        ([pool("a", 0)], {"a": ()}),
    ],
)
def test_rule_50_numbers_are_kept_then_taken_from_the_annotation_then_from_0(
    pools: list[Resource], numbers: dict[str, tuple[int, ...]]
) -> None:
    assert node_ids(pools) == numbers


def test_rule_52_a_load_balancer_that_gets_no_address_is_told_with_its_service(bare: Stage) -> None:
    balanced = replace(ZONES, listener=Listener(name="lb", kind="loadbalancer", port=9095, domain="kafka.example.org"))
    for body in cluster(TARGET, balanced, largest=LARGEST):
        bare.store.apply(body)
    bare.operator.tick()
    seen = bare.seen("Kafka", TARGET.cluster)
    assert told(seen) == [("NotReady", "True", "TimeoutException")]
    assert "listeners" not in seen.status
    assert "describe service prod-kafka-lb-bootstrap" in where_to_look(str(conditions(seen)[0]["message"]))
    assert bare.bench.machine.names() == ()


@pytest.fixture
def zones(stand_in: None, tmp_path: Path, definitions: tuple[JsonObject, ...]) -> Iterator[Stage]:
    """A controller and two brokers in pools of their own, as a plan for two zones asks for them."""
    with running(tmp_path, definitions, cluster(TARGET, ZONES, largest=LARGEST), FOREVER_MS) as made:
        yield made


@pytest.mark.kafka
def test_rule_51_controllers_and_brokers_of_each_zone_are_nodes_of_their_own(zones: Stage) -> None:
    seen = zones.seen("Kafka", TARGET.cluster)
    assert told(seen)[0] == READY[0]
    pools = {resource.key.name: resource.status for resource in zones.store.list("KafkaNodePool", TARGET.namespace)}
    assert {name: (status["nodeIds"], status["roles"]) for name, status in pools.items()} == {
        "controllers": ([0], ["controller"]),
        "brokers-a": ([100], ["broker"]),
        "brokers-b": ([200], ["broker"]),
    }
    assert sorted(zones.bench.machine.names()) == ["kafka-prod-0", "kafka-prod-100", "kafka-prod-200"]
    (listener,) = seen.status["listeners"] if isinstance(seen.status["listeners"], list) else ()
    assert len(listener["addresses"]) == 2
