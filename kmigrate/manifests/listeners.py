"""The listeners of a Kafka and the names that clients see (`strimzi.md` §§2.3, 6).

Every kind has TLS. The mirrors, and all else within Kubernetes, come in by a listener of their own: what goes out to a
load balancer and back in costs twice, and with some of them never arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kmigrate.manifests.kafka import LISTENER_PORT
from kmigrate.manifests.pools import brokers_by_zone
from kmigrate.model import ClusterSpec, Json, JsonObject, Listener, Target

INSIDE = "inside"
NLB = "service.k8s.aws/nlb"
AWS = "service.beta.kubernetes.io/aws-load-balancer-"
DNS_NAME = "external-dns.alpha.kubernetes.io/hostname"
_IDLE_S = 660
"""A little more than the 600 s after which a broker closes an idle connection; AWS would cut it after 350."""
_TLS_PORT = 443
_INSIDE = ("internal", "cluster-ip")


def listeners(spec: ClusterSpec) -> tuple[JsonObject, ...]:
    """The one inside, the one of the plan (which may be the same), then further ones."""
    inside = Listener(name=INSIDE, port=LISTENER_PORT)
    first = () if _is_inside(spec.listener) else (inside,)
    return tuple(_listener(each, spec) for each in (*first, spec.listener, *spec.listeners))


def lets_mirrors_in(kafka: JsonObject) -> bool:
    """Whether a Kafka of somebody else's, by its spec, has the way in that the mirrors take (`kafka.bootstrap`)."""
    cluster = kafka.get("kafka")
    listed = cluster.get("listeners") if isinstance(cluster, Mapping) else None
    wanted = (LISTENER_PORT, True, "scram-sha-512")
    return any(
        (each.get("port"), each.get("tls"), _signs_in(each)) == wanted and each.get("type") in _INSIDE
        for each in (listed if isinstance(listed, list | tuple) else ())
        if isinstance(each, Mapping)
    )


def outside_address(target: Target) -> str:
    """Where clients elsewhere find the plan's listener by a name of its domain; empty where only the operator tells."""
    listener = target.spec.listener if target.spec else None
    if listener is None or not listener.domain:
        return ""
    ports = {"loadbalancer": listener.port, "tlsroute": _TLS_PORT, "ingress": _TLS_PORT}
    if listener.kind == "shared":
        return f"{listener.domain}:{listener.base_port}"
    return f"{_first(listener)}:{ports[listener.kind]}" if listener.kind in ports else ""


def _signs_in(listener: JsonObject) -> Json:
    authentication = listener.get("authentication")
    return authentication.get("type") if isinstance(authentication, Mapping) else None


def _is_inside(listener: Listener) -> bool:
    return (listener.kind, listener.port, listener.auth) == ("internal", LISTENER_PORT, "scram-sha-512")


def _listener(listener: Listener, spec: ClusterSpec) -> JsonObject:
    configuration = _CONFIGURATIONS[listener.kind](listener, spec)
    body: dict[str, Json] = {
        "name": listener.name,
        "port": listener.port,
        "type": "cluster-ip" if listener.kind == "shared" else listener.kind,
        "tls": True,
        "authentication": {"type": listener.auth},
    }
    return {**body, "configuration": configuration} if configuration else body


def _plain(_: Listener, __: ClusterSpec) -> dict[str, Json]:
    return {}


def _node_port(listener: Listener, _: ClusterSpec) -> dict[str, Json]:
    """Nodes' own addresses, within the network; their names stand in no certificate."""
    port: dict[str, Json] = {"bootstrap": {"nodePort": listener.node_port}} if listener.node_port else {}
    return {"preferredNodePortAddressType": "InternalIP", **port}


def _load_balancer(listener: Listener, spec: ClusterSpec) -> dict[str, Json]:
    """A load balancer of AWS for each broker and one to begin with, made by its controller, named by ExternalDNS."""
    first, each = _annotations(listener, _first(listener)), _annotations(listener, _each(listener))
    across = {f"{AWS}attributes": "load_balancing.cross_zone.enabled=true"}
    pinned: list[Json] = [
        {"broker": number, "annotations": _pinned(each, number, listener.subnets[zone])}
        for zone, numbers in brokers_by_zone(spec).items()
        if zone in listener.subnets
        for number in numbers
    ]
    return {
        "class": NLB,
        **({"allocateLoadBalancerNodePorts": False} if listener.targets == "ip" else {}),
        **({"loadBalancerSourceRanges": list(listener.source_ranges)} if listener.source_ranges else {}),
        "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
        **({"advertisedHostTemplate": _each(listener)} if listener.domain else {}),
        "bootstrap": {**_also_called(_first(listener)), "annotations": {**first, **across}},
        "perBrokerAnnotationsTemplate": each,
        **({"brokers": pinned} if pinned else {}),
    }


def _annotations(listener: Listener, name: str) -> dict[str, str]:
    return {
        f"{AWS}scheme": listener.scheme,
        f"{AWS}nlb-target-type": listener.targets,
        f"{AWS}target-group-attributes": "preserve_client_ip.enabled=false",
        f"{AWS}listener-attributes.TCP-{listener.port}": f"tcp.idle_timeout.seconds={_IDLE_S}",
        **({DNS_NAME: name} if name else {}),
    }


def _pinned(each: Mapping[str, str], number: int, subnet: str) -> dict[str, str]:
    """All of the template again: annotations of a broker replace it."""
    own = {name: value.replace("{nodeId}", str(number)) for name, value in each.items()}
    return {**own, f"{AWS}subnets": subnet}


def _shared(listener: Listener, _: ClusterSpec) -> dict[str, Json]:
    """One name for all; whoever runs the load balancer sends port `base_port` + n to the Service of broker n."""
    return {
        "advertisedHostTemplate": listener.domain,
        "advertisedPortTemplate": f"{listener.base_port} + {{nodeId}}",
        "bootstrap": _also_called(listener.domain),
    }


def _route(listener: Listener, _: ClusterSpec) -> dict[str, Json]:
    gateway = listener.gateway
    told = {"name": gateway.name, "namespace": gateway.namespace} if gateway else {}
    section = {"sectionName": gateway.section} if gateway and gateway.section else {}
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **told, **section}
    return {**({"parentRefs": [parent]} if gateway else {}), **_hosts(listener)}


def _ingress(listener: Listener, _: ClusterSpec) -> dict[str, Json]:
    return {**({"class": listener.ingress_class} if listener.ingress_class else {}), **_hosts(listener)}


def _hosts(listener: Listener) -> dict[str, Json]:
    return {"bootstrap": {"host": _first(listener)}, "hostTemplate": _each(listener)} if listener.domain else {}


def _first(listener: Listener) -> str:
    return f"bootstrap.{listener.domain}" if listener.domain else ""


def _each(listener: Listener) -> str:
    return f"b{{nodeId}}.{listener.domain}" if listener.domain else ""


def _also_called(name: str) -> dict[str, Json]:
    return {"alternativeNames": [name]} if name else {}


_CONFIGURATIONS: Mapping[str, Callable[[Listener, ClusterSpec], dict[str, Json]]] = {
    "internal": _plain,
    "cluster-ip": _plain,
    "nodeport": _node_port,
    "loadbalancer": _load_balancer,
    "shared": _shared,
    "tlsroute": _route,
    "ingress": _ingress,
}
