"""Rules of listeners (`strimzi.md` §2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kmigrate.manifests.listeners import AWS
from kmigrate.manifests.refusals.bodies import Bodies, Rule, Told, items, whole
from kmigrate.model import Json, JsonObject, objects, part

_NAME = re.compile(r"[a-z0-9]{1,11}")
_LOWEST, _TAKEN = 9092, {9404: "metrics", 9999: "JMX"}
_NODE_PORTS = range(30_000, 32_768)
_PLACEHOLDER, _KNOWN = re.compile(r"\{([^}]*)\}"), {"nodeId", "nodePodName"}
_SUM = re.compile(r"[0-9+*() {}a-zA-Z-]+")
_BY_HOST = ("ingress", "route", "tlsroute")
_OUTSIDE = frozenset({"nodeport", "loadbalancer", "ingress", "route", "tlsroute"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "useServiceDnsDomain": frozenset({"internal", "cluster-ip"}),
    "perBrokerAnnotationsTemplate": _OUTSIDE | {"cluster-ip"},
    "perBrokerLabelsTemplate": _OUTSIDE | {"cluster-ip"},
    "ipFamilyPolicy": _OUTSIDE | {"cluster-ip"},
    "ipFamilies": _OUTSIDE | {"cluster-ip"},
    "publishNotReadyAddresses": _OUTSIDE | {"cluster-ip"},
    "externalTrafficPolicy": frozenset({"nodeport", "loadbalancer"}),
    "preferredNodePortAddressType": frozenset({"nodeport"}),
    "class": frozenset({"loadbalancer", "ingress"}),
    "loadBalancerSourceRanges": frozenset({"loadbalancer"}),
    "finalizers": frozenset({"loadbalancer"}),
    "allocateLoadBalancerNodePorts": frozenset({"loadbalancer"}),
    "createBootstrapService": frozenset({"loadbalancer"}),
    "hostTemplate": frozenset(_BY_HOST),
    "parentRefs": frozenset({"tlsroute"}),
}
"""Which kinds a field of `configuration` is for; what is not here is for all."""
Listened = Iterator[tuple[str, JsonObject]]


def _listeners(body: JsonObject) -> Listened:
    for number, listener in enumerate(objects(part(body, "spec", "kafka").get("listeners"))):
        yield f"spec.kafka.listeners[{number}]", listener


def name(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Letters and digits, eleven of them: the name becomes part of others."""
    for at, listener in _listeners(body):
        if not _NAME.fullmatch(str(listener.get("name"))):
            told = f"{listener.get('name')!r} is no name for a listener"
            yield Told(f"{at}.name", told, "use at most 11 lower-case letters and digits")


