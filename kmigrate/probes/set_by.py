"""Who set a field of a resource, where its store keeps that (Kubernetes: `metadata.managedFields`, FieldsV1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.model import Json
from kmigrate.world import FIELD_MANAGER, Resource


def set_by(resource: Resource, *path: str) -> tuple[str, ...]:
    """The names of all but us who set what is at `path`, or something below it; sorted, none where it is not kept."""
    return tuple(sorted(_managers(resource, path) - {FIELD_MANAGER}))


def only_by_others(resource: Resource, *path: str) -> bool:
    """Whether what is at `path`, with all below it, was set by others and nothing of it by us."""
    found = _managers(resource, path)
    return bool(found) and FIELD_MANAGER not in found


def _managers(resource: Resource, path: Sequence[str]) -> frozenset[str]:
    entries = resource.metadata.get("managedFields")
    if not isinstance(entries, Sequence):
        return frozenset()
    every = (entry for entry in entries if isinstance(entry, Mapping))
    return frozenset(str(entry.get("manager")) for entry in every if _has(entry.get("fieldsV1"), path))


def _has(fields: Json, path: Sequence[str]) -> bool:
    """Whether the path leads to a node of the tree; a node without any below it stands for all that is there."""
    for name in path:
        if not isinstance(fields, Mapping):
            return False
        if not fields:
            return True
        fields = fields.get(f"f:{name}")
    return isinstance(fields, Mapping)
