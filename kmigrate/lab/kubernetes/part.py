"""The API server as a part of a lab: up before everything that keeps its resources there."""

from __future__ import annotations

from kmigrate.lab.crds import install
from kmigrate.lab.kubernetes.build import binary
from kmigrate.lab.kubernetes.plane import AUDITED, ControlPlane
from kmigrate.lab.operator.loop import KINDS
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.board import Board
from kmigrate.lab.supervisor import Options
from kmigrate.wiring import KubernetesStore, WatchedStore, kubernetes_store, watched_store
from kmigrate.world import ResourceStore

STAND_IN = "strimzi-stand-in"
"""Who sets what the lab itself keeps there (field manager): kmigrate and its operator must not be one."""
OPERATOR, USER = "strimzi", AUDITED
_EVERYTHING = ("system:masters",)


class KubernetesPart:
    """etcd, kube-apiserver and kube-controller-manager, and the namespace of the target.

    kmigrate may do there what its plan needs, once that is written (`manifests.roles`), and all in an empty lab.
    Facts: `server`, and `kubeconfig`, the file with which kmigrate signs in.
    """

    def __init__(self, bench: Bench, board: Board, options: Options, namespace: str) -> None:
        self._bench, self._board, self._options, self._namespace = bench, board, options, namespace
        self._folder = options.folder
        self._plane: ControlPlane | None = None
        self._store: WatchedStore | None = None

    def start(self) -> None:
        """Build it once for this user, start it, install Strimzi's definitions, make the namespace."""
        bench = self._bench
        self._plane = ControlPlane(
            binary(bench.clock, self._board),
            self._folder.kubernetes,
            machine=bench.machine,
            ports=bench.ports,
            clock=bench.clock,
            reporter=self._board,
        )
        self._plane.start()
        self._plane.kubeconfig(OPERATOR, _EVERYTHING, namespace=self._namespace)
        groups = _EVERYTHING if self._options.empty else ()
        kubeconfig = self._plane.kubeconfig(USER, groups, namespace=self._namespace)
        store = self._opened()
        install(store, self._board)
        store.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}})
        self._board.publish("kubernetes", {"server": self._plane.server, "kubeconfig": str(kubeconfig)})

    def tick(self) -> None:
        """Nothing: whoever dies is told by the machine."""

    def stop(self) -> None:
        """End all three."""
        if self._store is not None:
            self._store.stop()
        if self._plane is not None:
            self._plane.stop()

    def store(self) -> ResourceStore:
        """What the operator sees of it; only once its definitions are installed."""
        if self._store is None:
            self._store = watched_store(self._opened(), self._bench.clock, KINDS, self._namespace)
            self._store.start()
        return self._store

    def _opened(self) -> KubernetesStore:
        kubeconfig = self._folder.kubernetes / f"{OPERATOR}.kubeconfig"
        return kubernetes_store("", self._bench.clock, kubeconfig=str(kubeconfig), manager=STAND_IN)
