"""What the operator would refuse is refused beforehand: one violation for each rule, and none in the whole grid."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from grid import GATEWAY, Cell, cell, grid

from kmigrate.manifests.refusals import RULES, Refusal, refusals

Tree = dict[str, Any]
Edit = Callable[[dict[str, Tree]], object]


def resources(each: Cell) -> dict[str, Tree]:
    """A copy of its resources that may be spoilt, by kind and name."""
    bodies = copy.deepcopy(each.resources)
    return {f"{body['kind']} {body['metadata']['name']}": body for body in bodies}  # type: ignore[index, call-overload]


def balanced() -> dict[str, Tree]:
    return resources(cell("loadbalancer", "scram-sha-512", "20 MiB", "one zone"))


def certified() -> dict[str, Tree]:
    return resources(cell("shared", "tls", "20 MiB", "three zones"))


def routed() -> dict[str, Tree]:
    return resources(cell("tlsroute", "tls", "8 MiB", "three zones"))


def listener(bodies: dict[str, Tree]) -> Tree:
    """The one of the grid's cell, after the one inside."""
    found: Tree = bodies["Kafka prod"]["spec"]["kafka"]["listeners"][1]
    return found


def setting(name: str, value: object) -> Edit:
    return lambda bodies: bodies["Kafka prod"]["spec"]["kafka"]["config"].update({name: value})


def listening(**changes: object) -> Edit:
    return lambda bodies: listener(bodies).update(changes)


def configured(**changes: object) -> Edit:
    return lambda bodies: listener(bodies)["configuration"].update(changes)


def whole(**changes: object) -> Edit:
    return lambda bodies: bodies["Kafka prod"]["spec"].update(changes)


def kafka(**changes: object) -> Edit:
    return lambda bodies: bodies["Kafka prod"]["spec"]["kafka"].update(changes)


def pool(**changes: object) -> Edit:
    return lambda bodies: bodies["KafkaNodePool brokers-eu-1a"]["spec"].update(changes)


def volumes(*listed: Tree) -> Edit:
    return pool(storage={"type": "jbod", "volumes": list(listed)})


def annotated(name: str, key: str, value: str) -> Edit:
    return lambda bodies: bodies[name]["metadata"].setdefault("annotations", {}).update({key: value})


def spec(name: str, **changes: object) -> Edit:
    return lambda bodies: bodies[name]["spec"].update(changes)


def ruled(acl: Tree) -> Edit:
    return spec("KafkaUser app", authorization={"type": "simple", "acls": [acl]})


def disk(**changes: object) -> Tree:
    return {"id": 0, "type": "persistent-claim", "size": "1Gi", **changes}


def forwards(edit: Callable[[Tree], object]) -> Edit:
    return lambda bodies: edit(bodies["KafkaMirrorMaker2 kmigrate-forward"]["spec"])


