"""The ways into a cluster: what each kind renders, and which names its clients see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from kmigrate.manifests.listeners import AWS, listeners, outside_address
from kmigrate.model import ClusterSpec, Gateway, Json, Listener, ListenerKind, Storage, Target

DOMAIN = "kafka.example.com"
BALANCER = Listener(name="clients", kind="loadbalancer", port=9095, domain=DOMAIN, source_ranges=("10.0.0.0/8",))


def spec(listener: Listener, *further: Listener, brokers: int = 3) -> ClusterSpec:
    zones = ("eu-1a", "eu-1b", "eu-1c")
    return ClusterSpec(brokers=brokers, zones=zones, storage=Storage(size="1Gi"), listener=listener, listeners=further)


def configured(listener: Listener) -> Mapping[str, Json]:
    (told,) = [each for each in listeners(spec(listener)) if each["name"] == listener.name]
    configuration = told.get("configuration", {})
    assert isinstance(configuration, Mapping)
    return configuration


def test_a_plain_listener_inside_is_the_only_one() -> None:
    (only,) = listeners(spec(Listener(name="scram")))
    assert only == {
        "name": "scram",
        "port": 9094,
        "type": "internal",
        "tls": True,
        "authentication": {"type": "scram-sha-512"},
    }


@pytest.mark.parametrize(
    "other",
    [BALANCER, Listener(name="own", port=9099), Listener(name="shared", kind="shared", domain=DOMAIN, port=9095)],
)
def test_the_mirrors_come_in_by_a_listener_inside(other: Listener) -> None:
    inside, told, further = listeners(spec(other, Listener(name="mtls", port=9096, auth="tls")))
    assert (inside["name"], inside["port"], inside["type"]) == ("inside", 9094, "internal")
    assert told["name"] == other.name
    assert further["authentication"] == {"type": "tls"}


def test_a_load_balancer_for_each_broker_and_one_to_begin_with() -> None:
    told = configured(BALANCER)
    assert told["class"] == "service.k8s.aws/nlb"
    assert told["allocateLoadBalancerNodePorts"] is False
    assert told["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert told["advertisedHostTemplate"] == "b{nodeId}.kafka.example.com"
    each, first = told["perBrokerAnnotationsTemplate"], told["bootstrap"]
    assert isinstance(first, Mapping)
    assert first["alternativeNames"] == ["bootstrap.kafka.example.com"]
    assert each == {
        f"{AWS}scheme": "internal",
        f"{AWS}nlb-target-type": "ip",
        f"{AWS}target-group-attributes": "preserve_client_ip.enabled=false",
        f"{AWS}listener-attributes.TCP-9095": "tcp.idle_timeout.seconds=660",
        "external-dns.alpha.kubernetes.io/hostname": "b{nodeId}.kafka.example.com",
    }
    assert first["annotations"] == {
        **each,
        "external-dns.alpha.kubernetes.io/hostname": "bootstrap.kafka.example.com",
        f"{AWS}attributes": "load_balancing.cross_zone.enabled=true",
    }


def test_without_a_domain_clients_see_what_aws_calls_it() -> None:
    told = configured(replace(BALANCER, domain=""))
    assert "advertisedHostTemplate" not in told
    assert "external-dns" not in str(told)


def test_node_ports_are_made_only_where_a_load_balancer_sends_to_nodes() -> None:
    assert "allocateLoadBalancerNodePorts" not in configured(replace(BALANCER, targets="instance"))


def test_a_broker_that_is_pinned_has_all_of_the_template_too() -> None:
    told = configured(replace(BALANCER, subnets={"eu-1b": "subnet-b"}))
    each = told["perBrokerAnnotationsTemplate"]
    assert isinstance(each, Mapping)
    own = {**each, "external-dns.alpha.kubernetes.io/hostname": f"b200.{DOMAIN}", f"{AWS}subnets": "subnet-b"}
    assert told["brokers"] == [{"broker": 200, "annotations": own}]


def test_one_load_balancer_of_ones_own_finds_a_broker_by_its_port() -> None:
    listener = Listener(name="shared", kind="shared", port=9095, domain=DOMAIN, base_port=20_000)
    assert next(each["type"] for each in listeners(spec(listener)) if each["name"] == "shared") == "cluster-ip"
    assert configured(listener) == {
        "advertisedHostTemplate": DOMAIN,
        "advertisedPortTemplate": "20000 + {nodeId}",
        "bootstrap": {"alternativeNames": [DOMAIN]},
    }


def test_a_gateway_and_an_ingress_tell_brokers_apart_by_their_names() -> None:
    hosts = {"bootstrap": {"host": f"bootstrap.{DOMAIN}"}, "hostTemplate": f"b{{nodeId}}.{DOMAIN}"}
    gateway = Gateway(name="gw", namespace="gws", section="tls")
    route = configured(Listener(name="gw", kind="tlsroute", port=9095, domain=DOMAIN, gateway=gateway))
    group = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert route == {"parentRefs": [{**group, "name": "gw", "namespace": "gws", "sectionName": "tls"}], **hosts}
    ingress = Listener(name="ing", kind="ingress", port=9095, domain=DOMAIN, ingress_class="nginx")
    assert configured(ingress) == {"class": "nginx", **hosts}


def test_node_ports_are_told_by_the_nodes_inner_addresses() -> None:
    nodes = Listener(name="np", kind="nodeport", port=9095)
    assert configured(nodes) == {"preferredNodePortAddressType": "InternalIP"}
    fixed = configured(replace(nodes, node_port=30_100))
    assert fixed["bootstrap"] == {"nodePort": 30_100}


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("internal", ""),
        ("cluster-ip", ""),
        ("nodeport", ""),
        ("loadbalancer", f"bootstrap.{DOMAIN}:9095"),
        ("shared", f"{DOMAIN}:10000"),
        ("tlsroute", f"bootstrap.{DOMAIN}:443"),
        ("ingress", f"bootstrap.{DOMAIN}:443"),
    ],
)
def test_where_clients_elsewhere_find_it(kind: ListenerKind, address: str) -> None:
    def target(listener: Listener | None) -> Target:
        asked = spec(listener) if listener else None
        return Target(platform="strimzi", store="", namespace="n", cluster="c", listener="l", spec=asked)

    assert outside_address(target(Listener(name="l", kind=kind, port=9095, domain=DOMAIN))) == address
    assert outside_address(target(Listener(name="l", kind=kind, port=9095))) == ""
    assert outside_address(target(None)) == ""
