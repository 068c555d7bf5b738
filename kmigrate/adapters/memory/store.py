"""A ResourceStore in memory, under the contract of the folder store."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kmigrate.adapters.crd_schema import CrdSchema, defines
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.errors import Conflict, Invalid, StillUnderWay
from kmigrate.model import Json, JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Event, Key, Reporter, Resource

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LOOK_EVERY_MS = 20


@dataclass(slots=True)
class MemoryStore(State):
    """Resources in a dictionary; a change passes `death` before and after, a status (the operator's) does not."""

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
        with self._lock:
            key, there = _key_of(body), self._kept.get(_key_of(body))
            _refuse(key, body, there)
            metadata = _metadata(key, body, there, self._version + 1)
            if there is not None:
                metadata["generation"] = there.generation + (_wish(body) != _wish(there.body))
            merged: JsonObject = {**_wish(body), "metadata": metadata}
            self._validate(key, merged)
            if there is not None and "status" in there.body:
                merged = {**merged, "status": there.status}
            if there is not None and merged == there.body:
                return there
            with self.death.writing(str(key)):
                return self._put(key, merged)

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
            yield from _differences(seen, now)
            seen, version = now, self._newer_than(version, timeout_ms)

    def _newer_than(self, version: int, timeout_ms: int) -> int | None:
        def look() -> Ready[int] | NotYet:
            return NotYet("no change") if self._version == version else Ready(self._version)

        try:
            return wait_until(
                look,
                what="watching the store in memory",
                clock=self.clock,
                reporter=Reporter(),
                deadline_ms=timeout_ms,
                every_ms=_LOOK_EVERY_MS,
                slowest_ms=_LOOK_EVERY_MS,
            )
        except StillUnderWay:
            return None

    def _validate(self, key: Key, body: JsonObject) -> None:
        definitions = self.list("CustomResourceDefinition", "")
        schema = next((CrdSchema.of(crd.body) for crd in definitions if defines(crd.body) == key.kind), None)
        problems = schema.problems(body) if schema is not None else ()
        if problems:
            raise Invalid(f"{key} is refused by its schema", problems, hint="correct the fields named and apply again")

    def _put(self, key: Key, body: JsonObject) -> Resource:
        self._version += 1
        metadata = {**_mapping(body["metadata"]), "resourceVersion": str(self._version)}
        own = json.loads(json.dumps({**body, "metadata": metadata}))  # no caller keeps a hand on what is stored
        generation = int(own["metadata"]["generation"])
        self._kept[key] = Resource(key=key, body=own, generation=generation, version=str(self._version))
        return self._kept[key]


def _key_of(body: JsonObject) -> Key:
    metadata = _mapping(body.get("metadata"))
    return Key(str(body.get("kind", "")), str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def _wish(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name not in ("metadata", "status")}


def _refuse(key: Key, body: JsonObject, there: Resource | None) -> None:
    if not _NAME.fullmatch(key.name):
        problem = f"metadata.name: {key.name!r} is not a DNS name"
        raise Invalid(f"{key} is refused", [problem], hint="use lower case letters, digits, '-' and '.'")
    wanted = _mapping(body.get("metadata")).get("resourceVersion")
    if wanted is not None and (there is None or str(wanted) != there.version):
        stored = there.version if there is not None else "absent"
        raise Conflict(f"{key} was changed: version {wanted} was expected, it is {stored}", hint="read it again")


def _metadata(key: Key, body: JsonObject, there: Resource | None, birth: int) -> dict[str, Json]:
    new = _mapping(body.get("metadata"))
    space = {"namespace": key.namespace} if key.namespace else {}
    born: JsonObject = {"name": key.name, **space, "uid": f"uid-{birth}", "generation": 1}
    old = there.metadata if there is not None else born
    metadata: dict[str, Json] = dict(old)
    for part in ("labels", "annotations"):
        merged = {**_mapping(old.get(part)), **_mapping(new.get(part))}
        metadata[part] = {name: value for name, value in merged.items() if value is not None}
    return metadata


def _differences(before: Mapping[Key, Resource], now: Mapping[Key, Resource]) -> Iterator[Event]:
    for key, resource in now.items():
        if key not in before:
            yield Event(type="ADDED", resource=resource)
        elif before[key].metadata.get("uid") != resource.metadata.get("uid"):
            yield Event(type="DELETED", resource=before[key])
            yield Event(type="ADDED", resource=resource)
        elif before[key].version != resource.version:
            yield Event(type="MODIFIED", resource=resource)
    for key in before.keys() - now.keys():
        yield Event(type="DELETED", resource=before[key])


def _mapping(value: object) -> JsonObject:
    return value if isinstance(value, Mapping) else {}
