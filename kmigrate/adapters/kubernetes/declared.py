"""What we declare to server-side apply, and what the API server's answer says in our words. Pure.

The server keeps who set which field (`metadata.managedFields`). A field that we set before and do not name any more is
removed, one that somebody else set stays: so labels and annotations that we set and a body does not name are named
again, and a body that was read and changed names only what it changes and what is ours already.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from kmigrate.adapters.kubernetes.kinds import Kind
from kmigrate.adapters.stored import mapping, objects
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource

_IDENTITY = ("name", "namespace", "resourceVersion")
_NAMED = ("labels", "annotations")
_OURS = (*_NAMED, "ownerReferences", "finalizers")


def declared(body: JsonObject, live: JsonObject | None, manager: str) -> JsonObject:
    """The document to apply, for a body as `ResourceStore.apply` takes it, where `live` is stored now."""
    wish = {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata", "status")}
    metadata, there, mine = mapping(body.get("metadata")), live or {}, owned(live or {}, manager)
    ours = {name: metadata[name] for name in _OURS if name in metadata}
    if live is not None and "resourceVersion" in metadata:
        wish = _changed(wish, there, mine)
        ours = _changed(ours, mapping(there.get("metadata")), mapping(mine.get("f:metadata")))
    identity = {name: metadata[name] for name in _IDENTITY if metadata.get(name) is not None}
    named = _named(ours, mapping(there.get("metadata")), mapping(mine.get("f:metadata")))
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], **wish, "metadata": {**identity, **named}}


def unwanted(body: JsonObject) -> JsonObject:
    """The labels and annotations that a body wants gone, whoever set them: those with the value None."""
    metadata = mapping(body.get("metadata"))
    named = {part: {k: v for k, v in mapping(metadata.get(part)).items() if v is None} for part in _NAMED}
    return {part: gone for part, gone in named.items() if gone}


def owned(live: JsonObject, manager: str) -> JsonObject:
    """The fields that were set by server-side apply under that name (FieldsV1: `f:spec`, `f:partitions` …)."""
    for entry in objects(mapping(live.get("metadata")).get("managedFields")):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return mapping(entry.get("fieldsV1"))
    return {}


def settled(wish: JsonObject, live: JsonObject) -> bool:
    """Whether everything that a document names is stored as it says, its version apart."""
    return all(_holds(live.get(name), value) for name, value in wish.items() if name != "metadata") and all(
        _holds(mapping(live.get("metadata")).get(name), value)
        for name, value in mapping(wish.get("metadata")).items()
        if name != "resourceVersion"
    )


def encoded(body: JsonObject) -> JsonObject:
    """The body as it goes over the wire: a Secret's data in base64."""
    if body.get("kind") != "Secret" or "data" not in body:
        return body
    return {**body, "data": {name: _to_base64(value) for name, value in mapping(body["data"]).items()}}


def resource_of(kind: Kind, found: JsonObject) -> Resource:
    """A stored object in our words; items of a list lack kind and apiVersion."""
    body: JsonObject = {"apiVersion": kind.api_version, "kind": kind.name, **found}
    if kind.name == "Secret":
        body = {**body, "data": {name: _from_base64(value) for name, value in mapping(body.get("data")).items()}}
    metadata = mapping(body.get("metadata"))
    counted = metadata.get("generation")
    return Resource(
        key=Key(kind.name, str(metadata.get("namespace") or ""), str(metadata.get("name"))),
        body=body,
        generation=counted if isinstance(counted, int) else 1,
        version=str(metadata.get("resourceVersion") or ""),
    )


def _named(ours: JsonObject, there: JsonObject, mine: JsonObject) -> JsonObject:
    """The metadata with the labels and annotations besides that we set before; without those that shall be gone."""
    named = dict(ours)
    for part in _NAMED:
        before = mapping(mine.get(f"f:{part}"))
        kept = {name: value for name, value in mapping(there.get(part)).items() if f"f:{name}" in before}
        both = {**kept, **mapping(ours.get(part))}
        named[part] = {name: value for name, value in both.items() if value is not None}
    return {name: value for name, value in named.items() if value or name not in _NAMED}


def _changed(wish: JsonObject, live: JsonObject, mine: JsonObject) -> dict[str, Json]:
    """What of the wish differs from what is stored, or is ours."""
    kept: dict[str, Json] = {}
    for name, value in wish.items():
        there, ours = live.get(name), mine.get(f"f:{name}")
        if ours is None and there == value:
            continue
        if isinstance(value, Mapping) and isinstance(there, Mapping) and value and ours != {}:
            below = _changed(value, there, mapping(ours))
            if below:
                kept[name] = below
        else:
            kept[name] = value
    return kept


def _holds(there: Json, value: Json) -> bool:
    if isinstance(value, Mapping):
        return isinstance(there, Mapping) and all(_holds(there.get(name), below) for name, below in value.items())
    return there == value


def _to_base64(value: Json) -> str:
    """Bytes that are no text came as surrogates, and go back as they were (PEP 383)."""
    return base64.b64encode(str(value).encode(errors="surrogateescape")).decode()


def _from_base64(value: Json) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode(errors="surrogateescape")
    except binascii.Error:
        return str(value)
