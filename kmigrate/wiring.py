"""The only place where the World meets adapters."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from kmigrate import interrupt
from kmigrate.adapters.access import SignedAccess
from kmigrate.adapters.commands import CommandWorkloads, Settings
from kmigrate.adapters.fence import AclFence, UserFence
from kmigrate.adapters.folder import FolderStore
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.kafka import Connection, KafkaCluster, KafkaGroups, Login
from kmigrate.adapters.manual import ManualWorkloads, Place
from kmigrate.adapters.mirror import ConnectMirror
from kmigrate.adapters.secrets import SecretReader
from kmigrate.adapters.system import SystemClock
from kmigrate.adapters.together import as_one
from kmigrate.advice import Inventory
from kmigrate.errors import Blocked
from kmigrate.journal import Journal
from kmigrate.model import Application, Auth, CommandWorkload, Json, Migration, SecretRef, Side, Source, Target
from kmigrate.planfile import authority
from kmigrate.probes.inventory import take_inventory
from kmigrate.probes.resources import require
from kmigrate.steps.provision import KMIGRATE_USER, MIRROR_USER
from kmigrate.world import Clock, Key, Ledger, Reporter, ResourceStore, Workload, World


class NoLedger:
    """The ledger of nothing: facts are asked for outside of any unit (world.Ledger)."""

    def every(self, name: str) -> tuple[Json, ...]:
        """Nothing is known."""
        return ()

    def get(self, name: str) -> None:
        """Nothing is known."""
        return

    def put(self, name: str, value: object) -> None:
        """Refuse: a fact belongs to a unit."""
        raise AssertionError(f"the fact {name} was put outside of a unit")


@dataclass(frozen=True, kw_only=True)
class Wires:
    """What is opened once and shared by every bound copy of the world."""

    migration: Migration
    resources: ResourceStore
    secrets: SecretReader
    connections: dict[Side, Connection] = field(default_factory=dict)
    mirror: list[ConnectMirror] = field(default_factory=list)


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
            self.wires.mirror.append(
                ConnectMirror(self.resources, namespace, lambda: self._connection(Side.TARGET), kept)
            )
        return self.wires.mirror[0]

    def bound(self, ledger: Ledger) -> LiveWorld:
        """The same world, with the ledger of another unit."""
        return replace(self, ledger=ledger)

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
            mirror = self.secrets.username(self.wires.migration.mirror_auth)
            ours = frozenset({f"User:{connection.login.username}", f"User:{mirror}"})
            return AclFence(connection=connection, spared=ours)
        return UserFence(
            store=self.resources,
            namespace=self.wires.migration.target.namespace,
            connection=connection,
            spared=frozenset({f"User:{KMIGRATE_USER}", f"User:{MIRROR_USER}"}),
        )

    def access(self, side: Side) -> SignedAccess:
        """What applications may do on a cluster, tried with their own credentials."""
        return SignedAccess(
            application=self.wires.migration.application,
            brokers=lambda: self.cluster(side).brokers(),
            logins=lambda app: self._logins(app, side),
        )

    def _logins(self, app: Application, side: Side) -> tuple[Login, ...]:
        """The application's own credentials on that side, as far as the plan refers to them."""
        own = self._connection(side).login
        if side is Side.TARGET:
            return tuple(
                replace(own, username=p.target, password=self._target_password(p.target)) for p in app.principals
            )
        auths = [p.source_auth for p in app.principals if p.source_auth is not None]
        return tuple(replace(own, **self._credential(auth)) for auth in auths)

    def _credential(self, auth: Auth) -> dict[str, str]:
        """How somebody signs in to the source."""
        return {
            "mechanism": auth.mechanism,
            "username": self.secrets.username(auth),
            "password": self.secrets.resolve(auth.password),
        }

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
        addresses = {Side.SOURCE: self.wires.migration.source.bootstrap, Side.TARGET: self._target_bootstrap()}
        return next((side for side, known in addresses.items() if wanted & set(known.split(","))), None)

    def close(self) -> None:
        """Close what was opened."""
        for mirror in self.wires.mirror:
            mirror.close()
        for connection in self.wires.connections.values():
            connection.close()

    def _connection(self, side: Side) -> Connection:
        if side not in self.wires.connections:
            login = self._source_login() if side is Side.SOURCE else self._target_login()
            self.wires.connections[side] = Connection(login)
        return self.wires.connections[side]

    def _source_login(self) -> Login:
        source = self.wires.migration.source
        return Login(
            name="source",
            bootstrap=source.bootstrap,
            **self._credential(source.auth),
            ca=authority(source.ca),
        )

    def _target_login(self) -> Login:
        return Login(
            name="target",
            bootstrap=self._target_bootstrap(),
            mechanism="SCRAM-SHA-512",
            username=KMIGRATE_USER,
            password=self._target_password(KMIGRATE_USER),
            ca=self._target_ca(),
        )

    def _settings(self, app: Application, side: Side) -> Settings:
        """What the application signs in with on that side; its first principal is the one that connects."""
        principal = app.principals[0]
        common = {"protocol": "SASL_SSL"}
        if side is Side.TARGET:
            return common | {
                "bootstrap": self._target_bootstrap(),
                "mechanism": "SCRAM-SHA-512",
                "username": principal.target,
                "password": self._target_password(principal.target),
                "ca": self._target_ca(),
            }
        if principal.source_auth is None:
            raise Blocked(
                f"{app.name} goes back to the source, and the plan file does not say its credential there",
                hint=f"add sourceAuth to its principal {principal.source}, or point it back yourself",
            )
        source = self.wires.migration.source
        address = {"bootstrap": source.bootstrap, "ca": authority(source.ca)}
        return common | address | self._credential(principal.source_auth)

    def _place(self, app: Application, side: Side) -> Place:
        """What a human is told of that side: no secret."""
        principal = app.principals[0]
        if side is Side.TARGET:
            return Place(bootstrap=self._target_bootstrap(), username=principal.target, mechanism="SCRAM-SHA-512")
        source, name = self.wires.migration.source, principal.source.removeprefix("User:")
        mechanism = (principal.source_auth or source.auth).mechanism
        return Place(bootstrap=source.bootstrap, username=name, mechanism=mechanism)

    def _target_bootstrap(self) -> str:
        target = self.wires.migration.target
        kafka = self.resources.get(Key("Kafka", target.namespace, target.cluster))
        listed = kafka.status.get("listeners") if kafka else None
        for listener in listed if isinstance(listed, list | tuple) else ():
            if isinstance(listener, Mapping) and listener.get("name") == target.listener:
                return str(listener["bootstrapServers"])
        raise Blocked(
            f"Kafka {target.cluster} tells no address for the listener {target.listener}",
            hint="run `kmigrate apply --phase provision`, or correct target.cluster.listener in the plan file",
        )

    def _target_password(self, user: str) -> str:
        namespace = self.wires.migration.target.namespace
        require(self, Key("KafkaUser", namespace, user))
        return self.secrets.resolve(SecretRef(namespace=namespace, name=user, key="password"))

    def _target_ca(self) -> str:
        target = self.wires.migration.target
        name = f"{target.cluster}-cluster-ca-cert"
        return self.secrets.resolve(SecretRef(namespace=target.namespace, name=name, key="ca.crt"))


