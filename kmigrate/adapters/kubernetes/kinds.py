"""The kinds that we store: a key says `KafkaTopic`, the API wants to know its group, version and plural."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from kmigrate.errors import Invalid

STRIMZI = "kafka.strimzi.io"
CRD = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind as the API knows it; `group` is empty for the core API."""

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """What kubectl and RBAC call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def of(self, api_version: str) -> Kind:
        """The same kind under the `apiVersion` that somebody asks for."""
        group, _, version = api_version.rpartition("/")
        return replace(self, group=group, version=version)

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The address of one, of all in a namespace, or of all there are."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        space = ("namespaces", namespace) if namespace and self.namespaced else ()
        return "/".join([root, *(quote(part) for part in (*space, self.plural, name, subresource) if part)])


def kind_of(name: str) -> Kind:
    """The kind of that name; raises Invalid for one that is not known here."""
    found = _KINDS.get(name)
    if found is None:
        raise Invalid(f"kind {name} is not one that kmigrate stores", hint=f"known: {', '.join(sorted(_KINDS))}")
    return found


def _all(group: str, version: str, names: str, *, namespaced: bool = True) -> dict[str, Kind]:
    return {
        name: Kind(name=name, group=group, version=version, plural=_plural(name), namespaced=namespaced)
        for name in names.split()
    }


def _plural(name: str) -> str:
    lower = name.lower()
    if lower.endswith("y"):
        return f"{lower[:-1]}ies"
    return f"{lower}es" if lower.endswith("s") else f"{lower}s"


_RBAC = "rbac.authorization.k8s.io"
_KINDS: dict[str, Kind] = {
    **_all(STRIMZI, "v1", "Kafka KafkaBridge KafkaConnect KafkaConnector KafkaMirrorMaker2 KafkaNodePool"),
    **_all(STRIMZI, "v1", "KafkaRebalance KafkaTopic KafkaUser"),
    **_all("core.strimzi.io", "v1", "StrimziPodSet"),
    **_all("", "v1", "ConfigMap Event PersistentVolumeClaim Pod Secret Service ServiceAccount"),
    **_all("", "v1", "Namespace Node PersistentVolume", namespaced=False),
    **_all("apps", "v1", "Deployment ReplicaSet StatefulSet"),
    **_all("batch", "v1", "CronJob Job"),
    **_all("autoscaling", "v2", "HorizontalPodAutoscaler"),
    **_all("coordination.k8s.io", "v1", "Lease"),
    **_all("monitoring.coreos.com", "v1", "PodMonitor PrometheusRule"),
    **_all("networking.k8s.io", "v1", "Ingress NetworkPolicy"),
    **_all("policy", "v1", "PodDisruptionBudget"),
    **_all(_RBAC, "v1", "Role RoleBinding"),
    **_all(_RBAC, "v1", "ClusterRole ClusterRoleBinding", namespaced=False),
    **_all("storage.k8s.io", "v1", "StorageClass", namespaced=False),
    **_all("apiextensions.k8s.io", "v1", CRD, namespaced=False),
}