def name_twice(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """One name, one listener."""
    yield from _twice(body, "name", "give each listener a name of its own")


def port_low(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Lower ports are the cluster's own."""
    for at, listener in _listeners(body):
        if whole(listener.get("port")) < _LOWEST:
            yield Told(f"{at}.port", f"{listener.get('port')} is below {_LOWEST}", f"use a port from {_LOWEST} on")


def port_twice(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """One port, one listener; the one for the mirrors has 9094."""
    yield from _twice(body, "port", "give each listener a port of its own (9094 is that of the mirrors)")


def port_taken(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Ports on which every broker answers something else."""
    for at, listener in _listeners(body):
        what = _TAKEN.get(whole(listener.get("port")))
        if what:
            yield Told(f"{at}.port", f"{listener.get('port')} is that of {what}", "use another port")


def certificates_need_tls(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Who signs in with a certificate shows it while TLS begins."""
    for at, listener in _listeners(body):
        if part(listener, "authentication").get("type") == "tls" and listener.get("tls") is not True:
            yield Told(f"{at}.authentication.type", "a certificate needs TLS", "set tls: true, or use scram-sha-512")


def kind_needs_tls(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """An Ingress and a Route tell brokers apart by the name that TLS begins with."""
    for at, listener in _listeners(body):
        if listener.get("type") in ("ingress", "route") and listener.get("tls") is not True:
            yield Told(f"{at}.tls", f"a listener of type {listener.get('type')} works by TLS alone", "set tls: true")


def hosts(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Kinds that tell brokers apart by name need the names."""
    for at, listener in _listeners(body):
        configuration = part(listener, "configuration")
        each = objects(configuration.get("brokers"))
        named = configuration.get("hostTemplate") or (each and all(broker.get("host") for broker in each))
        if listener.get("type") in ("ingress", "tlsroute") and not (
            named and part(configuration, "bootstrap").get("host")
        ):
            told = f"a listener of type {listener.get('type')} needs a host to begin with and one for each broker"
            yield Told(f"{at}.configuration", told, "say a domain for the listener")


def gateway(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """A TLSRoute belongs to a Gateway."""
    for at, listener in _listeners(body):
        if listener.get("type") == "tlsroute" and not items(part(listener, "configuration").get("parentRefs")):
            told = "a TLSRoute needs the Gateway that it belongs to"
            yield Told(f"{at}.configuration.parentRefs", told, "say gateway: {name: …, namespace: …}")


def field_of_another_kind(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Not every kind takes every field."""
    for at, listener in _listeners(body):
        for field in part(listener, "configuration"):
            kinds = _FIELDS.get(field)
            if kinds and listener.get("type") not in kinds:
                told = f"a listener of type {listener.get('type')} does not take it"
                yield Told(f"{at}.configuration.{field}", told, f"it is for {', '.join(sorted(kinds))}; remove it")


def node_ports(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Without node ports a load balancer can send to pods only."""
    for at, listener in _listeners(body):
        configuration = part(listener, "configuration")
        if configuration.get("allocateLoadBalancerNodePorts") is False and not _sends_to_pods(configuration):
            told = "without node ports a load balancer reaches pods alone, and one of them sends to nodes"
            yield Told(f"{at}.configuration.allocateLoadBalancerNodePorts", told, "set targets: ip, or leave it out")


def _sends_to_pods(configuration: JsonObject) -> bool:
    every = [part(configuration, "perBrokerAnnotationsTemplate"), part(configuration, "bootstrap", "annotations")]
    every += [part(each, "annotations") for each in objects(configuration.get("brokers")) if "annotations" in each]
    return all(each.get(f"{AWS}nlb-target-type") == "ip" for each in every)


def overrides(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Annotations of a broker replace the template, which is not added to them."""
    for at, listener in _listeners(body):
        configuration = part(listener, "configuration")
        template = set(part(configuration, "perBrokerAnnotationsTemplate"))
        for number, broker in enumerate(objects(configuration.get("brokers"))):
            lost = sorted(template - set(part(broker, "annotations"))) if "annotations" in broker else []
            if lost:
                told = f"they replace the template, so broker {broker.get('broker')} goes without {', '.join(lost)}"
                yield Told(f"{at}.configuration.brokers[{number}].annotations", told, "say these for the broker, too")


def placeholders(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Templates know the number and the pod of a broker, and nothing else."""
    for at, listener in _listeners(body):
        for field, text in _templates(part(listener, "configuration")):
            unknown = sorted(set(_PLACEHOLDER.findall(text)) - _KNOWN)
            if unknown:
                told = f"{', '.join(unknown)} is no placeholder"
                yield Told(f"{at}.configuration.{field}", told, "use {nodeId} or {nodePodName}")


def _templates(configuration: JsonObject) -> Iterator[tuple[str, str]]:
    for field in ("advertisedHostTemplate", "advertisedPortTemplate", "hostTemplate"):
        if field in configuration:
            yield field, str(configuration[field])
    for key, value in part(configuration, "perBrokerAnnotationsTemplate").items():
        yield f"perBrokerAnnotationsTemplate.{key}", str(value)


def advertised_port(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """The sum of a number of a broker must be a port, for the highest of them too."""
    highest = max((_highest(pool) for pool in seen.of("KafkaNodePool")), default=0)
    for at, listener in _listeners(body):
        text = part(listener, "configuration").get("advertisedPortTemplate")
        if isinstance(text, str) and not 0 < _port(text, highest) < 1 << 16:
            told = f"{text!r} is no port for broker {highest}"
            yield Told(f"{at}.configuration.advertisedPortTemplate", told, "choose a lower basePort")


def _port(text: str, number: int) -> int:
    """A number, a broker's number, or the sum of both; what is more than that is left to the operator."""
    plain = text.replace("{nodeId}", str(number))
    if not _SUM.fullmatch(text):
        return 0
    terms = [term.strip() for term in plain.split("+")]
    return sum(map(int, terms)) if all(term.isdigit() for term in terms) else 1


def _highest(pool: JsonObject) -> int:
    numbers = re.findall(r"\d+", str(part(pool, "metadata", "annotations").get("strimzi.io/next-node-ids", "")))
    first, replicas = (int(numbers[0]) if numbers else 0), whole(part(pool, "spec").get("replicas"))
    return first + max(0, replicas - 1)


def advertised_host(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Behind one address for all, clients need its name."""
    for at, listener in _listeners(body):
        configuration = part(listener, "configuration")
        if "advertisedPortTemplate" in configuration and not configuration.get("advertisedHostTemplate"):
            told = "brokers that are told apart by port need the name that they share"
            yield Told(f"{at}.configuration.advertisedHostTemplate", told, "say a domain for the listener")


def node_port(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Kubernetes has a range for node ports, and gives each once."""
    known: dict[int, str] = {}
    for at, listener in _listeners(body):
        configuration = part(listener, "configuration")
        for part_of in (part(configuration, "bootstrap"), *objects(configuration.get("brokers"))):
            port, field = whole(part_of.get("nodePort", 0)), f"{at}.configuration.bootstrap.nodePort"
            if port and port not in _NODE_PORTS:
                yield Told(field, f"{port} is no node port", "use one from 30000 to 32767")
            if port and known.setdefault(port, field) != field:
                yield Told(field, f"{port} stands twice", "give each listener a node port of its own")


def _twice(body: JsonObject, field: str, way_out: str) -> Iterator[Told]:
    known: list[Json] = []
    for at, listener in _listeners(body):
        if listener.get(field) in known:
            yield Told(f"{at}.{field}", f"{listener.get(field)} stands twice", way_out)
        known.append(listener.get(field))


LISTENER_RULES: Mapping[str, Rule] = {
    "listener-name": name,
    "listener-name-twice": name_twice,
    "listener-port-low": port_low,
    "listener-port-twice": port_twice,
    "listener-port-taken": port_taken,
    "listener-certificate-tls": certificates_need_tls,
    "listener-kind-tls": kind_needs_tls,
    "listener-hosts": hosts,
    "listener-gateway": gateway,
    "listener-field": field_of_another_kind,
    "listener-node-ports": node_ports,
    "listener-overrides": overrides,
    "listener-placeholder": placeholders,
    "listener-advertised-port": advertised_port,
    "listener-advertised-host": advertised_host,
    "listener-node-port": node_port,
}
