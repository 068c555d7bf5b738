"""A ResourceStore on a Kubernetes API server."""

from kmigrate.adapters.kubernetes.store import KubernetesStore
from kmigrate.adapters.kubernetes.watched import WatchedStore

__all__ = ["KubernetesStore", "WatchedStore"]
