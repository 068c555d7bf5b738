"""The world as it is: which adapter stands for what."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from kmigrate.adapters.access import SignedAccess
from kmigrate.adapters.claims import LedgerTopic
from kmigrate.adapters.commands import CommandWorkloads, Settings
from kmigrate.adapters.fence import AclFence, UserFence
from kmigrate.adapters.folder import FolderStore
from kmigrate.adapters.kafka import Connection, KafkaCluster, KafkaGroups, KafkaTransactions
from kmigrate.adapters.kafka.lines import Lines
from kmigrate.adapters.ledger_topic import KafkaLedgerTopic
from kmigrate.adapters.logins import Logins
from kmigrate.adapters.manual import ManualWorkloads, Place
from kmigrate.adapters.mirror import ConnectMirror
from kmigrate.adapters.secrets import SecretReader
from kmigrate.adapters.source_admin import KafkaSourceAdmin
from kmigrate.adapters.system import SystemClock, never_dumped
from kmigrate.adapters.tail import look_for
from kmigrate.adapters.together import as_one
from kmigrate.advice import Inventory
from kmigrate.errors import Blocked
from kmigrate.manifests.internal import ledger_id, ledger_name
from kmigrate.manifests.rights import KMIGRATE_USER, MIRROR_USER, REVERSE_USER
from kmigrate.model import Application, Auth, CommandWorkload, Json, Migration, SecretRef, Side, Source, Target
from kmigrate.planfile import authority
from kmigrate.probes.inventory import take_inventory
from kmigrate.wiring.kubernetes import kubernetes_store
from kmigrate.world import Claim, Clock, Key, Ledger, Reporter, ResourceStore, Workload


class NoLedger:
    """The ledger of nothing: facts are asked for outside of any unit (world.Ledger)."""

    sealed = False

    def by_unit(self, name: str) -> dict[str, Json]:
        """Nothing is known."""
        return {}

    def get(self, name: str) -> None:
        """Nothing is known."""
        return

    def put(self, name: str, value: object) -> None:
        """Refuse: a fact belongs to a unit."""
        raise AssertionError(f"the fact {name} was put outside of a unit")


@dataclass(frozen=True, kw_only=True)
class Wires:
    """What is opened once, on first use, and shared by every bound copy of the world."""

    migration: Migration
    open_resources: Callable[[], ResourceStore]
    connections: dict[Side, Connection] = field(default_factory=dict)
    lines: Lines = field(default_factory=Lines)
    mirror: list[ConnectMirror] = field(default_factory=list)
    claim: list[Claim] = field(default_factory=list)
    closing: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def resources(self) -> ResourceStore:
        """The resources; raises UsageError where the plan file names no place that there is."""
        return self.open_resources()

    @cached_property
    def secrets(self) -> SecretReader:
        """Secrets by reference, those in Kubernetes too."""
        return SecretReader(self.resources, self.migration.target.namespace)


@dataclass(frozen=True, kw_only=True)
class LiveWorld:
    """The world as it is (world.World); connections open on first use and stay warm until `close`."""

    wires: Wires
    clock: Clock
    reporter: Reporter
    ledger: Ledger

    @property
    def resources(self) -> ResourceStore:
        """The resources that the operator makes real."""
        return self.wires.resources

    @property
    def secrets(self) -> SecretReader:
        """Secrets by reference."""
        return self.wires.secrets

    @property
    def mirror(self) -> ConnectMirror:
        """The mirror's own word on how far it is."""
        if not self.wires.mirror:
            namespace = self.wires.migration.target.namespace
            kept = Path(self.wires.migration.journal)
            self.wires.mirror.append(ConnectMirror(self.resources, namespace, self._connection, kept))
        return self.wires.mirror[0]

    def bound(self, ledger: Ledger) -> LiveWorld:
        """The same world, with the ledger of another unit."""
        return replace(self, ledger=ledger)

    @property
    def claim(self) -> Claim:
        """Who works on the migration: the journal that was opened last knows."""
        return self.wires.claim[-1]

    def ledger_topic(self) -> LedgerTopic | None:
        """Where claim and journal lie on the target; None while nobody has made it."""
        migration = self.wires.migration
        name, namespace = ledger_name(migration.name), migration.target.namespace
        if self.resources.get(Key("KafkaTopic", namespace, name)) is None:
            return None
        connection = self._connection(Side.TARGET)
        return KafkaLedgerTopic(connection, name, ledger_id(migration.name)) if look_for(connection, name) else None

    def cluster(self, side: Side) -> KafkaCluster:
        """Read a cluster."""
        return KafkaCluster(self._connection(side))

    def groups(self, side: Side) -> KafkaGroups:
        """The groups of a cluster."""
        return KafkaGroups(self._connection(side))

    def fence(self, side: Side) -> AclFence | UserFence:
        """What clients of a cluster are denied."""
        connection = self._connection(side)
        if side is Side.SOURCE:
            mirrors = (self.wires.migration.mirror_auth, self.wires.migration.reverse_auth)
            ours = {connection.login.username, *(self.secrets.username(auth) for auth in mirrors if auth)}
            every = (self.wires.migration.source.auth, *mirrors)
            named = {auth.principal for auth in every if auth and auth.principal}
            spared = frozenset(f"User:{name}" for name in ours) | named
            logins = partial(self.logins.of_principal, side=side)
            return AclFence(connection=connection, spared=spared, logins=logins, lines=self.wires.lines)
        return UserFence(
            store=self.resources,
            namespace=self.wires.migration.target.namespace,
            connection=connection,
            spared=frozenset({f"User:{KMIGRATE_USER}", f"User:{MIRROR_USER}", f"User:{REVERSE_USER}"}),
            logins=partial(self.logins.of_principal, side=side),
            lines=self.wires.lines,
        )

    @property
    def source_admin(self) -> KafkaSourceAdmin:
        """All that is written on the source beside fences and positions."""
        back = self.wires.migration.reverse_auth
        mirror = (back.principal or f"User:{self.secrets.username(back)}") if back else ""
        return KafkaSourceAdmin(connection=self._connection(Side.SOURCE), mirror=mirror)

    def transactions(self, side: Side) -> KafkaTransactions:
        """The transactions of a cluster."""
        return KafkaTransactions(connection=self._connection(side))

    def access(self, side: Side) -> SignedAccess:
        """What credentials of the plan file may do on a cluster, tried."""
        return SignedAccess(
            application=self.wires.migration.application,
            brokers=lambda: self.cluster(side).brokers(),
            logins=lambda app: self.logins.of_application(app, side),
            signed=lambda auth: self.logins.of(auth, side),
        )

    @property
    def logins(self) -> Logins:
        """Who signs in, and how."""
        migration = self.wires.migration
        return Logins(
            world=self,
            migration=migration,
            resources=self.resources,
            secrets=self.secrets,
            own=KMIGRATE_USER,
            ca=lambda: authority(migration.source.ca),
        )

    def workload(self, *applications: str) -> Workload:
        """The instances of applications."""
        every = [self._workload(self.wires.migration.application(name)) for name in applications]
        return as_one(
            beside=[one for one in every if isinstance(one, CommandWorkloads)],
            in_turn=[one for one in every if not isinstance(one, CommandWorkloads)],
        )

    def _workload(self, app: Application) -> CommandWorkloads | ManualWorkloads:
        folder = Path(self.wires.migration.journal)
        commands = tuple(work for work in app.workloads if isinstance(work, CommandWorkload))
        if commands:
            return CommandWorkloads(app.name, commands, lambda side: self._settings(app, side), folder)
        return ManualWorkloads(
            app=app,
            groups=self.groups,
            place=lambda side: self._place(app, side),
            clock=self.clock,
            reporter=self.reporter,
            pointed=folder / f"pointed-{app.name}",
        )

    def side_of(self, bootstrap: str) -> Side | None:
        """Which side an address belongs to."""
        wanted = set(bootstrap.split(","))
        addresses = {Side.SOURCE: self.wires.migration.source.bootstrap, Side.TARGET: self.logins.target_bootstrap()}
        return next((side for side, known in addresses.items() if wanted & set(known.split(","))), None)

    def close(self) -> None:
        """Close what was opened."""
        for mirror in self.wires.mirror:
            mirror.close()
        for connection in self.wires.connections.values():
            connection.close()
        self.wires.lines.close()
        self.wires.closing.close()

    def _connection(self, side: Side) -> Connection:
        if side not in self.wires.connections:
            self.wires.connections[side] = Connection(self.logins.ours(side))
        return self.wires.connections[side]

    def _settings(self, app: Application, side: Side) -> Settings:
        """What the application signs in with on that side; its first principal is the one that connects."""
        principal = app.principals[0]
        common = {"protocol": "SASL_SSL"}
        if side is Side.TARGET:
            return common | {
                "bootstrap": self.logins.target_bootstrap(),
                "mechanism": "SCRAM-SHA-512",
                "username": principal.target,
                "password": self.logins.target_password(principal.target),
                "ca": self.logins.target_ca(),
            }
        if principal.source_auth is None:
            raise Blocked(
                f"{app.name} goes back to the source, and the plan file does not say its credential there",
                hint=f"add sourceAuth to its principal {principal.source}, or point it back yourself",
            )
        source = self.wires.migration.source
        address = {"bootstrap": source.bootstrap, "ca": authority(source.ca)}
        return common | address | self.logins.credential(principal.source_auth)

    def _place(self, app: Application, side: Side) -> Place:
        """What a human is told of that side: no secret."""
        principal = app.principals[0]
        if side is Side.TARGET:
            return Place(bootstrap=self.logins.target_bootstrap(), username=principal.target, mechanism="SCRAM-SHA-512")
        source, name = self.wires.migration.source, principal.source.removeprefix("User:")
        mechanism = (principal.source_auth or source.auth).mechanism
        return Place(bootstrap=source.bootstrap, username=name, mechanism=mechanism)