ACL = "spec.authorization.acls[0]"
COPIES, PERCENT = "default.replication.factor", {"requestPercentage": 5}
OFFSETS = "KafkaTopic kmigrate-forward-offsets"
NEXT = "strimzi.io/next-node-ids"
FORWARD, BACK = "KafkaMirrorMaker2 kmigrate-forward", "KafkaConnect kmigrate-reverse"
LANE_BACK = "KafkaConnector kmigrate-lane-1-reverse"
TOPIC = {"type": "topic", "name": "t"}
ANNOTATED = {"broker": 100, "annotations": {"x": "y"}}
Case = tuple[str, Callable[[], dict[str, Tree]], Edit, str]
MANY = [{"resource": TOPIC, "operations": ["Read"]}] * 30_000
CASES: tuple[Case, ...] = (
    (
        "resource-size",
        balanced,
        spec("KafkaUser app", authorization={"type": "simple", "acls": MANY}),
        "spec",
    ),
    ("listener-name", balanced, listening(name="load-balancer"), "spec.kafka.listeners[1].name"),
    ("listener-name-twice", balanced, listening(name="inside"), "spec.kafka.listeners[1].name"),
    ("listener-port-low", balanced, listening(port=9091), "spec.kafka.listeners[1].port"),
    ("listener-port-twice", balanced, listening(port=9094), "spec.kafka.listeners[1].port"),
    ("listener-port-taken", balanced, listening(port=9404), "spec.kafka.listeners[1].port"),
    ("listener-certificate-tls", certified, listening(tls=False), "spec.kafka.listeners[1].authentication.type"),
    ("listener-kind-tls", routed, listening(type="ingress", tls=False), "spec.kafka.listeners[1].tls"),
    (
        "listener-hosts",
        routed,
        listening(configuration={"parentRefs": [{}]}),
        "spec.kafka.listeners[1].configuration",
    ),
    (
        "listener-gateway",
        routed,
        lambda bodies: listener(bodies)["configuration"].pop("parentRefs"),
        "spec.kafka.listeners[1].configuration.parentRefs",
    ),
    ("listener-field", balanced, configured(hostTemplate="a"), "spec.kafka.listeners[1].configuration.hostTemplate"),
    (
        "listener-node-ports",
        balanced,
        lambda bodies: listener(bodies)["configuration"]["bootstrap"].pop("annotations"),
        "spec.kafka.listeners[1].configuration.allocateLoadBalancerNodePorts",
    ),
    (
        "listener-overrides",
        balanced,
        configured(brokers=[ANNOTATED], allocateLoadBalancerNodePorts=True),
        "spec.kafka.listeners[1].configuration.brokers[0].annotations",
    ),
    (
        "listener-placeholder",
        balanced,
        configured(advertisedHostTemplate="b{brokerId}.a.b"),
        "spec.kafka.listeners[1].configuration.advertisedHostTemplate",
    ),
    (
        "listener-advertised-port",
        certified,
        lambda bodies: listener(bodies)["configuration"].update(advertisedPortTemplate="65300 + {nodeId}"),
        "spec.kafka.listeners[1].configuration.advertisedPortTemplate",
    ),
    (
        "listener-advertised-host",
        certified,
        lambda bodies: listener(bodies)["configuration"].update(advertisedHostTemplate=""),
        "spec.kafka.listeners[1].configuration.advertisedHostTemplate",
    ),
    (
        "listener-node-port",
        balanced,
        configured(bootstrap={"nodePort": 80}, allocateLoadBalancerNodePorts=True),
        "spec.kafka.listeners[1].configuration.bootstrap.nodePort",
    ),
    ("kafka-version", balanced, kafka(version="3.9.0"), "spec.kafka.version"),
    ("kafka-config", balanced, setting("advertised.listeners", "x"), "spec.kafka.config[advertised.listeners]"),
    (
        "kafka-copies",
        balanced,
        setting(COPIES, 3),
        "spec.kafka.config[default.replication.factor]",
    ),
    ("kafka-cruise-control", balanced, pool(replicas=1), "spec.cruiseControl"),
    ("kafka-rack", balanced, kafka(rack={"type": "topology-label"}), "spec.kafka.rack.topologyKey"),
    (
        "kafka-quotas",
        balanced,
        kafka(quotas={"type": "strimzi", **PERCENT}),
        "spec.kafka.quotas.requestPercentage",
    ),
    ("kafka-authority", balanced, whole(clientsCa={"validityDays": 5, "renewalDays": 5}), "spec.clientsCa.renewalDays"),
    ("kafka-maintenance", balanced, whole(maintenanceTimeWindows=["0 1 * * *"]), "spec.maintenanceTimeWindows[0]"),
    ("kafka-roles", balanced, spec("KafkaNodePool controllers", replicas=0), "spec.kafka"),
    (
        "cluster-label",
        balanced,
        lambda bodies: bodies["KafkaUser app"]["metadata"]["labels"].update({"strimzi.io/cluster": "other"}),
        "metadata.labels[strimzi.io/cluster]",
    ),
    (
        "pool-roles",
        balanced,
        pool(roles=["broker", "x"]),
        "spec.roles",
    ),
    ("pool-volume-ids", balanced, volumes(disk(), disk()), "spec.storage.volumes[1].id"),
    ("pool-volume-size", balanced, volumes(disk(size="")), "spec.storage.volumes[0].size"),
    (
        "pool-quorum-volume",
        balanced,
        volumes(disk(kraftMetadata="shared"), disk(id=1, kraftMetadata="shared")),
        "spec.storage.volumes[1].kraftMetadata",
    ),
    ("pool-numbers", balanced, annotated("KafkaNodePool controllers", NEXT, "[150]"), f"metadata.annotations[{NEXT}]"),
    (
        "pool-name",
        balanced,
        lambda bodies: bodies["KafkaNodePool brokers-eu-1a"]["metadata"].update(name="b" * 60),
        "metadata.name",
    ),
    (
        "topic-twice",
        balanced,
        spec(OFFSETS, topicName="kmigrate-forward-status"),
        "spec.topicName",
    ),
    ("topic-name", balanced, spec(OFFSETS, topicName="a b"), "spec.topicName"),
    ("topic-copies", balanced, spec(OFFSETS, replicas=3), "spec.replicas"),
    ("user-name", certified, lambda bodies: bodies["KafkaUser app"]["metadata"].update(name="a" * 65), "metadata.name"),
    (
        "user-days",
        certified,
        spec("KafkaUser app", authentication={"type": "tls", "validityDays": 5}),
        "spec.authentication.validityDays",
    ),
    (
        "user-rules",
        balanced,
        ruled({"resource": {"type": "topic"}, "operations": ["Read"]}),
        "spec.authorization.acls[0].resource.name",
    ),
    (
        "user-authorization",
        balanced,
        kafka(authorization=None),
        "spec.authorization",
    ),
    (
        "workers-config",
        balanced,
        lambda bodies: bodies[BACK]["spec"]["config"].update({"rest.port": 1}),
        "spec.config[rest.port]",
    ),
    ("workers-version", balanced, spec(BACK, version="4.1.0"), "spec.version"),
    ("workers-alone", balanced, spec(BACK, groupId="kmigrate-forward"), "spec.groupId"),
    (
        "connect-mounts",
        balanced,
        lambda bodies: bodies[BACK]["spec"]["template"]["connectContainer"]["volumeMounts"][0].update(
            mountPath="/opt/x"
        ),
        "spec.template.connectContainer.volumeMounts[0].mountPath",
    ),
    (
        "connector-config",
        balanced,
        lambda bodies: bodies[LANE_BACK]["spec"]["config"].update({"tasks.max": "2"}),
        "spec.config[tasks.max]",
    ),
    (
        "connector-owner",
        balanced,
        lambda bodies: bodies[BACK]["metadata"].pop("annotations"),
        "metadata.labels[strimzi.io/cluster]",
    ),
    (
        "mirror-alias",
        balanced,
        forwards(lambda mirror: mirror["mirrors"].append(mirror["mirrors"][0])),
        "spec.mirrors[1].source.alias",
    ),
    (
        "mirror-alike",
        balanced,
        forwards(lambda mirror: mirror["mirrors"][0].update(checkpointConnector={"config": {}})),
        "spec.mirrors[0].checkpointConnector.config[offset-syncs.topic.location]",
    ),
    ("bridge-http", balanced, lambda bodies: bodies["KafkaBridge prod-bridge"]["spec"].pop("http"), "spec.http"),
)
MORE: tuple[Case, ...] = (
    ("listener-port-taken", balanced, listening(port=9999), "spec.kafka.listeners[1].port"),
    (
        "listener-node-ports",
        balanced,
        lambda bodies: listener(bodies)["configuration"].update(brokers=[ANNOTATED]),
        "spec.kafka.listeners[1].configuration.allocateLoadBalancerNodePorts",
    ),
    (
        "listener-hosts",
        routed,
        lambda bodies: listener(bodies)["configuration"].pop("hostTemplate"),
        "spec.kafka.listeners[1].configuration",
    ),
    ("kafka-config", balanced, setting("ssl.keystore.location", "x"), "spec.kafka.config[ssl.keystore.location]"),
    (
        "kafka-quotas",
        balanced,
        kafka(quotas={"type": "strimzi", "minAvailableBytesPerVolume": 1, "minAvailableRatioPerVolume": 0.1}),
        "spec.kafka.quotas.minAvailableRatioPerVolume",
    ),
    ("kafka-roles", balanced, pool(roles=["controller"]), "spec.kafka"),
    ("pool-roles", balanced, pool(roles=[]), "spec.roles"),
    ("pool-numbers", balanced, annotated("KafkaNodePool controllers", NEXT, "0-9"), f"metadata.annotations[{NEXT}]"),
    ("pool-numbers", balanced, annotated("KafkaNodePool controllers", NEXT, "[1]"), f"metadata.annotations[{NEXT}]"),
    ("pool-volume-ids", balanced, volumes({"type": "ephemeral"}), "spec.storage.volumes[0].id"),
    (
        "user-days",
        balanced,
        spec("KafkaUser app", authentication={"type": "scram-sha-512", "validityDays": 5, "renewalDays": 1}),
        "spec.authentication.validityDays",
    ),
    (
        "user-days",
        certified,
        spec("KafkaUser app", authentication={"type": "tls", "validityDays": 5, "renewalDays": 9}),
        "spec.authentication.renewalDays",
    ),
    ("user-rules", balanced, ruled({"resource": TOPIC, "operations": []}), "spec.authorization.acls[0].operations"),
    (
        "user-rules",
        balanced,
        ruled({"resource": TOPIC, "operations": ["Fly"]}),
        "spec.authorization.acls[0].operations",
    ),
    (
        "user-rules",
        balanced,
        ruled({"resource": {"type": "delegationToken", "name": "t"}, "operations": ["Read"]}),
        "spec.authorization.acls[0].resource.type",
    ),
    (
        "workers-alone",
        balanced,
        spec(BACK, statusStorageTopic="kmigrate-forward-offsets"),
        "spec.statusStorageTopic",
    ),
    (
        "connector-config",
        balanced,
        forwards(lambda mirror: mirror["mirrors"][0]["sourceConnector"]["config"].update(name="x")),
        "spec.mirrors[0].sourceConnector.config[name]",
    ),
    ("connector-owner", balanced, lambda bodies: bodies.pop(BACK), "metadata.labels[strimzi.io/cluster]"),
)


