"""Pools of nodes: one of controllers, and one of brokers per zone, each with numbers of its own (`strimzi.md` §2.1).

So a broker's number tells its zone, and stays when others come and go; what is pinned to a zone (a load balancer, an
advertised port) stays with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.manifests.names import CLUSTER_LABEL, resource
from kmigrate.model import ClusterSpec, Json, JsonObject, Target

ZONE = "topology.kubernetes.io/zone"
NEXT_IDS = "strimzi.io/next-node-ids"
CONTROLLERS, BROKERS = "controllers", "brokers"
_NODE = "kubernetes.io/hostname"
_EACH = 100


def pools(target: Target, spec: ClusterSpec) -> tuple[JsonObject, ...]:
    """The controllers, then the brokers of each zone; of one pool where no zone is named."""
    groups = brokers_by_zone(spec)
    return (
        _controllers(target, spec),
        *(
            _brokers(target, spec, zone, ids=range(_EACH * number, _EACH * (number + 1)), replicas=len(ids))
            for number, (zone, ids) in enumerate(groups.items(), 1)
        ),
    )


def brokers_by_zone(spec: ClusterSpec) -> Mapping[str, tuple[int, ...]]:
    """The numbers of the brokers in each zone, from 100 on in the first; the zone is empty where none is named."""
    zones = spec.zones or ("",)
    share, more = divmod(spec.brokers, len(zones))
    return {
        zone: tuple(range(_EACH * number, _EACH * number + share + (number <= more)))
        for number, zone in enumerate(zones, 1)
    }


def _controllers(target: Target, spec: ClusterSpec) -> JsonObject:
    over = [(ZONE, "DoNotSchedule")] if spec.zones else []
    return _pool(
        target,
        CONTROLLERS,
        spec={
            "replicas": spec.controllers,
            "roles": ["controller"],
            "storage": _storage(spec, spec.storage.controllers, 1),
            "template": {"pod": _spread(target, "controller", [*over, (_NODE, "ScheduleAnyway")])},
        },
        ids=range(_EACH),
    )


def _brokers(target: Target, spec: ClusterSpec, zone: str, *, ids: range, replicas: int) -> JsonObject:
    pod = _spread(target, "broker", [(_NODE, "ScheduleAnyway")])
    body: dict[str, Json] = {
        "replicas": replicas,
        "roles": ["broker"],
        "storage": _storage(spec, spec.storage.size, spec.storage.volumes),
        **_resources(spec),
        "template": {"pod": {**pod, "affinity": _in(zone)} if zone else pod},
    }
    return _pool(target, f"{BROKERS}-{zone}" if zone else BROKERS, spec=body, ids=ids)


def _pool(target: Target, name: str, *, spec: JsonObject, ids: range) -> JsonObject:
    numbers = {NEXT_IDS: f"[{ids[0]}-{ids[-1]}]"}
    place = target.namespace
    return resource("KafkaNodePool", name, place, spec, cluster=target.cluster, ours=True, annotations=numbers)


def _storage(spec: ClusterSpec, size: str, volumes: int) -> JsonObject:
    """Volumes that outlive their claim's pool; KRaft's own log lies on the first."""
    chosen: dict[str, Json] = {"class": spec.storage.storage_class} if spec.storage.storage_class else {}
    first: dict[str, Json] = {"kraftMetadata": "shared"}
    listed: list[Json] = [
        {"id": number, "type": "persistent-claim", "size": size, **chosen, "deleteClaim": False}
        | ({} if number else first)
        for number in range(volumes)
    ]
    return {"type": "jbod", "volumes": listed}


def _resources(spec: ClusterSpec) -> dict[str, Json]:
    """Memory is a limit, too; processors are none: a broker that is throttled falls out of sync."""
    asked = {"cpu": spec.resources.cpu, "memory": spec.resources.memory}
    requests: dict[str, Json] = {name: value for name, value in asked.items() if value}
    limits: dict[str, Json] = {"limits": {"memory": spec.resources.memory}} if spec.resources.memory else {}
    heap = spec.resources.heap
    return {
        **({"resources": {"requests": requests, **limits}} if requests else {}),
        **({"jvmOptions": {"-Xms": heap, "-Xmx": heap}} if heap else {}),
    }


def _spread(target: Target, role: str, over: list[tuple[str, str]]) -> dict[str, Json]:
    """Since Strimzi 0.49 a rack spreads no pods any more."""
    ours: JsonObject = {"matchLabels": {CLUSTER_LABEL: target.cluster, f"strimzi.io/{role}-role": "true"}}
    constraints: list[Json] = [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": otherwise, "labelSelector": ours}
        for key, otherwise in over
    ]
    return {"topologySpreadConstraints": constraints}


def _in(zone: str) -> JsonObject:
    terms: list[Json] = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
