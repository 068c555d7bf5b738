"""Who set a field of a resource, where its store keeps that (Kubernetes: `metadata.managedFields`, FieldsV1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.model import Json
from kmigrate.world import FIELD_MANAGER, Resource


def set_by(resource: Resource, *path: str) -> tuple[str, ...]:
    """The names of all but us who set what is at `path`, or something below it; sorted, none where it is not kept."""
    entries = resource.metadata.get("managedFields")
    if not isinstance(entries, Sequence):
        return ()
    found = {
        str(entry.get("manager"))
        for entry in entries
        if isinstance(entry, Mapping) and _has(entry.get("fieldsV1"), path)
    }
    return tuple(sorted(found - {FIELD_MANAGER}))


def _has(fields: Json, path: Sequence[str]) -> bool:
    """Whether the path leads to a node of the tree; a node without any below it stands for all that is there."""
    for name in path:
        if not isinstance(fields, Mapping):
            return False
        if not fields:
            return True
        fields = fields.get(f"f:{name}")
    return isinstance(fields, Mapping)
