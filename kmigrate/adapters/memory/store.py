"""A ResourceStore in memory, under the contract of the folder store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kmigrate.adapters import stored
from kmigrate.adapters.crd_schema import CrdSchema, defines
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.manifests.roles import Grant
from kmigrate.model import JsonObject
from kmigrate.world import Clock, Event, Key, Resource


@dataclass(slots=True)
class MemoryStore(State):
    """Resources in a dictionary; a change passes `death` before and after, what the operator writes does not."""

    clock: Clock
    death: Death = field(default_factory=Death)
    _kept: dict[Key, Resource] = field(default_factory=dict)
    _version: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def version(self) -> int:
        """Changes with every write."""
        return self._version

    def all(self) -> tuple[Resource, ...]:
        """Every resource of every kind."""
        return tuple(self._kept.values())

    def apply(self, body: JsonObject) -> Resource:
        """Create or converge; raises Invalid for a bad name or a refusing schema, Conflict for a stale version."""
        return self._apply(body, self.death)

    def apply_by_operator(self, body: JsonObject) -> Resource:
        """The same by the operator, who lives on when kmigrate dies."""
        return self._apply(body, Death())

    def _apply(self, body: JsonObject, death: Death) -> Resource:
        with self._lock:
            key = stored.key_of(body)
            there, merged = self._merged(key, body)
            if there is not None and merged == there.body:
                return there
            with death.writing(str(key)):
                return self._put(key, merged)

    def preview(self, body: JsonObject) -> Resource:
        """What `apply` would store; nothing is changed."""
        with self._lock:
            key = stored.key_of(body)
            return stored.previewed(key, *self._merged(key, body))

    def _merged(self, key: Key, body: JsonObject) -> tuple[Resource | None, JsonObject]:
        stored.refuse_name(key)
        there = self._kept.get(key)
        merged = stored.converged(key, body, there, {"uid": f"uid-{self._version + 1}"})
        self._validate(key, merged)
        return there, stored.with_status_of(there, merged)

    def get(self, key: Key) -> Resource | None:
        """The resource, or None."""
        return self._kept.get(key)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        """All resources of a kind in a namespace, by name."""
        with self._lock:
            found = (kept for key, kept in self._kept.items() if (key.kind, key.namespace) == (kind, namespace))
            return tuple(sorted(found, key=lambda resource: resource.key.name))

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        """All resources of a kind in all namespaces, by namespace and name."""
        with self._lock:
            found = (kept for key, kept in self._kept.items() if key.kind == kind and key.namespace)
            return tuple(sorted(found, key=lambda resource: (resource.key.namespace, resource.key.name)))

    @property
    def place(self) -> str:
        """Where it is."""
        return "the memory of this process"

    def lacking(self, _: Iterable[Grant]) -> tuple[Grant, ...]:
        """Nothing: whoever can write here may do all."""
        return ()

    def delete(self, key: Key) -> bool:
        """Remove it; whether it was there."""
        with self._lock:
            if key not in self._kept:
                return False
            with self.death.writing(f"{key} removed"):
                del self._kept[key]
                self._version += 1
        return True

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        """Replace the status, nothing else; None when the resource is gone; an equal status changes nothing."""
        with self._lock:
            there = self._kept.get(key)
            if there is None or there.body.get("status") == status:
                return there
            changed: JsonObject = {**there.body, "status": status}
            self._validate(key, changed)
            return self._put(key, changed)

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        """What is there as ADDED, then changes as they come, until nothing came for `timeout_ms`."""
        wanted, seen, version = tuple(kinds), dict[Key, Resource](), self._newer_than(-1, timeout_ms)
        while version is not None:
            with self._lock:
                now = {resource.key: resource for kind in wanted for resource in self.list(kind, namespace)}
            yield from stored.differences(seen, now)
            seen, version = now, self._newer_than(version, timeout_ms)

    def _newer_than(self, version: int, timeout_ms: int) -> int | None:
        return stored.newer_than(version, lambda: self._version, self.clock, timeout_ms)

    def _validate(self, key: Key, body: JsonObject) -> None:
        definitions = self.list(stored.CRD, "")
        schema = next((CrdSchema.of(crd.body) for crd in definitions if defines(crd.body) == key.kind), None)
        stored.refuse_by(schema, key, body)

    def _put(self, key: Key, body: JsonObject) -> Resource:
        self._version += 1
        metadata = {**stored.mapping(body["metadata"]), "resourceVersion": str(self._version)}
        own = json.loads(json.dumps({**body, "metadata": metadata}))  # no caller keeps a hand on what is stored
        generation = int(own["metadata"]["generation"])
        self._kept[key] = Resource(key=key, body=own, generation=generation, version=str(self._version))
        return self._kept[key]
