"""Resources and the store that is the seam between us and any operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from kmigrate.errors import Conflict
from kmigrate.manifests.roles import Grant
from kmigrate.model import JsonObject

FIELD_MANAGER = "kmigrate"
"""The name under which we set fields where a store keeps who set what (Kubernetes: metadata.managedFields)."""
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Key:
    """Names a resource: API kind, namespace, name. Secrets and ConfigMaps are kinds like any other."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A stored resource: `body` is the whole object with apiVersion, kind, metadata, spec and, once written, status.

    `generation` counts changes of everything but metadata and status, from 1; of a Secret or a ConfigMap Kubernetes
    counts none, and it stays 1 there. `version` changes with every write (Kubernetes API conventions:
    metadata.generation, metadata.resourceVersion).
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

    @property
    def place(self) -> str:
        """Where that is, in words by which a human knows it: a folder, a context and the address of its API server."""
        ...

    def apply(self, body: JsonObject) -> Resource:
        """Create the resource or make spec and data equal to the body's; status is left alone.

        Labels and annotations of the body are set, one with the value None is removed, others stay. Fields that
        somebody else set and the body does not name may stay, too (Kubernetes keeps who set what). Applying what is
        already there changes neither generation nor version. A `resourceVersion` in the body's metadata makes it
        conditional. Raises Invalid when an installed CustomResourceDefinition refuses the body, with every problem
        that is seen at once; Conflict when the condition fails, or when somebody else set a field to something else.
        """
        ...

    def preview(self, body: JsonObject) -> Resource:
        """What `apply` would store, and nothing is changed; raises what `apply` would raise."""
        ...

    def get(self, key: Key) -> Resource | None:
        """The resource, or None."""
        ...

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        """All resources of a kind in a namespace, by name."""
        ...

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        """All resources of a kind in all namespaces, by namespace and name."""
        ...

    def lacking(self, wanted: Iterable[Grant]) -> tuple[Grant, ...]:
        """Those of the rights that we do not have here, each with the verbs that lack; none where nobody asks."""
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


def revise(
    store: ResourceStore, read: Callable[[], Resource], revised: Callable[[Resource], JsonObject | None]
) -> None:
    """Change a resource as it is now; where somebody was faster, and be it a status, what they made of it.

    A body that was read carries its version, so that nobody's change is written over. `revised` answers None for what
    may stay as it is. Raises Conflict where others were faster ten times, and at once where they hold what is changed.
    """
    for left in reversed(range(_TRIES)):
        body = revised(read())
        if body is None:
            return
        try:
            store.apply(body)
        except Conflict as error:
            if not left or not error.passes:
                raise
        else:
            return
