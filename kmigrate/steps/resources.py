"""What every step that applies resources does alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.model import Json, JsonObject
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.resources import key_of, missing
from kmigrate.world import Key, World


def find(world: World, wanted: Sequence[JsonObject]) -> Finding:
    """What of the wanted is missing; `before` holds what was there: the body, or null for what was not."""
    lacking = missing(world, wanted)
    before: dict[str, Json] = {}
    changes: list[Change] = []
    for body in lacking:
        key = key_of(body)
        found = world.resources.get(key)
        before["|".join((key.kind, key.namespace, key.name))] = _wish(found.body) if found else None
        changes.append(Change(action=Action.CHANGE if found else Action.CREATE, subject=str(key)))
    return Finding(changes=tuple(changes), before=before)


def apply_all(world: World, wanted: Sequence[JsonObject]) -> None:
    """Apply every body; what is there as wanted stays untouched by the store."""
    for body in wanted:
        world.resources.apply(body)


def restore(world: World, before: JsonObject) -> None:
    """Put back every body that was there and remove what was not, newest first."""
    for name, body in reversed(list(before.items())):
        kind, namespace, resource = name.split("|")
        if isinstance(body, Mapping):
            world.resources.apply(body)
        else:
            world.resources.delete(Key(kind, namespace, resource))


def _wish(body: JsonObject) -> JsonObject:
    metadata = body.get("metadata")
    kept = (
        {k: v for k, v in metadata.items() if k in ("name", "namespace", "labels", "annotations")}
        if isinstance(metadata, Mapping)
        else {}
    )
    return {**{k: v for k, v in body.items() if k not in ("metadata", "status")}, "metadata": kept}
