"""The only place where the World meets adapters."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from kmigrate.adapters.commands import CommandWorkloads, Settings
from kmigrate.adapters.folder import FolderStore
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.kafka import Connection, KafkaCluster, KafkaGroups, Login
from kmigrate.adapters.mirror import ConnectMirror
from kmigrate.adapters.secrets import SecretReader
from kmigrate.adapters.system import SystemClock
from kmigrate.errors import Blocked, UsageError
from kmigrate.journal import Journal
from kmigrate.model import Application, Migration, SecretRef, Side
from kmigrate.probes.resources import require
from kmigrate.steps.provision import KMIGRATE_USER
from kmigrate.world import Clock, Key, Ledger, Reporter, ResourceStore


class NoLedger:
    """The ledger of nothing: facts are asked for outside of any unit (world.Ledger)."""

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
            self.wires.mirror.append(ConnectMirror(self.resources, namespace, lambda: self._connection(Side.TARGET)))
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

    def workload(self, application: str) -> CommandWorkloads:
        """The instances of an application."""
        app = self.wires.migration.application(application)
        folder = Path(self.wires.migration.journal)
        return CommandWorkloads(app.name, app.workloads, lambda side: self._settings(app, side), folder)

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
            mechanism="PLAIN",
            username=self.secrets.username(source.auth),
            password=self.secrets.resolve(source.auth.password),
            ca=_pem(source.ca),
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
        return common | {
            "bootstrap": self.wires.migration.source.bootstrap,
            "mechanism": "PLAIN",
            "username": self.secrets.username(principal.source_auth),
            "password": self.secrets.resolve(principal.source_auth.password),
            "ca": _pem(self.wires.migration.source.ca),
        }

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


@contextmanager
def open_journal(migration: Migration, *, read_only: bool = False) -> Iterator[Journal]:
    """The journal of a migration, locked for this process unless it is only read."""
    clock = SystemClock()
    who = f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}"
    lines = JournalFile(Path(migration.journal), who, read_only=read_only)
    try:
        yield Journal(lines, clock, who, migration.name)
    finally:
        lines.close()


def folder_store(root: Path, clock: Clock | None = None) -> FolderStore:
    """A store of resources in a folder."""
    return FolderStore(root, clock or SystemClock())


def _pem(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text()
    except OSError as error:
        raise UsageError(f"the CA {file} cannot be read: {error.strerror}", hint="correct source.ca") from error
