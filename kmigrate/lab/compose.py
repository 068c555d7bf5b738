"""What a lab is made of: source, target, the sample estate with its applications, and a plan file to start from.

`python -m kmigrate.lab.compose` is the lab's supervisor with all of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from confluent_kafka.admin import AdminClient

from kmigrate.lab import control, shop, stock, supervisor
from kmigrate.lab.crds import install
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.kubernetes.part import OPERATOR, USER, KubernetesPart
from kmigrate.lab.operator.loop import Operator
from kmigrate.lab.plan_file import CLUSTER, LISTENER, NAMESPACE, plan_file
from kmigrate.lab.runtime.applications import Applications
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.board import Board
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.source import SourcePart
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.manifests.rights import Need, for_any_plan, needs
from kmigrate.manifests.roles import bindings, roles
from kmigrate.manifests.users import Rule, user
from kmigrate.model import JsonObject, Target
from kmigrate.planfile import load
from kmigrate.probes.resources import unready
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.wiring import folder_store, kubernetes_store
from kmigrate.world import Key, Reporter, Resource, ResourceStore

AUDITOR = "lab-auditor"
_TARGET_DEADLINE_MS = 180_000


def up(
    folder: LabFolder, *, brokers: int, empty: bool, reporter: Reporter, stay: bool = True, kubernetes: bool = False
) -> control.Lab:
    """Start a lab and follow it until it is up; what can go wrong is told in `control.up`."""
    return control.up(
        folder,
        brokers=brokers,
        users=(*shop.PRINCIPALS, *shop.OWN) if empty else shop.PRINCIPALS,
        empty=empty,
        clock=LabClock(),
        reporter=reporter,
        stay=stay,
        module="kmigrate.lab.compose",
        kubernetes=kubernetes,
    )


@contextmanager
def lab(
    folder: LabFolder, *, brokers: int, empty: bool, reporter: Reporter, kubernetes: bool = False
) -> Iterator[control.Lab]:
    """A lab that ends with the block, and with this process, however it ends."""
    started = up(folder, brokers=brokers, empty=empty, reporter=reporter, stay=False, kubernetes=kubernetes)
    try:
        yield started
    finally:
        started.down(clock=LabClock(), reporter=reporter)


def down(folder: LabFolder, reporter: Reporter) -> bool:
    """Take the lab down; whether there was anything to do."""
    return control.down(folder, clock=LabClock(), reporter=reporter)


def target(folder: LabFolder) -> Target:
    """The lab's target as a plan file describes it."""
    return Target(platform="lab", store=str(folder.store), namespace=NAMESPACE, cluster=CLUSTER, listener=LISTENER)


@contextmanager
def resources(folder: LabFolder) -> Iterator[ResourceStore]:
    """The target's resources of a lab that is up, as the lab itself sees them: kmigrate may not read all of them."""
    kubeconfig = folder.kubernetes / f"{OPERATOR}.kubeconfig"
    if not kubeconfig.exists():
        yield folder_store(folder.store)
        return
    with closing(kubernetes_store("", kubeconfig=str(kubeconfig))) as store:
        yield store


Store = Callable[[], ResourceStore]
"""Opens the store of the target's resources, once whoever keeps it is up; the same one every time."""


def keeper(options: supervisor.Options, bench: Bench, board: Board) -> tuple[Sequence[supervisor.Part], Store]:
    """Who must be up first so that the target's resources are kept, and their store."""
    if options.kubernetes:
        part = KubernetesPart(bench, board, options, NAMESPACE)
        return (part,), part.store
    folder = FolderPart(bench, options.folder)
    return (folder,), folder.store


