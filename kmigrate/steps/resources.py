"""What every step that applies resources does alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from kmigrate.model import Json, JsonObject
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.resources import asked, key_of, missing, unready
from kmigrate.world import Key, Resource, World

_SHOWN, _LONGEST = 3, 120


def find(world: World, wanted: Sequence[JsonObject]) -> Finding:
    """What of the wanted is missing; `before` holds what was there: the body, or null for what was not."""
    lacking = missing(world, wanted)
    before: dict[str, Json] = {}
    changes: list[Change] = []
    for body in lacking:
        key = key_of(body)
        found = world.resources.get(key)
        before["|".join((key.kind, key.namespace, key.name))] = _wish(found.body) if found else None
        action, told = (Action.CHANGE, _differs(found, body)) if found else (Action.CREATE, "")
        changes.append(Change(action=action, subject=str(key), detail=told))
    return Finding(changes=tuple(changes), before=before)


def _differs(found: Resource, body: JsonObject) -> str:
    """In words: the first places at which it is not as wanted, else what its operator says."""
    parts = [(each, "" if each == "spec" else each) for each in asked(body)]
    places = [told for each, at in parts for told in differences(found.body.get(each), body[each], at)]
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return "; ".join(places[:_SHOWN]) + more if places else unready(found)


def differences(have: Json, want: Json, path: str = "") -> Iterator[str]:
    """Where two values differ, by path, each in words."""
    if isinstance(have, Mapping) and isinstance(want, Mapping):
        for name in sorted({*have, *want}):
            yield from differences(have.get(name), want.get(name), f"{path}.{name}" if path else name)
    elif isinstance(have, list | tuple) and isinstance(want, list | tuple) and len(have) == len(want):
        for number, (one, other) in enumerate(zip(have, want, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif isinstance(have, list | tuple) and isinstance(want, list | tuple):
        yield from (f"{path} lacks {_short(each)}" for each in want if each not in have)
        yield from (f"{path} has {_short(each)} besides" for each in have if each not in want)
    elif have != want:
        yield f"{path} {_short(have)} → {_short(want)}"


def _short(value: Json) -> str:
    told = json.dumps(value, ensure_ascii=False, default=str)
    return told if len(told) <= _LONGEST else told[:_LONGEST] + "…"


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
