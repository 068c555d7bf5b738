"""The whole world in memory: an estate with all that happens by itself, and what kmigrate sees of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kmigrate.adapters.memory.access import MemoryAccess
from kmigrate.adapters.memory.claim import MemoryClaim
from kmigrate.adapters.memory.clock import MemoryClock
from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.facts import NoFacts
from kmigrate.adapters.memory.fence import MemoryAclFence, MemoryUserFence
from kmigrate.adapters.memory.groups import MemoryGroups
from kmigrate.adapters.memory.lanes import MemoryLanes
from kmigrate.adapters.memory.mirror import MemoryMirror
from kmigrate.adapters.memory.operator import MemoryOperator
from kmigrate.adapters.memory.secrets import MemorySecrets
from kmigrate.adapters.memory.source_admin import MemorySourceAdmin
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.adapters.memory.transactions import MemoryTransactions
from kmigrate.adapters.memory.workload import MemoryWorkload
from kmigrate.adapters.together import as_one
from kmigrate.manifests.internal import ledger_name
from kmigrate.model import Application, Migration, Right, Side
from kmigrate.world import Ledger, Reporter, Workload

E = TypeVar("E", bound="MemoryEstate")

TARGET_ADDRESS = "target:9092"


@dataclass(slots=True)
class MemoryEstate(State):
    """Everything outside of kmigrate for a migration, which lives on when kmigrate dies.

    Nothing asynchronous is true when a call returns: it becomes true while somebody waits (`turn`). Who may do what on
    the source is what the applications of the plan need; the target is empty.
    """

    migration: Migration
    death: Death = field(default_factory=Death)
    clock: MemoryClock = field(default_factory=MemoryClock)
    clusters: dict[Side, MemoryCluster] = field(init=False)
    groups: dict[Side, MemoryGroups] = field(init=False)
    store: MemoryStore = field(init=False)
    mirror: MemoryMirror = field(init=False)
    operator: MemoryOperator = field(init=False)
    secrets: MemorySecrets = field(init=False)
    fences: dict[Side, MemoryAclFence | MemoryUserFence] = field(init=False)
    source_admin: MemorySourceAdmin = field(init=False)
    transactions: dict[Side, MemoryTransactions] = field(init=False)
    access: dict[Side, MemoryAccess] = field(init=False)
    claim: MemoryClaim = field(init=False)
    workloads: dict[str, MemoryWorkload] = field(init=False)

    def __post_init__(self) -> None:
        self.clock.work = self.turn
        self.clusters = {side: MemoryCluster(str(side), (address,)) for side, address in self.addresses.items()}
        self.groups = {side: MemoryGroups(str(side), self.death) for side in Side}
        source, target, namespace = *self.clusters.values(), self.migration.target.namespace
        self.store = MemoryStore(self.clock, self.death)
        back = MemoryLanes(source=target, target=source)
        self.mirror = MemoryMirror(store=self.store, namespace=namespace, source=source, target=target, back=back)
        listeners = {self.migration.target.listener: TARGET_ADDRESS}
        self.operator = MemoryOperator(self.store, target, self.mirror, listeners)
        self.secrets = MemorySecrets(self.store, namespace)
        self.fences = {
            Side.SOURCE: MemoryAclFence("source", source, self.death, known=_known(self.migration, Side.SOURCE)),
            Side.TARGET: MemoryUserFence(self.store, namespace, target, known=_known(self.migration, Side.TARGET)),
        }
        login = self.migration.reverse_auth
        known = (login.known_as if login else None) or ""
        back.principals = {str(login.username): known} if login else {}
        self.source_admin = MemorySourceAdmin(source, self.death, known)
        self.transactions = {
            side: MemoryTransactions(str(side), cluster, self.clock, self.death)
            for side, cluster in self.clusters.items()
        }
        self.access = {side: MemoryAccess(self.migration, side, cluster) for side, cluster in self.clusters.items()}
        self.claim = MemoryClaim(target, ledger_name(self.migration.name), self.death)
        self.workloads = {app.name: self._workload(app) for app in self.migration.applications}
        source.acls.rules = {right for app in self.migration.applications for right in _rights(app)}
        source.acls.work()
        source.users = {right.principal.removeprefix("User:") for right in source.acls.rules}
        mirrors = (self.migration.mirror_auth, self.migration.reverse_auth)
        source.users |= {str(auth.username) for auth in mirrors if auth is not None}

    @property
    def addresses(self) -> Mapping[Side, str]:
        """Where clients find either side."""
        return {Side.SOURCE: self.migration.source.bootstrap, Side.TARGET: TARGET_ADDRESS}

    def turn(self) -> None:
        """A little time passes for everybody."""
        self.operator.work()
        self.source_admin.work()
        for cluster in self.clusters.values():
            cluster.acls.work()
        self.mirror.turn()
        for workload in self.workloads.values():
            workload.work()

    def copy(self: E) -> E:
        """The same estate, which goes its own way from here on."""
        return copy.deepcopy(self)

    def _workload(self, app: Application) -> MemoryWorkload:
        return MemoryWorkload(app, self.addresses, self.clusters, self.groups, self.clock, self.death)


@dataclass(frozen=True, slots=True)
class MemoryWorld:
    """What kmigrate sees of an estate (world.World)."""

    estate: MemoryEstate
    ledger: Ledger = field(default_factory=NoFacts)
    reporter: Reporter = field(default_factory=Reporter)

    def bound(self, ledger: Ledger) -> MemoryWorld:
        """The same world, with the ledger of another unit."""
        return type(self)(self.estate, ledger, self.reporter)

    @property
    def clock(self) -> MemoryClock:
        """Time."""
        return self.estate.clock

    @property
    def resources(self) -> MemoryStore:
        """The resources that the slow operator makes real."""
        return self.estate.store

    @property
    def mirror(self) -> MemoryMirror:
        """The mirror."""
        return self.estate.mirror

    @property
    def secrets(self) -> MemorySecrets:
        """Secrets by reference."""
        return self.estate.secrets

    @property
    def claim(self) -> MemoryClaim:
        """Who works on the migration."""
        return self.estate.claim

    def cluster(self, side: Side) -> MemoryCluster:
        """Read a cluster."""
        return self.estate.clusters[side]

    def groups(self, side: Side) -> MemoryGroups:
        """The groups of a cluster."""
        return self.estate.groups[side]

    def fence(self, side: Side) -> MemoryAclFence | MemoryUserFence:
        """What clients of a cluster are denied."""
        return self.estate.fences[side]

    @property
    def source_admin(self) -> MemorySourceAdmin:
        """All that is written on the source beside fences and positions."""
        return self.estate.source_admin

    def transactions(self, side: Side) -> MemoryTransactions:
        """The transactions of a cluster."""
        return self.estate.transactions[side]

    def access(self, side: Side) -> MemoryAccess:
        """What applications may do on a cluster."""
        return self.estate.access[side]

    def side_of(self, bootstrap: str) -> Side | None:
        """Which side an address belongs to."""
        return next((side for side, known in self.estate.addresses.items() if known == bootstrap), None)

    def workload(self, *applications: str) -> Workload:
        """The instances of applications."""
        return as_one(in_turn=[self.estate.workloads[name] for name in applications])


def _known(migration: Migration, side: Side) -> frozenset[str]:
    """The principals whose credential on that side the plan refers to."""
    every = [principal for app in migration.applications for principal in app.principals]
    if side is Side.TARGET:
        return frozenset(f"User:{each.target}" for each in every)
    return frozenset(each.on(side) for each in every if each.source_auth is not None)


def _rights(app: Application) -> Iterator[Right]:
    """What an application needs on the source."""
    for principal in app.principals:
        who = principal.on(Side.SOURCE)
        for reads in app.reads:
            yield Right(principal=who, resource="group", name=reads.group, operation="Read")
        for topic in app.topics_read:
            yield Right(principal=who, resource="topic", name=topic, operation="Read")
        for topic in app.writes:
            yield Right(principal=who, resource="topic", name=topic, operation="Write")