class FolderPart:
    """A folder that keeps the target's resources."""

    def __init__(self, bench: Bench, folder: LabFolder) -> None:
        self._bench, self._store = bench, folder_store(folder.store, bench.clock)

    def start(self) -> None:
        """Install Strimzi's definitions."""
        install(self._store, self._bench.reporter)

    def tick(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def store(self) -> ResourceStore:
        """What is in it."""
        return self._store


class TargetPart:
    """The target: Kafka and KafkaNodePool as resources, and the stand-in that makes them real.

    `start` returns before the brokers are up, so that both clusters start side by side; `EstatePart` waits for them.
    """

    def __init__(self, options: supervisor.Options, bench: Bench, store: Store) -> None:
        self._options, self._bench, self._store = options, bench, store
        self._operator: Operator | None = None

    def start(self) -> None:
        """Apply the cluster, start the stand-in."""
        store = self._store()
        for body in self.cluster():
            store.apply(body)
        reads = [Rule(resource=kind, name="*", operations=("Describe", "Read")) for kind in ("topic", "group")]
        store.apply(user(AUDITOR, reads, target(self._options.folder)))
        self._operator = Operator(store, self._bench, NAMESPACE, takes_ms=self._options.operator_ms)
        self._operator.start()

    def cluster(self) -> tuple[JsonObject, ...]:
        """The Kafka and its pool of nodes."""
        return kafka(target(self._options.folder), brokers=self._options.brokers, config=small_machine_config())

    def tick(self) -> None:
        """Tell a defect of the stand-in, which has a thread of its own."""
        if self._operator is not None and self._operator.failure is not None:
            raise self._operator.failure

    def stop(self) -> None:
        """End the mirror, then the brokers."""
        if self._operator is not None:
            self._operator.stop()


class EstatePart:
    """The sample estate on the source, its applications, the plan file; waits for the target before it is up."""

    def __init__(
        self, options: supervisor.Options, bench: Bench, board: Board, store: Store, source: SourcePart
    ) -> None:
        self._options, self._bench, self._board = options, bench, board
        self._store, self._source = store, source

    def start(self) -> None:
        """Make the estate once, wish every application running, write the plan file."""
        folder = self._options.folder
        admin = {k: str(v) for k, v in self._source.cluster.layout.admin_config().items()}
        if not self._options.empty:
            self._write_plan()
            stock.create_estate(admin, self._board, replication=self._options.brokers)
        shop.grant(AdminClient(dict[str, str | int | float | bool](admin)), shop.tool_rights(self._least_rights()))
        if self._options.kubernetes and not self._options.empty:
            self._let_in()
        ready = self._await_target()
        where: JsonObject = {} if self._options.kubernetes else {"store": str(folder.store)}
        self._board.publish("target", {**where, "listeners": ready.status.get("listeners")})
        if not self._options.empty:
            self._install()

    def tick(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing: applications are a part of their own."""

    def _let_in(self) -> None:
        """On the API server, too, kmigrate may do what its plan needs, and no more."""
        migration, store = load(self._options.folder.extra / "kmigrate.yaml"), self._store()
        for body in (*roles(migration), *bindings(migration, USER)):
            store.apply(body)

    def _await_target(self) -> Resource:
        key, store = Key("Kafka", NAMESPACE, CLUSTER), self._store()

        def look() -> Ready[Resource] | NotYet:
            found = store.get(key)
            why = unready(found) if found else "not there"
            return Ready(found) if found and not why else NotYet(why)

        return wait_until(
            look,
            what="target",
            clock=self._bench.clock,
            reporter=self._board,
            deadline_ms=_TARGET_DEADLINE_MS,
            slowest_ms=100,
        )

    def _least_rights(self) -> tuple[Need, ...]:
        """What the plan needs, and no more; in an empty lab, where nobody knows the plan, the same over every name."""
        if self._options.empty:
            return for_any_plan(f"User:{shop.KMIGRATE}", f"User:{shop.MIRROR_FORWARD}")
        return needs(load(self._options.folder.extra / "kmigrate.yaml"))

    def _write_plan(self) -> None:
        folder = self._options.folder
        folder.extra.mkdir(mode=0o700, exist_ok=True)
        bootstrap = self._source.cluster.layout.bootstrap("CLIENT")
        (folder.extra / "kmigrate.yaml").write_text(self._plan(bootstrap))

    def _plan(self, bootstrap: str) -> str:
        kubeconfig = self._options.folder.kubernetes / f"{USER}.kubeconfig" if self._options.kubernetes else None
        return plan_file(self._options.folder, bootstrap, self._bench.certificates.ca, kubeconfig=kubeconfig)

    def _install(self) -> None:
        folder = self._options.folder
        passwords = {name: (folder.credentials / name).read_text() for name in shop.PRINCIPALS}
        bootstrap = self._source.cluster.layout.bootstrap("CLIENT")
        ca = str(self._bench.certificates.ca)
        for home in shop.install_apps(folder.root, bootstrap=bootstrap, passwords=passwords, ca=ca):
            (home / "desired").write_text("running")


def compose(options: supervisor.Options, bench: Bench, board: Board) -> Sequence[supervisor.Part]:
    """The parts of a lab in the order of their start."""
    folder = options.folder
    first, store = keeper(options, bench, board)
    source = SourcePart(bench, board, brokers=options.brokers, users=options.users, folder=folder)
    return (
        *first,
        TargetPart(options, bench, store),
        source,
        EstatePart(options, bench, board, store, source),
        Applications(folder.apps, bench.machine, bench.clock),
    )


if __name__ == "__main__":
    sys.exit(supervisor.main(composition=compose))
