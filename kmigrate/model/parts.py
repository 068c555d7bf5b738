"""Resources as whoever looks into them needs them: what is not there is empty."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.model.facts import Json, JsonObject


def part(of: Json, *names: str) -> JsonObject:
    """The object at that path; empty where there is none."""
    for name in names:
        of = of.get(name) if isinstance(of, Mapping) else None
    return of if isinstance(of, Mapping) else {}


def objects(listed: Json) -> tuple[JsonObject, ...]:
    """The objects in a list, or none."""
    return tuple(each for each in listed if isinstance(each, Mapping)) if isinstance(listed, list | tuple) else ()
