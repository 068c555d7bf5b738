"""The world in our words: what steps may look at and change. No vendor type, no vendor error crosses here.

Verbs take many and answer per key. Threads live inside adapters. What fails raises an error of `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kmigrate.model import Json, SecretRef, Side
from kmigrate.world.claim import Claim
from kmigrate.world.kafka import Access, Cluster, Fence, Groups, Mirror, SourceAdmin, Transactions
from kmigrate.world.resources import FIELD_MANAGER, Event, Key, Resource, ResourceStore, revise
from kmigrate.world.telling import Clock, Reporter

__all__ = [
    "FIELD_MANAGER",
    "Access",
    "Claim",
    "Clock",
    "Cluster",
    "Event",
    "Fence",
    "Groups",
    "Key",
    "Ledger",
    "Mirror",
    "Reporter",
    "Resource",
    "ResourceStore",
    "Secrets",
    "SourceAdmin",
    "Transactions",
    "Workload",
    "WorkloadView",
    "World",
    "revise",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadView:
    """What was seen of an application's instances: whether one runs, and the bootstrap address it is set to.

    `missing` has one sentence for each thing without which they could not be stopped, switched or started.
    """

    running: bool
    bootstrap: str
    missing: tuple[str, ...] = ()


class Workload(Protocol):
    """The instances of one application, whoever runs them.

    Verbs that change something raise StillUnderWay once `deadline_ms` has passed: an application that stands still is
    waited for no longer than its pause may last.
    """

    def look(self) -> WorkloadView:
        """Ask whether instances run and where their settings point."""
        ...

    def stop(self, deadline_ms: int) -> None:
        """Stop all instances; returns when they are gone. Twice equals once."""
        ...

    def switch(self, side: Side, deadline_ms: int) -> None:
        """Write the address and credentials of that side into the settings, instances stopped. Twice equals once."""
        ...

    def start(self, deadline_ms: int) -> None:
        """Start the instances with the settings as they are. Twice equals once."""
        ...


class Ledger(Protocol):
    """Durable facts of the unit in hand; a fact is on disk before `put` returns."""

    @property
    def sealed(self) -> bool:
        """Whether this unit was sealed: what it has not written down by then it does not claim."""
        ...

    def by_unit(self, name: str) -> Mapping[str, Json]:
        """The last value under that name in each unit that has one, this one's too, in the order units were begun."""
        ...

    def get(self, name: str) -> Json:
        """The last value put under that name in this unit, or None."""
        ...

    def put(self, name: str, value: Json) -> None:
        """Write a fact; it is on disk when this returns."""
        ...


class Secrets(Protocol):
    """Secrets by reference; the secret itself never crosses this line."""

    def exists(self, name: str) -> bool:
        """Whether there is a Secret of that name in the target's namespace."""
        ...

    def stored(self, name: str, key: str, reference: SecretRef) -> bool:
        """Whether the Secret holds, under the key, what the reference points to."""
        ...

    def store(self, name: str, key: str, reference: SecretRef) -> None:
        """Put what the reference points to into the Secret, under the key."""
        ...

    def remove(self, name: str) -> None:
        """Remove the Secret; one that is not there is fine."""
        ...


class World(Protocol):
    """Everything a step may touch, by subject."""

    def bound(self, ledger: Ledger) -> World:
        """The same world, with the ledger of another unit."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def reporter(self) -> Reporter:
        """Who is told."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The facts of the unit in hand."""
        ...

    @property
    def resources(self) -> ResourceStore:
        """The resources that the operator makes real."""
        ...

    @property
    def claim(self) -> Claim:
        """Who works on the migration, and the copy of its journal."""
        ...

    def cluster(self, side: Side) -> Cluster:
        """Read a cluster."""
        ...

    def groups(self, side: Side) -> Groups:
        """The groups of a cluster."""
        ...

    def fence(self, side: Side) -> Fence:
        """What clients of a cluster are denied."""
        ...

    @property
    def source_admin(self) -> SourceAdmin:
        """All that is written on the source beside fences and positions."""
        ...

    def transactions(self, side: Side) -> Transactions:
        """The transactions of a cluster."""
        ...

    def access(self, side: Side) -> Access:
        """What applications may do on a cluster, tried with their own credentials."""
        ...

    def side_of(self, bootstrap: str) -> Side | None:
        """Which side a bootstrap address belongs to; None for a stranger."""
        ...

    @property
    def mirror(self) -> Mirror:
        """The mirror's own word on how far it is."""
        ...

    @property
    def secrets(self) -> Secrets:
        """Secrets by reference."""
        ...

    def workload(self, *applications: str) -> Workload:
        """The instances of an application, or of several as of one: stopped and started side by side."""
        ...
