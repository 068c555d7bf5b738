"""Names and labels that every Strimzi resource of a migration shares."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from kmigrate.model import Json, JsonObject

API = "kafka.strimzi.io/v1"
CLUSTER_LABEL = "strimzi.io/cluster"
OURS = {"app.kubernetes.io/managed-by": "kmigrate"}
"""The label of what kmigrate made or took over, as Kubernetes recommends it (`app.kubernetes.io/managed-by`)."""
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST = 253


def is_resource_name(text: str) -> bool:
    """Whether Kubernetes takes it as metadata.name (RFC 1123 subdomain)."""
    return len(text) <= _LONGEST and _DNS.fullmatch(text) is not None


def resource_name(text: str) -> str:
    """`text` where Kubernetes takes it, else a readable form of it with eight digits of its hash, always the same."""
    if is_resource_name(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[: _LONGEST - 9].rstrip("-")
    return f"{readable}-{digest}" if readable else f"x-{digest}"


def resource(
    kind: str,
    name: str,
    namespace: str,
    spec: Mapping[str, Json],
    *,
    cluster: str = "",
    ours: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> JsonObject:
    """A Strimzi resource; `cluster` sets the label by which topics, users and pools belong to a Kafka."""
    labels = ({CLUSTER_LABEL: cluster} if cluster else {}) | (OURS if ours else {})
    metadata: JsonObject = {
        "name": name,
        "namespace": namespace,
        **({"labels": labels} if labels else {}),
        **({"annotations": annotations} if annotations else {}),
    }
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