def open_world(migration: Migration, reporter: Reporter) -> LiveWorld:
    """The world of a migration; nothing is connected yet."""
    clock = SystemClock()
    resources = folder_store(Path(migration.target.store), clock)
    secrets = SecretReader(resources, migration.target.namespace)
    wires = Wires(migration=migration, resources=resources, secrets=secrets)
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


@contextmanager
def open_journal(migration: Migration, *, read_only: bool = False) -> Iterator[Journal]:
    """The journal of a migration, locked for this process unless it is only read."""
    clock = SystemClock()
    who = f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}"
    lines = JournalFile(Path(migration.journal), who, read_only=read_only)
    try:
        with nullcontext() if read_only else interrupt.careful():
            yield Journal(lines, clock, who, migration.name, interrupt.check)
    finally:
        lines.close()


def bind(journal: Journal, world: World, *, read_only: bool) -> None:
    """Hold the journal to the ids that the clusters tell (journal.bind); a target that is not there yet binds later."""
    source = world.cluster(Side.SOURCE).id()
    try:
        target = world.cluster(Side.TARGET).id()
    except Blocked:
        target = ""
    (journal.belongs_to if read_only else journal.bind)(source, target)


def folder_store(root: Path, clock: Clock | None = None) -> FolderStore:
    """A store of resources in a folder."""
    return FolderStore(root, clock or SystemClock())