def open_world(migration: Migration, reporter: Reporter) -> LiveWorld:
    """The world of a migration; nothing is connected yet. From here on this process holds secrets."""
    never_dumped()
    clock = SystemClock()
    closing = ExitStack()
    opening = partial(_store, migration.target, clock, closing)
    wires = Wires(migration=migration, open_resources=opening, closing=closing)
    return LiveWorld(wires=wires, clock=clock, reporter=reporter, ledger=NoLedger())


def source_inventory(bootstrap: str, username: str, password: SecretRef, *, ca: str = "") -> Inventory:
    """What is there on a source that no plan file describes yet; reads only, `ca` is a PEM file.

    Raises UsageError for a secret or a file that is not there, else what the cluster raises.
    """
    auth = Auth(type="plain", username=username, password=password)
    nowhere = Target(platform="", store="", namespace="", cluster="", listener="")
    source = Source(bootstrap=bootstrap, auth=auth, ca=ca)
    migration = Migration(name="", source=source, target=nowhere, topics=(), applications=(), mirror_auth=auth)
    world = open_world(migration, Reporter())
    try:
        return take_inventory(world, migration)
    finally:
        world.close()


def _store(target: Target, clock: Clock, closing: ExitStack) -> ResourceStore:
    if not target.in_kubernetes:
        return folder_store(Path(target.store), clock)
    store = kubernetes_store(target.context, clock, kubeconfig=target.kubeconfig)
    closing.callback(store.close)
    return store


def folder_store(root: Path, clock: Clock | None = None) -> FolderStore:
    """A store of resources in a folder."""
    return FolderStore(root, clock or SystemClock())
