"""The cluster that a plan asks for, whole: its place, its disks, its nodes and the Kafka (`strimzi.md` §§2.1-2.3).

Strimzi itself makes a PodDisruptionBudget for each cluster and NetworkPolicies that close what is between its parts,
Connect's REST port among it; so none is made here.
"""

from __future__ import annotations

from kmigrate.manifests.kafka import safe_config
from kmigrate.manifests.listeners import listeners
from kmigrate.manifests.names import OURS, resource
from kmigrate.manifests.pools import ZONE, pools
from kmigrate.manifests.sizes import broker_sizes
from kmigrate.model import ClusterSpec, Json, JsonObject, Storage, Target

STAYING = "Namespace"
"""The kind that stays when the cluster is taken away: what others made in it, and claims of disks, would go with it."""


def cluster(target: Target, spec: ClusterSpec, *, largest: int) -> tuple[JsonObject, ...]:
    """Everything in the order in which it is needed, the Kafka last; `largest` is the largest message in bytes."""
    return (
        *((_namespace(target),) if spec.namespace else ()),
        *((_storage_class(spec.storage),) if spec.storage.create else ()),
        *pools(target, spec),
        _kafka(target, spec, largest),
    )


def _namespace(target: Target) -> JsonObject:
    metadata: JsonObject = {"name": target.namespace, "labels": OURS}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _storage_class(storage: Storage) -> JsonObject:
    """Disks of AWS that are made in the zone of their pod, outlive their claim, and can grow."""
    asked = {"iops": storage.iops, "throughput": storage.throughput}
    chosen: JsonObject = {name: str(value) for name, value in asked.items() if value}
    metadata: JsonObject = {"name": storage.storage_class, "labels": OURS}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"type": "gp3", "encrypted": "true", **chosen},
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }


def _kafka(target: Target, spec: ClusterSpec, largest: int) -> JsonObject:
    """No super users, no topics made by accident; what the plan sets in `config` is laid over the defaults."""
    config: dict[str, Json] = {**safe_config(spec.brokers), **broker_sizes(largest), **spec.config}
    rack: JsonObject = {"type": "topology-label", "topologyKey": ZONE}
    authority: JsonObject = {
        "validityDays": spec.authority.validity_days,
        "renewalDays": spec.authority.renewal_days,
        "generateCertificateAuthority": True,
    }
    body: dict[str, Json] = {
        "kafka": {
            "version": spec.kafka,
            "listeners": list(listeners(spec)),
            "authorization": {"type": "simple"},
            **({"rack": rack} if spec.zones else {}),
            **({"quotas": spec.quotas} if spec.quotas else {}),
            "config": config,
        },
        "entityOperator": {"topicOperator": {}, "userOperator": {}},
        **({"cruiseControl": {}} if spec.cruise_control else {}),
        **({"kafkaExporter": {"topicRegex": ".*", "groupRegex": ".*"}} if spec.exporter else {}),
        "clusterCa": authority,
        "clientsCa": authority,
        **({"maintenanceTimeWindows": list(spec.maintenance)} if spec.maintenance else {}),
    }
    return resource("Kafka", target.cluster, target.namespace, body, ours=True)
