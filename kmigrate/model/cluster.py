"""The Strimzi cluster that a plan asks for: brokers, disks, listeners. Frozen values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kmigrate.model.facts import Json

ListenerKind: TypeAlias = Literal["internal", "cluster-ip", "nodeport", "loadbalancer", "shared", "tlsroute", "ingress"]
"""As Strimzi calls them, and `shared`: one load balancer of somebody's own, that finds a broker by its port."""
ListenerAuth: TypeAlias = Literal["scram-sha-512", "tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The disks of each broker; an empty `storage_class` is the default one of the Kubernetes cluster.

    `create` asks for that class to be made, of AWS' gp3 disks with `iops` and `throughput` (MiB/s; 0: as AWS has it).
    """

    size: str
    storage_class: str = ""
    volumes: int = 1
    controllers: str = "20Gi"
    create: bool = False
    iops: int = 0
    throughput: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The Gateway to which a TLSRoute belongs; `section` is its listener that lets TLS through."""

    name: str
    namespace: str
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One way into the cluster, always with TLS; below `domain` lie the names that clients see.

    `targets` is what a load balancer sends to: pods (`ip`) or nodes (`instance`). `subnets` has the subnet of each zone
    that the load balancers of its brokers shall stand in. Behind a `shared` load balancer broker n has `base_port` + n.
    """

    name: str
    kind: ListenerKind = "internal"
    port: int = 9094
    auth: ListenerAuth = "scram-sha-512"
    domain: str = ""
    scheme: Literal["internal", "internet-facing"] = "internal"
    targets: Literal["ip", "instance"] = "ip"
    source_ranges: tuple[str, ...] = ()
    subnets: Mapping[str, str] = field(default_factory=dict)
    base_port: int = 10_000
    node_port: int = 0
    gateway: Gateway | None = None
    ingress_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What each broker gets of its node; empty is whatever Kubernetes and Strimzi leave it."""

    cpu: str = ""
    memory: str = ""
    heap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """How long the certificate authorities of a cluster are valid, and how long before the end they are renewed."""

    validity_days: int = 1825
    renewal_days: int = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """HTTP in front of the cluster; `user` is the KafkaUser that it signs in with."""

    user: str
    replicas: int = 1
    port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """How the cluster is made where there is none; `zones` are values of `topology.kubernetes.io/zone`.

    `listener` is the one that kmigrate and the applications it moves sign in to, `listeners` are further ones.
    """

    brokers: int
    storage: Storage
    listener: Listener
    kafka: str = "4.3.1"
    controllers: int = 3
    zones: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    resources: Resources = Resources()
    config: Mapping[str, Json] = field(default_factory=dict)
    quotas: Mapping[str, Json] = field(default_factory=dict)
    cruise_control: bool = False
    exporter: bool = True
    authority: Authority = Authority()
    maintenance: tuple[str, ...] = ()
    bridge: Bridge | None = None
    namespace: bool = False
    """Whether the namespace is made, too."""
