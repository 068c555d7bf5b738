"""What the operator's halves for Kafka Connect share: an attempt, what it tells when it fails, and the workers.

Source: io.strimzi.operator.cluster.operator.assembly.AbstractConnectOperator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from kmigrate.errors import PlatformError, Transient
from kmigrate.lab.operator.status import Condition, Rejected, not_ready, write
from kmigrate.lab.operator.workers import Workers
from kmigrate.lab.runtime.bench import Bench
from kmigrate.model import Json, JsonObject
from kmigrate.world import Resource, ResourceStore

_BUSY_MS = 20_000


class Reconciler(ABC):
    """One kind of a namespace; `resolve` finds the address behind a Service's name."""

    creating: ClassVar[str] = ""

    def __init__(self, store: ResourceStore, bench: Bench, folder: Path, resolve: Callable[[str], str]) -> None:
        self._store = store
        self._bench = bench
        self._folder = folder
        self._resolve = resolve
        self._troubled: dict[str, int] = {}

    def reconcile(self, resource: Resource) -> bool:
        """One step towards what the resource says; False when it must be looked at again in a moment."""
        if self.creating and not resource.status:
            self._write(resource, [not_ready("Creating", self.creating)], {})
        try:
            done = self._converge(resource)
            self._troubled.pop(resource.key.name, None)
        except Transient as error:
            return self._bear(resource, error)
        except (Rejected, PlatformError) as error:
            self._fail(resource, error.reason if isinstance(error, Rejected) else "ConnectRestException", error.message)
            return True
        return done

    @abstractmethod
    def _converge(self, resource: Resource) -> bool:
        """The step itself; raises Rejected, PlatformError, or Transient for what may pass."""

    def _bear(self, resource: Resource, error: Transient) -> bool:
        """Connect is busy for a while in every rebalance; only what lasts is told. It is tried again either way."""
        now = self._bench.clock.monotonic_ms()
        if now - self._troubled.setdefault(resource.key.name, now) > _BUSY_MS:
            self._fail(resource, "ConnectRestException", error.message)
        return False

    def _fail(self, resource: Resource, reason: str, message: str) -> None:
        self._write(resource, [not_ready(reason, message)], self._left(resource))

    def _left(self, _: Resource) -> dict[str, Json]:
        """What a failure leaves in the status beside its condition."""
        return {}

    def _write(self, resource: Resource, conditions: list[Condition], fields: JsonObject) -> bool:
        """Replace the status; whether it is new, which the operator's own watch takes for a change to reconcile."""
        return write(self._store, self._bench.clock, resource, conditions, fields)


class WorkerReconciler(Reconciler):
    """A kind whose resources are groups of Connect workers."""

    suffix: ClassVar[str]

    def __init__(self, store: ResourceStore, bench: Bench, folder: Path, resolve: Callable[[str], str]) -> None:
        super().__init__(store, bench, folder, resolve)
        self._workers: dict[str, Workers] = {}

    def revive(self) -> None:
        """Start again workers that ended by themselves, as a kubelet does."""
        for workers in self._workers.values():
            workers.revive()

    def remove(self, name: str) -> None:
        """End the workers of a resource that is gone; what they wrote into topics stays."""
        workers = self._workers.pop(name, None)
        if workers is not None:
            workers.stop()

    def stop(self) -> None:
        """End all workers."""
        for name in tuple(self._workers):
            self.remove(name)

    def _workers_of(self, name: str) -> Workers:
        made = Workers(f"{name}-{self.suffix}", self._folder / name, self._bench)
        return self._workers.setdefault(name, made)