def spoilt(case: Case) -> tuple[Refusal, ...]:
    _, made, edit, _ = case
    bodies = made()
    assert refusals(bodies.values()) == ()
    edit(bodies)
    return refusals(bodies.values())


@pytest.mark.parametrize("case", [*CASES, *MORE], ids=lambda case: f"{case[0]} {case[3]}")
def test_a_violation_is_told_with_its_field_and_the_way_out(case: Case) -> None:
    rule, field = case[0], case[3]
    found = [each for each in spoilt(case) if (each.rule, each.field) == (rule, field)]
    assert found, spoilt(case)
    for each in found:
        assert each.what
        assert each.way_out
        assert str(each).startswith(f"{each.subject} {field}: ")


def test_every_rule_is_violated_above() -> None:
    assert {case[0] for case in CASES} == RULES
    assert len(CASES) == len(RULES)


@pytest.mark.parametrize("each", tuple(grid()), ids=str)
def test_nothing_of_the_grid_is_refused(each: Cell) -> None:
    assert refusals(each.resources) == ()


@pytest.mark.parametrize(
    "allowed",
    [
        "ssl.cipher.suites",
        "broker.heartbeat.interval.ms",
        "listener.name.scram-9094.max.connections",
    ],
)
def test_what_the_operator_lets_through_is_let_through(allowed: str) -> None:
    bodies = balanced()
    setting(allowed, "x")(bodies)
    assert [each.field for each in refusals(bodies.values())] == (
        [f"spec.kafka.config[{allowed}]"] if allowed == "portly" else []
    )


def test_of_a_cluster_that_is_there_the_brokers_are_told() -> None:
    topics = [body for key, body in balanced().items() if key.startswith("KafkaTopic")]
    assert refusals(topics, brokers=3) == ()
    assert {each.rule for each in refusals(topics, brokers=1)} == {"topic-copies"}


def test_all_is_told_at_once_and_in_order() -> None:
    bodies = balanced()
    for edit in (listening(name="load-balancer", port=9091), kafka(version="3.9.0")):
        edit(bodies)
    found = refusals(bodies.values())
    assert [each.rule for each in found] == ["listener-name", "listener-port-low", "kafka-version"]
    assert list(found) == sorted(found)


def test_a_gateway_of_the_grid_is_a_gateway() -> None:
    assert listener(routed())["configuration"]["parentRefs"][0]["name"] == GATEWAY.name
