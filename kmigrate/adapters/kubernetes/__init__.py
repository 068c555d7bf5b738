"""A ResourceStore on a Kubernetes API server."""

from kmigrate.adapters.kubernetes.store import KubernetesStore

__all__ = ["KubernetesStore"]
