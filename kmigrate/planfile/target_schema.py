"""The shape of `target` in a plan file: a folder of resources of a lab, or a Strimzi cluster on Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from kmigrate.planfile.shapes import (
    CPU_PATTERN,
    DOMAIN_PATTERN,
    HEAP_PATTERN,
    LISTENER_PATTERN,
    QUANTITY_PATTERN,
    RANGE_PATTERN,
    VERSION_PATTERN,
    Name,
    Part,
    Text,
)

Quantity = Annotated[str, StringConstraints(pattern=QUANTITY_PATTERN)]
Range = Annotated[str, StringConstraints(pattern=RANGE_PATTERN)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class KubernetesPart(Part):
    """Where the resources live."""

    namespace: Name


class ListenerPart(Part):
    """The listener that clients use."""

    name: Text


class ClusterPart(Part):
    """The Strimzi cluster."""

    name: Name
    listener: ListenerPart = ListenerPart(name="scram")


class LabTargetPart(Part):
    """The cluster that is entered; `store` is the folder of resources of a lab."""

    platform: Literal["lab"]
    store: Text
    kubernetes: KubernetesPart
    cluster: ClusterPart


class KubernetesContextPart(Part):
    """Where the resources live: a context of the kubeconfig, and a namespace, which `create` asks to be made.

    `kubeconfig` is a file; without it $KUBECONFIG, else ~/.kube/config.
    """

    context: Text
    namespace: Name
    kubeconfig: Text | None = None
    create: bool = False


class StoragePart(Part):
    """The disks of each broker, `size` of each of its `volumes`; without `class` the cluster's default one.

    `create` asks for the class to be made, of AWS' gp3 disks; `iops` and `throughput` (MiB/s) are theirs.
    """

    size: Quantity
    storage_class: Name | None = Field(default=None, alias="class")
    volumes: Annotated[int, Field(ge=1, le=16)] = 1
    controllers: Quantity = "20Gi"
    create: bool = False
    iops: Annotated[int, Field(ge=3_000, le=80_000)] | None = None
    throughput: Annotated[int, Field(ge=125, le=2_000)] | None = None


class GatewayPart(Part):
    """The Gateway that lets TLS through to the brokers; `section` is its listener."""

    name: Name
    namespace: Name
    section: Name | None = None


class ListenerSpecPart(Part):
    """One way into the cluster, always with TLS.

    `domain` is where brokers get their names (loadbalancer, shared, tlsroute, ingress), `subnets` has one by zone.
    `shared` is one load balancer of your own that sends port `basePort` + n to broker n.
    """

    name: Annotated[str, StringConstraints(pattern=LISTENER_PATTERN)] | None = None
    type: Literal["internal", "cluster-ip", "nodeport", "loadbalancer", "shared", "tlsroute", "ingress"] = "internal"
    port: Port | None = None
    auth: Literal["scram-sha-512", "tls"] = "scram-sha-512"
    domain: Annotated[str, StringConstraints(pattern=DOMAIN_PATTERN)] | None = None
    scheme: Literal["internal", "internet-facing"] = "internal"
    targets: Literal["ip", "instance"] = "ip"
    sourceRanges: list[Range] = Field(default=[])  # noqa: N815
    subnets: dict[Text, Text] = Field(default={})
    basePort: Port = 10_000  # noqa: N815
    nodePort: Annotated[int, Field(ge=30_000, le=32_767)] | None = None  # noqa: N815
    gateway: GatewayPart | None = None
    ingressClass: Name | None = None  # noqa: N815


class ResourcesPart(Part):
    """What each broker gets of its node: processors, memory, and Java's heap within that."""

    cpu: Annotated[str, StringConstraints(pattern=CPU_PATTERN)] | None = None
    memory: Quantity | None = None
    heap: Annotated[str, StringConstraints(pattern=HEAP_PATTERN)] | None = None


class QuotasPart(Part):
    """What a client may take: by user and client (`kafka`), or of the whole cluster (`strimzi`), in bytes a second."""

    type: Literal["kafka", "strimzi"]
    producerByteRate: Count | None = None  # noqa: N815
    consumerByteRate: Count | None = None  # noqa: N815
    requestPercentage: Count | None = None  # noqa: N815
    controllerMutationRate: float | None = None  # noqa: N815
    minAvailableBytesPerVolume: Count | None = None  # noqa: N815
    minAvailableRatioPerVolume: float | None = None  # noqa: N815
    excludedPrincipals: list[Text] | None = None  # noqa: N815


class AuthorityPart(Part):
    """The certificate authorities of the cluster: how long they are valid, how long before the end they are renewed."""

    validityDays: Count = 1825  # noqa: N815
    renewalDays: Count = 180  # noqa: N815


class BridgePart(Part):
    """HTTP in front of the cluster; `user` is a target principal of the plan, that it signs in as."""

    user: Name
    replicas: Count = 1
    port: Port = 8080


class ClusterSpecPart(Part):
    """The Strimzi cluster: found by its name, or made like this.

    `zones` are values of the nodes' label topology.kubernetes.io/zone; each gets brokers with fixed numbers. `listener`
    is for kmigrate and the applications that are moved, `listeners` are further ones. `maintenance` has cron times.
    """

    name: Name
    kafka: Annotated[str, StringConstraints(pattern=VERSION_PATTERN)] = "4.3.1"
    brokers: Count = 3
    controllers: Count = 3
    zones: list[Name] = Field(default=[])
    storage: StoragePart
    listener: ListenerSpecPart = ListenerSpecPart()
    listeners: list[ListenerSpecPart] = Field(default=[])
    resources: ResourcesPart = ResourcesPart()
    config: dict[Text, str | int | float | bool] = Field(default={})
    quotas: QuotasPart | None = None
    cruiseControl: bool | None = None  # noqa: N815
    exporter: bool = True
    authority: AuthorityPart = AuthorityPart()
    maintenance: list[Text] = Field(default=[])
    bridge: BridgePart | None = None


class StrimziTargetPart(Part):
    """The cluster that is entered: Strimzi on Kubernetes."""

    platform: Literal["strimzi"]
    kubernetes: KubernetesContextPart
    cluster: ClusterSpecPart


def _platform(value: object) -> str:
    """What says nothing one knows is held to be a lab's, and told what may stand there."""
    said = value.get("platform") if isinstance(value, Mapping) else getattr(value, "platform", None)
    return "<strimzi>" if said == "strimzi" else "<lab>"


Target = Annotated[
    Annotated[LabTargetPart, Tag("<lab>")] | Annotated[StrimziTargetPart, Tag("<strimzi>")], Discriminator(_platform)
]
