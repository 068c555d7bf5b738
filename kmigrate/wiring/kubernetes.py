"""Stores of resources on a Kubernetes API server."""

from __future__ import annotations

from collections.abc import Iterable

from kmigrate.adapters.kubernetes import KubernetesStore, WatchedStore
from kmigrate.adapters.system import SystemClock
from kmigrate.world import FIELD_MANAGER, Clock

__all__ = ["KubernetesStore", "WatchedStore", "kubernetes_store", "watched_store"]


def kubernetes_store(
    context: str, clock: Clock | None = None, *, kubeconfig: str = "", manager: str = FIELD_MANAGER
) -> KubernetesStore:
    """A store of resources on a Kubernetes API server, by a context of a kubeconfig (KUBECONFIG where it is empty).

    `manager` is the name under which fields are set. Raises UsageError with the contexts there are.
    """
    return KubernetesStore.open(context, clock or SystemClock(), kubeconfig=kubeconfig, manager=manager)


def watched_store(store: KubernetesStore, clock: Clock, kinds: Iterable[str], namespace: str) -> WatchedStore:
    """The same resources for who lists some kinds of a namespace many times a second; `start` and `stop` it."""
    return WatchedStore(store, clock, kinds, namespace)
