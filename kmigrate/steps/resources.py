"""What every step that applies resources does alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmigrate.model import Json, JsonObject
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.resources import asked, is_there, key_of, left_to_others, stored, unready
from kmigrate.probes.set_by import set_by
from kmigrate.world import Key, Resource, World

_SHOWN, _LONGEST = 3, 120


def find(world: World, wanted: Sequence[JsonObject]) -> Finding:
    """What of the wanted is missing; `before` holds what was there: the body, or null for what was not."""
    there = stored(world.resources, map(key_of, wanted))
    before: dict[str, Json] = {}
    changes: list[Change] = []
    for body in wanted:
        key = key_of(body)
        found = there.get(key)
        if is_there(found, body):
            continue
        before["|".join((key.kind, key.namespace, key.name))] = _wish(found.body) if found else None
        action, told = (Action.CHANGE, _differs(found, body)) if found else (Action.CREATE, "")
        changes.append(Change(action=action, subject=str(key), detail=told))
    return Finding(changes=tuple(changes), before=before)


def _differs(found: Resource, body: JsonObject) -> str:
    """In words: the first places at which it is not as wanted and who else set them, else what its operator says."""
    parts = [(each, "" if each == "spec" else each) for each in asked(body)]
    every = (place for each, at in parts for place in differences(found.body.get(each), body[each], (each,), at))
    places = [place for place in every if not left_to_others(found, place.path)]
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    told = [each.told + _by(set_by(found, *each.path)) for each in places[:_SHOWN]]
    return "; ".join(told) + more if places else unready(found)


def _by(others: tuple[str, ...]) -> str:
    return f" (set by {', '.join(others)})" if others else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place, by the fields that lead to it, and what differs there in words."""

    path: tuple[str, ...]
    told: str


def differences(have: Json, want: Json, path: tuple[str, ...] = (), place: str = "") -> Iterator[Difference]:
    """Where two values differ; `place` is the path as it is told, with the places in lists."""
    if isinstance(have, Mapping) and isinstance(want, Mapping):
        for name in sorted({*have, *want}):
            yield from differences(have.get(name), want.get(name), (*path, name), f"{place}.{name}" if place else name)
    elif isinstance(have, list | tuple) and isinstance(want, list | tuple) and len(have) == len(want):
        for number, (one, other) in enumerate(zip(have, want, strict=True)):
            yield from differences(one, other, path, f"{place}[{number}]")
    elif isinstance(have, list | tuple) and isinstance(want, list | tuple):
        yield from (Difference(path=path, told=f"{place} lacks {_short(each)}") for each in want if each not in have)
        yield from (
            Difference(path=path, told=f"{place} has {_short(each)} besides") for each in have if each not in want
        )
    elif have != want:
        yield Difference(path=path, told=f"{place} {_short(have)} → {_short(want)}")


def _short(value: Json) -> str:
    told = json.dumps(value, ensure_ascii=False, default=str)
    return told if len(told) <= _LONGEST else told[:_LONGEST] + "…"


def apply_all(world: World, wanted: Sequence[JsonObject]) -> None:
    """Apply every body; what is there as wanted stays untouched by the store."""
    for body in wanted:
        world.resources.apply(body)


def restore(world: World, before: JsonObject, now: Callable[[JsonObject], JsonObject] = lambda body: body) -> None:
    """Put back every body that was there and remove what was not, newest first.

    `now` says how a body is put back of which others have changed a part since.
    """
    for name, body in reversed(list(before.items())):
        kind, namespace, resource = name.split("|")
        if isinstance(body, Mapping):
            world.resources.apply(now(body))
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
