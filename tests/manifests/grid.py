"""Every kind of resource that kmigrate renders, over a grid of clusters: listener × sign-in × size × zones.

Whoever has something that accepts or refuses resources (the schemas, an API server) walks `grid()` through it, and
`misspellings()` of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import get_args

from kmigrate.manifests.bridge import kafka_bridge
from kmigrate.manifests.cluster import cluster
from kmigrate.manifests.internal import internal_topics, ledger_topic
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.lane_offsets import wanted_offsets
from kmigrate.manifests.lanes import FORWARD, REVERSE, reverse_of
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.topics import carried_topic
from kmigrate.manifests.users import Rule, fence_rules, forward_mirror_rules, user
from kmigrate.model import (
    Authority,
    Bridge,
    ClusterSpec,
    Gateway,
    Json,
    JsonObject,
    Lane,
    Listener,
    ListenerAuth,
    ListenerKind,
    Partition,
    Resources,
    SecretRef,
    Storage,
    Target,
    Topic,
)

NAMESPACE = "kafka"
KINDS: tuple[ListenerKind, ...] = get_args(ListenerKind)
SIGN_INS: tuple[ListenerAuth, ...] = get_args(ListenerAuth)
LARGEST = {"small": 0, "8 MiB": 8 << 20, "20 MiB": 20 << 20}
ZONES = {"no zone": (), "one zone": ("eu-1a",), "three zones": ("eu-1a", "eu-1b", "eu-1c")}
GATEWAY = Gateway(name="kafka", namespace="gateways", section="tls")
LANE = Lane(name="lane-1", direction="forward", source_alias="source-1", target_alias="target", topics=("a.b", "C_d"))


@dataclass(frozen=True)
class Cell:
    """One cluster of the grid, and all of its resources in the order in which they are applied."""

    name: str
    target: Target
    resources: tuple[JsonObject, ...]

    def __str__(self) -> str:
        return self.name


def listener(kind: ListenerKind, name: str = "clients", auth: ListenerAuth = "scram-sha-512") -> Listener:
    """One of a kind with all that it can have."""
    return Listener(
        name=name,
        kind=kind,
        port=9096,
        auth=auth,
        domain="kafka.example.com",
        source_ranges=("10.0.0.0/8",),
        subnets={"eu-1a": "subnet-1"},
        node_port=30_100,
        gateway=GATEWAY,
        ingress_class="nginx",
    )


def spec(kind: ListenerKind, auth: ListenerAuth, size: str, zones: tuple[str, ...]) -> ClusterSpec:
    """A cluster with a listener of that kind; those with certificates are further ones."""
    plain, large = auth == "scram-sha-512", size != "small"
    return ClusterSpec(
        brokers=max(1, len(zones)) * (2 if large else 1),
        zones=zones,
        storage=Storage(size="500Gi", storage_class="kafka" if large else "", volumes=2 if large else 1, create=large),
        listener=listener(kind) if plain else Listener(name="scram"),
        listeners=() if plain else (listener(kind, "mtls", auth),),
        resources=Resources(cpu="2", memory="16Gi", heap="4g") if large else Resources(),
        config={"num.io.threads": 9} if large else {},
        quotas={"type": "kafka", "producerByteRate": 1 << 20} if large else {},
        cruise_control=large,
        exporter=large,
        authority=Authority(validity_days=365, renewal_days=30),
        maintenance=("* * 1-4 ? * SUN *",) if large else (),
        bridge=Bridge(user="app") if large else None,
        namespace=large,
    )


def grid() -> Iterator[Cell]:
    """Every cell."""
    for kind, auth, size, zones in product(KINDS, SIGN_INS, LARGEST, ZONES):
        yield cell(kind, auth, size, zones)


def cell(kind: ListenerKind, auth: ListenerAuth, size: str, zones: str) -> Cell:
    """One of them."""
    asked = spec(kind, auth, size, ZONES[zones])
    target = Target(
        platform="strimzi",
        store="",
        namespace=NAMESPACE,
        cluster="prod",
        listener=asked.listener.name,
        context="test",
        spec=asked,
    )
    made = (*cluster(target, asked, largest=LARGEST[size]), *around(target, asked, LARGEST[size], auth))
    return Cell(f"{kind}, {auth}, {size}, {zones}", target, made)


def around(target: Target, asked: ClusterSpec, largest: int, auth: ListenerAuth) -> Iterator[JsonObject]:
    """What belongs to a cluster: topics, users, both mirrors, the bridge."""
    brokers = asked.brokers
    topic = Topic(name="C_d", partitions=3, config={"max.message.bytes": str(largest or 1_048_588), "confluent.x": "1"})
    yield carried_topic(topic, target, brokers=brokers).body
    yield from internal_topics(FORWARD, [LANE], target, brokers=brokers)
    yield ledger_topic("m", target, brokers=brokers)
    yield user("kmigrate-mirror", forward_mirror_rules([LANE], FORWARD, owned=["a.b"]), target)
    given = SecretRef(namespace=NAMESPACE, name="given", key="password") if auth == "scram-sha-512" else None
    yield user("app", _rules(), target, auth=auth, password=given)
    here, there = _endpoints(target)
    yield mirror_maker(FORWARD, [LANE], target, reads_from=there, writes_to=here, largest=largest)
    yield reverse_connect(REVERSE, target, reads_from=here, writes_to=there)
    yield reverse_lane(REVERSE, reverse_of(LANE), target, reads_from=here, writes_to=there, largest=largest)
    yield wanted_offsets(FORWARD, LANE, target, {Partition("a.b", 0): 41})
    if asked.bridge:
        yield kafka_bridge(target, asked.bridge)


def _rules() -> tuple[Rule, ...]:
    return (
        *fence_rules(groups=["g"], topics=["a.b"]),
        Rule(resource="topic", name="a.", operations=("Describe", "Read"), pattern="prefix"),
        Rule(resource="transactionalId", name="t", operations=("Write",)),
        Rule(resource="cluster", operations=("IdempotentWrite",), host="10.0.0.1"),
    )


def _endpoints(target: Target) -> tuple[Endpoint, Endpoint]:
    here = Endpoint(
        bootstrap=bootstrap(target),
        mechanism="scram-sha-512",
        username="kmigrate-mirror",
        password=("kmigrate-mirror", "password"),
        ca=(ca_secret(target), "ca.crt"),
    )
    there = Endpoint(bootstrap="pkc-1:9092", mechanism="plain", username="KEY", password=("cc", "password"))
    return here, there


# ---- misspelling ----


def misspellings(body: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The resource with one field below `spec` misspelt, each in turn, and that field's wrong name.

    What lies in `config`, and what is an object of Kubernetes' own, is free.
    """
    for path in _places(body.get("spec")):
        if isinstance(path[-1], str):
            yield f"{path[-1]}x", {**body, "spec": _misspelt(body["spec"], path)}


_FREE = frozenset({"config", "annotations", "perBrokerAnnotationsTemplate", "matchLabels", "requests", "limits"})


def _places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield (*path, name)
            if name not in _FREE:
                yield from _places(below, (*path, name))
    elif isinstance(value, (list, tuple)):
        for number, below in enumerate(value):
            yield from _places(below, (*path, number))


def _misspelt(value: Json, path: tuple[str | int, ...]) -> Json:
    if isinstance(value, Mapping):
        name = path[0]
        if len(path) == 1:
            return {(f"{name}x" if key == name else key): below for key, below in value.items()}
        return {key: _misspelt(below, path[1:]) if key == name else below for key, below in value.items()}
    assert isinstance(value, (list, tuple))
    return [_misspelt(below, path[1:]) if number == path[0] else below for number, below in enumerate(value)]
