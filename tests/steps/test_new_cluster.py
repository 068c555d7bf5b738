"""A Strimzi cluster that the plan asks for: made, edited, taken back, against the world in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kmigrate.adapters.memory import MemoryEstate, MemoryFacts, MemoryWorld
from kmigrate.errors import Blocked
from kmigrate.manifests.refusals import RULES
from kmigrate.model import Bridge, Json, Listener, Migration, Side, Topic
from kmigrate.plan import Unit
from kmigrate.planfile import load
from kmigrate.steps.bridge import StartBridge
from kmigrate.steps.clusters import FindCluster, brokers
from kmigrate.steps.foresee import ForeseeRefusals
from kmigrate.steps.provision import CreateUsers
from kmigrate.story import story
from kmigrate.world import Key

PLAN = load(Path(__file__).parents[2] / "plans" / "strimzi.yaml")
KAFKA = Key("Kafka", "kafka", "prod")
INSIDE: Mapping[str, Json] = {"name": "any", "port": 9094, "type": "internal", "tls": True}
LARGE = Topic(name="shipments", partitions=2, accepts={"max.message.bytes": "8388608"})


def small(plan: Migration = PLAN) -> MemoryWorld:
    estate = MemoryEstate(plan)
    estate.clusters[Side.SOURCE].create(LARGE)
    return MemoryWorld(estate, MemoryFacts())


def edited(**changes: object) -> Migration:
    spec = PLAN.target.spec
    assert spec is not None
    return replace(PLAN, target=replace(PLAN.target, spec=replace(spec, **changes)))  # type: ignore[arg-type]


def at(value: Json, *path: str) -> Json:
    for part in path:
        assert isinstance(value, Mapping)
        value = value[part]
    return value


def setting(world: MemoryWorld, name: str) -> Json:
    found = world.resources.get(KAFKA)
    assert found is not None
    return at(found.spec, "kafka", "config", name)


def made(world: MemoryWorld, plan: Migration = PLAN) -> FindCluster:
    step = FindCluster(migration=plan)
    step.apply(world)
    step.verify(world)
    return step


def test_everything_that_is_made_is_told_beforehand() -> None:
    told = [str(change) for change in FindCluster(migration=PLAN).check(small()).changes]
    assert [each.partition(" (")[0] for each in told] == [
        "create StorageClass kafka-gp3",
        "create KafkaNodePool kafka/controllers",
        "create KafkaNodePool kafka/brokers-eu-central-1a",
        "create KafkaNodePool kafka/brokers-eu-central-1b",
        "create KafkaNodePool kafka/brokers-eu-central-1c",
        "create Kafka kafka/prod",
    ]
    assert "A NEW CLUSTER" in told[-1]


def test_it_takes_the_largest_message_of_the_source_and_is_satisfied_then() -> None:
    world = small()
    step = made(world)
    assert (setting(world, "message.max.bytes"), setting(world, "replica.fetch.max.bytes")) == (8_388_608, 8_388_608)
    assert step.check(world).changes == ()
    assert brokers(world, PLAN) == 3


def test_what_is_edited_in_the_plan_is_a_change_of_what_kmigrate_made() -> None:
    world = small()
    made(world)
    more = edited(brokers=6, config={"num.io.threads": 9})
    told = [str(change) for change in FindCluster(migration=more).check(world).changes]
    assert [each for each in told if "Pool" in each] == [
        f"change KafkaNodePool kafka/brokers-eu-central-1{zone} (replicas 1 → 2)" for zone in "abc"
    ]
    assert "kafka.config.num.io.threads null → 9" in told[-1]
    made(world, more)
    assert brokers(world, more) == 6


def test_a_storage_class_of_another_kind_is_told_by_its_field() -> None:
    world = small()
    step = made(world)
    found = world.resources.get(Key("StorageClass", "", "kafka-gp3"))
    assert found is not None
    world.resources.apply({**found.body, "reclaimPolicy": "Delete"})
    (change,) = step.check(world).changes
    assert str(change) == 'change StorageClass kafka-gp3 (reclaimPolicy "Delete" → "Retain")'


def test_what_somebody_edited_by_hand_is_that_one_field() -> None:
    world = small()
    step = made(world)
    found = world.resources.get(KAFKA)
    assert found is not None
    world.resources.apply({**found.body, "spec": {**found.spec, "kafkaExporter": {"topicRegex": "a.*"}}})
    world.estate.operator.work()
    (change,) = step.check(world).changes
    assert change.detail == 'kafkaExporter.groupRegex null → ".*"; kafkaExporter.topicRegex "a.*" → ".*"'


def test_somebody_elses_cluster_is_taken_as_it_is() -> None:
    world = small()
    made(world)
    found = world.resources.get(KAFKA)
    assert found is not None
    labels = {"app.kubernetes.io/managed-by": "somebody"}
    theirs = {**found.body, "metadata": {"name": "prod", "namespace": "kafka", "labels": labels}}
    way_in = {**INSIDE, "authentication": {"type": "scram-sha-512"}}
    for listeners in ([way_in], [{**way_in, "name": "first", "port": 9095}, way_in]):
        world.resources.apply({**theirs, "spec": {"kafka": {"listeners": listeners}}})
        world.estate.operator.work()
        assert FindCluster(migration=PLAN).check(world).changes == ()


@pytest.mark.parametrize(
    "otherwise",
    [
        {"port": 9095},
        {"tls": False},
        {"type": "loadbalancer"},
        {"authentication": {"type": "tls"}},
        {"authentication": None},
    ],
)
def test_somebody_elses_cluster_that_lets_no_mirror_in_is_told(otherwise: Mapping[str, Json]) -> None:
    world = small()
    signs_in: Json = None if "name" in otherwise else {"type": "scram-sha-512"}
    listener = {**INSIDE, "authentication": signs_in, **otherwise}
    metadata: Json = {"name": "prod", "namespace": "kafka"}
    spec: Json = {"kafka": {"listeners": [listener]}}
    world.resources.apply({"apiVersion": "v1", "kind": "Kafka", "metadata": metadata, "spec": spec})
    world.estate.operator.work()
    with pytest.raises(Blocked, match="no listener inside Kubernetes on port 9094"):
        FindCluster(migration=PLAN).check(world)


def test_taken_back_the_namespace_stays_and_that_is_told_beforehand() -> None:
    plan = edited(namespace=True)
    world, step = small(plan), FindCluster(migration=plan)
    finding = step.check(world)
    assert str(finding.changes[0]) == "create Namespace kafka (stays when the cluster is taken back)"
    step.apply(world)
    step.undo(world, finding.before)
    assert {str(resource.key) for resource in world.resources.all()} == {"Namespace kafka"}


# ---- what the operator would refuse ----


def unfit() -> Migration:
    spec = PLAN.target.spec
    assert spec is not None
    return edited(
        kafka="3.9.0",
        listener=replace(spec.listener, port=9404),
        listeners=(Listener(name="scram", port=9094, auth="tls"),),
        config={"default.replication.factor": 5, "advertised.listeners": "x"},
        maintenance=("sundays",),
    )


def test_all_that_the_operator_would_refuse_is_told_before_anything_is_applied() -> None:
    world, step = small(unfit()), ForeseeRefusals(migration=unfit())
    for look in (step.check, step.verify):
        with pytest.raises(Blocked, match="the operator would refuse 7 of what is to be applied") as told:
            look(world)
        for text in (
            "Kafka kafka/prod spec.kafka.version: Strimzi 1.2 does not run Kafka 3.9.0",
            "spec.kafka.listeners[1].port: 9404 is that of metrics",
            "spec.kafka.listeners[2].name: scram stands twice",
            "spec.kafka.listeners[2].port: 9094 stands twice",
            "spec.kafka.config[default.replication.factor]: 5 copies and 3 brokers",
            "spec.kafka.config[advertised.listeners]: Strimzi sets it by itself",
            "spec.maintenanceTimeWindows[0]: 'sundays' is no time as Quartz writes it",
        ):
            assert text in told.value.message
        assert told.value.hint.startswith("nothing was applied")
    assert world.resources.all() == ()


def test_it_is_the_first_that_is_looked_at_and_only_of_a_cluster_that_is_asked_for() -> None:
    assert isinstance(_provision(PLAN).steps[0], ForeseeRefusals)
    assert _provision(replace(PLAN, target=replace(PLAN.target, spec=None))).steps[0].name == "find-cluster"


def test_a_plan_that_is_fit_is_looked_at_and_nothing_changes() -> None:
    world, step = small(), ForeseeRefusals(migration=PLAN)
    assert step.check(world).changes == ()
    assert step.verify(world) == {"rules": len(RULES)}
    assert world.resources.all() == ()


def test_of_somebody_elses_cluster_only_what_is_added_is_looked_at() -> None:
    world = small(unfit())
    body = {"apiVersion": "v1", "kind": "Kafka", "metadata": {"name": "prod", "namespace": "kafka"}, "spec": {}}
    world.resources.apply(body)
    world.estate.operator.work()
    assert ForeseeRefusals(migration=unfit()).check(world).changes == ()


def test_a_given_password_is_asked_for_in_the_user() -> None:
    world = small()
    made(world)
    CreateUsers(migration=PLAN).apply(world)
    user = world.resources.get(Key("KafkaUser", "kafka", "ml-features"))
    assert user is not None
    reference = at(user.spec, "authentication", "password", "valueFrom", "secretKeyRef")
    assert reference == {"name": "ml-features-kafka", "key": "password"}


def test_a_bridge_comes_after_the_users_only_when_asked() -> None:
    plan = edited(bridge=Bridge(user="ml-features"))
    names = [[step.name for step in each.steps] for each in (_provision(PLAN), _provision(plan))]
    assert [*names[0][:-1], "start-bridge", names[0][-1]] == names[1]
    world = small(plan)
    made(world, plan)
    step = StartBridge(migration=plan, bridge=Bridge(user="ml-features"))
    finding = step.check(world)
    assert [str(change) for change in finding.changes] == ["create KafkaBridge kafka/prod-bridge"]
    step.apply(world)
    step.verify(world)
    step.undo(world, finding.before)
    assert world.resources.get(Key("KafkaBridge", "kafka", "prod-bridge")) is None


def _provision(plan: Migration) -> Unit:
    unit = story(plan).phase("provision").unit
    assert unit is not None
    return unit
