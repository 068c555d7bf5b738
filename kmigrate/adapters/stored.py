"""What every ResourceStore does alike: names, metadata, conflicts, schemas, and the changes that a watch tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from kmigrate.adapters.crd_schema import CrdSchema
from kmigrate.errors import Conflict, Invalid, StillUnderWay
from kmigrate.model import Json, JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Event, Key, Reporter, Resource

CRD = "CustomResourceDefinition"
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""DNS names (RFC 1123), as Kubernetes wants them for most kinds."""
LOOK_EVERY_MS = 20

V = TypeVar("V", int, str)


def key_of(body: JsonObject) -> Key:
    """What names the resource; parts that are missing are empty."""
    metadata = mapping(body.get("metadata"))
    return Key(str(body.get("kind", "")), str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def refuse_name(key: Key, *problems: str) -> None:
    """Raise Invalid with every problem of the key; those of its own name come first."""
    wrong = [f"metadata.name: {key.name!r} is not a DNS name"] if not NAME.fullmatch(key.name) else []
    if wrong or problems:
        raise Invalid(f"{key} is refused", [*wrong, *problems], hint="use lower case letters, digits, '-' and '.'")


def converged(key: Key, body: JsonObject, there: Resource | None, born: JsonObject) -> JsonObject:
    """What is stored once `body` is applied, without a status: all else of it, and metadata merged into what is there.

    `born` has `uid`, and what else a new resource is born with. The generation grows when more than metadata and status
    differ. Raises Conflict when the body's `resourceVersion` is not the stored one.
    """
    _refuse_other_version(key, body, there)
    space = {"namespace": key.namespace} if key.namespace else {}
    old: JsonObject = there.metadata if there is not None else {"name": key.name, **space, **born, "generation": 1}
    new, metadata = mapping(body.get("metadata")), dict[str, Json](old)
    for part in ("labels", "annotations"):
        both = {**mapping(old.get(part)), **mapping(new.get(part))}
        metadata[part] = {name: value for name, value in both.items() if value is not None}
    if there is not None:
        metadata["generation"] = there.generation + (_wish(body) != _wish(there.body))
    return {**_wish(body), "metadata": metadata}


def with_status_of(there: Resource | None, body: JsonObject) -> JsonObject:
    """The body with the status that is stored, if one is."""
    return {**body, "status": there.status} if there is not None and "status" in there.body else body


def previewed(key: Key, there: Resource | None, merged: JsonObject) -> Resource:
    """What would be stored; its version is the one that is there, empty for what is new."""
    if there is not None and merged == there.body:
        return there
    generation = mapping(merged["metadata"])["generation"]
    assert isinstance(generation, int)
    return Resource(key=key, body=merged, generation=generation, version=there.version if there is not None else "")


def refuse_by(schema: CrdSchema | None, key: Key, body: JsonObject) -> None:
    """Raise Invalid with every problem that an installed CustomResourceDefinition sees."""
    problems = schema.problems(body) if schema is not None else ()
    if problems:
        raise Invalid(f"{key} is refused by its schema", problems, hint="correct the fields named and apply again")


def differences(before: Mapping[Key, Resource], now: Mapping[Key, Resource]) -> Iterator[Event]:
    """What a watch tells between two looks; a resource that was made anew is gone first."""
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


def newer_than(version: V, now: Callable[[], V], clock: Clock, timeout_ms: int) -> V | None:
    """Wait for another version of the whole store; None when none came."""

    def look() -> Ready[V] | NotYet:
        seen = now()
        return NotYet("no change") if seen == version else Ready(seen)

    try:
        return wait_until(
            look,
            what="watching the store",
            clock=clock,
            reporter=Reporter(),
            deadline_ms=timeout_ms,
            every_ms=LOOK_EVERY_MS,
            slowest_ms=LOOK_EVERY_MS,
        )
    except StillUnderWay:
        return None


def mapping(value: object) -> JsonObject:
    """The value if it is one; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> tuple[JsonObject, ...]:
    """The mappings of a list; nothing when it is none."""
    return tuple(mapping(each) for each in value) if isinstance(value, list | tuple) else ()


def _wish(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name not in ("metadata", "status")}


def _refuse_other_version(key: Key, body: JsonObject, there: Resource | None) -> None:
    wanted = mapping(body.get("metadata")).get("resourceVersion")
    if wanted is not None and (there is None or str(wanted) != there.version):
        stored = there.version if there is not None else "absent"
        raise Conflict(f"{key} was changed: version {wanted} was expected, it is {stored}", hint="read it again")
