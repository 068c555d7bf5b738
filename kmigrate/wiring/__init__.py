"""The only place where the World meets adapters."""

from kmigrate.wiring.kubernetes import KubernetesStore, WatchedStore, kubernetes_store, watched_store
from kmigrate.wiring.live import LiveWorld, NoLedger, Wires, folder_store, open_world, source_inventory
from kmigrate.wiring.opening import bind, open_journal, with_names

__all__ = [
    "KubernetesStore",
    "LiveWorld",
    "NoLedger",
    "WatchedStore",
    "Wires",
    "bind",
    "folder_store",
    "kubernetes_store",
    "open_journal",
    "open_world",
    "source_inventory",
    "watched_store",
    "with_names",
]
