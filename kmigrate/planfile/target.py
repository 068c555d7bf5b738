"""The `target` of a plan file as a value."""

from __future__ import annotations

from pathlib import Path as File

from kmigrate.model import (
    Authority,
    Bridge,
    ClusterSpec,
    Gateway,
    Listener,
    Resources,
    Storage,
    Target,
)
from kmigrate.planfile import target_schema as schema

_FIRST, _CLIENTS, _FURTHER = 9094, 9095, 9096
"""Ports where none is said: of a listener inside Kubernetes, of the one for clients elsewhere, of further ones."""
_NAME = "scram"


def target(part: schema.LabTargetPart | schema.StrimziTargetPart, folder: File) -> Target:
    """The target; only a cluster on Kubernetes says how it is made."""
    if isinstance(part, schema.LabTargetPart):
        return Target(
            platform=part.platform,
            store=str(folder / part.store),
            namespace=part.kubernetes.namespace,
            cluster=part.cluster.name,
            listener=part.cluster.listener.name,
        )
    return Target(
        platform=part.platform,
        store="",
        namespace=part.kubernetes.namespace,
        cluster=part.cluster.name,
        listener=part.cluster.listener.name or _NAME,
        context=part.kubernetes.context,
        kubeconfig=str(folder / part.kubernetes.kubeconfig) if part.kubernetes.kubeconfig else "",
        spec=_spec(part.cluster, namespace=part.kubernetes.create),
    )


def _spec(part: schema.ClusterSpecPart, *, namespace: bool) -> ClusterSpec:
    asked = part.cruiseControl
    return ClusterSpec(
        kafka=part.kafka,
        brokers=part.brokers,
        controllers=part.controllers,
        zones=tuple(part.zones),
        storage=_storage(part.storage),
        listener=_listener(part.listener, _FIRST if part.listener.type == "internal" else _CLIENTS),
        listeners=tuple(_listener(each, _FURTHER + number) for number, each in enumerate(part.listeners)),
        resources=Resources(
            cpu=part.resources.cpu or "", memory=part.resources.memory or "", heap=part.resources.heap or ""
        ),
        config=dict(part.config),
        quotas=part.quotas.model_dump(exclude_none=True) if part.quotas else {},
        cruise_control=part.brokers > 1 if asked is None else asked,
        exporter=part.exporter,
        authority=Authority(validity_days=part.authority.validityDays, renewal_days=part.authority.renewalDays),
        maintenance=tuple(part.maintenance),
        bridge=Bridge(user=part.bridge.user, replicas=part.bridge.replicas, port=part.bridge.port)
        if part.bridge
        else None,
        namespace=namespace,
    )


def _storage(part: schema.StoragePart) -> Storage:
    return Storage(
        size=part.size,
        storage_class=part.storage_class or "",
        volumes=part.volumes,
        controllers=part.controllers,
        create=part.create,
        iops=part.iops or 0,
        throughput=part.throughput or 0,
    )


def _listener(part: schema.ListenerSpecPart, port: int) -> Listener:
    gateway = part.gateway
    return Listener(
        name=part.name or _NAME,
        kind=part.type,
        port=part.port or port,
        auth=part.auth,
        domain=part.domain or "",
        scheme=part.scheme,
        targets=part.targets,
        source_ranges=tuple(part.sourceRanges),
        subnets=dict(part.subnets),
        base_port=part.basePort,
        node_port=part.nodePort or 0,
        gateway=Gateway(name=gateway.name, namespace=gateway.namespace, section=gateway.section or "")
        if gateway
        else None,
        ingress_class=part.ingressClass or "",
    )
