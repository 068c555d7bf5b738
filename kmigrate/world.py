"""The world in our words: what steps may look at and change. No vendor type, no vendor error crosses here.

Verbs take many and answer per key. Threads live inside adapters. What fails raises an error of `errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from kmigrate.model import (
    Group,
    Json,
    JsonObject,
    Lane,
    OffsetRange,
    Partition,
    Record,
    SecretRef,
    Side,
    Topic,
)


class Clock(Protocol):
    """Time; tests hand in one that jumps."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since the epoch."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back, from an arbitrary start."""
        ...

    def sleep(self, milliseconds: int) -> None:
        """Wait; raises Interrupted when a human or the system wants us to stop."""
        ...


class Reporter:
    """What the engine tells. Every method does nothing, so the engine never asks whether anybody listens."""

    def unit_started(self, unit: str, title: str) -> None:
        """Tell that a unit begins or goes on."""

    def unit_sealed(self, unit: str) -> None:
        """Tell that all steps of a unit are verified."""

    def step_started(self, unit: str, step: str, title: str) -> None:
        """Tell that a step is about to be checked."""

    def step_skipped(self, unit: str, step: str) -> None:
        """Tell that a step was satisfied and verified already."""

    def step_done(self, unit: str, step: str, evidence: Json) -> None:
        """Tell that a step is verified, and what proves it."""

    def step_undone(self, unit: str, step: str) -> None:
        """Tell that a step is undone."""

    def progress(self, what: str, detail: str) -> None:
        """Tell how far a wait is; called often, cheap to ignore."""

    def note(self, text: str) -> None:
        """Tell one sentence that a human should read."""


@dataclass(frozen=True, slots=True)
class Key:
    """Names a resource: API kind, namespace, name. Secrets and ConfigMaps are kinds like any other."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A stored resource: `body` is the whole object with apiVersion, kind, metadata, spec and, once written, status.

    `generation` counts changes of everything but metadata and status, from 1; `version` changes with every write
    (Kubernetes API conventions: metadata.generation, metadata.resourceVersion).
    """

    key: Key
    body: JsonObject
    generation: int
    version: str

    @property
    def spec(self) -> JsonObject:
        """The wish; empty for kinds without one."""
        return _object(self.body, "spec")

    @property
    def status(self) -> JsonObject:
        """What the operator last wrote; empty before its first word."""
        return _object(self.body, "status")

    @property
    def metadata(self) -> JsonObject:
        """Name, namespace, labels, annotations, generation, resourceVersion."""
        return _object(self.body, "metadata")

    @property
    def data(self) -> JsonObject:
        """The content of a Secret (already decoded text) or a ConfigMap."""
        return _object(self.body, "data")


def _object(body: JsonObject, field: str) -> JsonObject:
    value = body.get(field)
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change that a watch saw; `resource` is the last known state for DELETED."""

    type: str
    resource: Resource


class ResourceStore(Protocol):
    """The seam between us and any operator: a folder in the lab, the Kubernetes API on a cluster."""

    def apply(self, body: JsonObject) -> Resource:
        """Create the resource or make spec, data, labels and annotations equal to the body's; status is left alone.

        Applying what is already there changes neither generation nor version. A `resourceVersion` in the body's
        metadata makes it conditional. Raises Invalid when an installed CustomResourceDefinition refuses the body,
        Conflict when the condition fails.
        """
        ...

    def get(self, key: Key) -> Resource | None:
        """The resource, or None."""
        ...

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        """All resources of a kind in a namespace, by name."""
        ...

    def delete(self, key: Key) -> bool:
        """Remove it; whether it was there."""
        ...

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        """Replace the status, nothing else; None when the resource is gone. Only operators call this."""
        ...

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        """Changes from now on, until nothing came for `timeout_ms`; then the iterator ends. First: what is there."""
        ...


class Cluster(Protocol):
    """One Kafka cluster, read-only. Records and ends are those of a read_committed reader unless said."""

    def id(self) -> str:
        """The cluster id."""
        ...

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        """The named topics that exist; a topic we may not describe is missing."""
        ...

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        """Log start and end per partition: the last stable offset, or the high watermark with `committed=False`."""
        ...

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """First offset whose timestamp is at or after the given time (ms); the log end if none (KIP-79 ListOffsets)."""
        ...

    def read(self, ranges: Mapping[Partition, OffsetRange]) -> Mapping[Partition, tuple[Record, ...]]:
        """Every visible record within each half-open range, in order. Raises Transient if the end is not reached."""
        ...


class Groups(Protocol):
    """Consumer groups of one cluster."""

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        """State and members per group; a group that does not exist is DEAD with no members."""
        ...

    def positions(self, group: str, partitions: Iterable[Partition]) -> Mapping[Partition, int | None]:
        """Committed, stable offsets (KIP-447 require_stable); None where nothing was ever committed."""
        ...

    def commit(self, group: str, positions: Mapping[Partition, int]) -> None:
        """Write positions to a group that is Empty; raises Blocked when it is not, and writes nothing then."""
        ...

    def delete(self, group: str) -> None:
        """Remove an Empty group and its positions; a group that is not there is fine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadView:
    """What was seen of an application's instances: whether one runs, and the bootstrap address it is set to."""

    running: bool
    bootstrap: str


class Workload(Protocol):
    """The instances of one application, whoever runs them."""

    def look(self) -> WorkloadView:
        """Ask whether instances run and where their settings point."""
        ...

    def stop(self) -> None:
        """Stop all instances; returns when they are gone. Twice equals once."""
        ...

    def switch(self, side: Side) -> None:
        """Write the address and credentials of that side into the settings, instances stopped. Twice equals once."""
        ...

    def start(self) -> None:
        """Start the instances with the settings as they are. Twice equals once."""
        ...


class Ledger(Protocol):
    """Durable facts of the unit in hand; a fact is on disk before `put` returns."""

    def get(self, name: str) -> Json:
        """The last value put under that name in this unit, or None."""
        ...

    def put(self, name: str, value: Json) -> None:
        """Write a fact; it is on disk when this returns."""
        ...


class Mirror(Protocol):
    """The mirror that the resources ask for, looked at through its own topics and its operator's status."""

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition, from Connect's own offsets topic; missing where nothing was."""
        ...

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong: a connector or task that FAILED, a resource that is NotReady."""
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

    def cluster(self, side: Side) -> Cluster:
        """Read a cluster."""
        ...

    def groups(self, side: Side) -> Groups:
        """The groups of a cluster."""
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

    def workload(self, application: str) -> Workload:
        """The instances of an application."""
        ...
