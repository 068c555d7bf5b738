"""The plan file's JSON Schema, for editors and for checks of one's own."""

from __future__ import annotations

from collections.abc import Mapping

from kmigrate.model import Json, JsonObject
from kmigrate.planfile.schema import PlanPart


def plan_schema() -> JsonObject:
    """JSON Schema (draft 2020-12) of a plan file; every mapping has a description."""
    raw: JsonObject = PlanPart.model_json_schema()
    told = _readable(raw)
    assert isinstance(told, Mapping)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kmigrate plan file"}
    return {**head, **{key: value for key, value in told.items() if key != "title"}}


def _readable(value: Json, *, names: bool = False) -> Json:
    """Titles and the `Part` of names left out; `names` holds while the keys are names, which stay."""
    if isinstance(value, str):
        return value.removesuffix("Part") if value.startswith("#/$defs/") else value
    if isinstance(value, Mapping):
        return {
            key.removesuffix("Part"): _readable(inner, names=key in ("properties", "$defs"))
            for key, inner in value.items()
            if names or key != "title"
        }
    return [_readable(inner) for inner in value] if isinstance(value, list) else value
