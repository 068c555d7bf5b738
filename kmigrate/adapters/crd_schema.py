"""Checks a resource against an installed CustomResourceDefinition, strictly: what is not in the schema is refused.

Kubernetes prunes unknown fields silently unless asked with `fieldValidation=Strict`; here they are always refused.
CEL rules (`x-kubernetes-validations`) are not evaluated: `kmigrate.lab.crds` lists those that concern us.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from kmigrate.model import Json, JsonObject

_ROOT_FIELDS: Mapping[str, Json] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdSchema:
    """The served versions of one kind; `problems` says everything that is wrong with a body, each with its field."""

    group: str
    kind: str
    versions: Mapping[str, Draft202012Validator] = field(repr=False)

    @classmethod
    def of(cls, crd: JsonObject) -> CrdSchema:
        """Read a CustomResourceDefinition (apiextensions.k8s.io/v1)."""
        spec = _object(crd.get("spec"))
        versions: dict[str, Draft202012Validator] = {}
        for version in _objects(spec.get("versions")):
            if version.get("served"):
                schema = _object(_object(version.get("schema")).get("openAPIV3Schema"))
                versions[str(version["name"])] = Draft202012Validator(_root(schema))
        return cls(group=str(spec["group"]), kind=defines(crd), versions=versions)

    def problems(self, body: JsonObject) -> tuple[str, ...]:
        """Every problem as `field: what is wrong`, sorted; empty when the body is right."""
        group, _, version = str(body.get("apiVersion", "")).rpartition("/")
        if group != self.group or version not in self.versions:
            served = ", ".join(f"{self.group}/{name}" for name in self.versions)
            return (f"apiVersion: {body.get('apiVersion')!r} is not served; served: {served}",)
        errors = self.versions[version].iter_errors(body)
        return tuple(sorted({line for error in errors for line in _lines(error)}))


def defines(crd: JsonObject) -> str:
    """The kind that a CustomResourceDefinition defines."""
    return str(_object(_object(crd.get("spec")).get("names")).get("kind"))


def _root(schema: JsonObject) -> JsonObject:
    strict = dict(_object(_strict(schema)))
    strict["properties"] = {**_object(strict.get("properties")), **_ROOT_FIELDS}
    strict["required"] = ["apiVersion", "kind", "metadata", *_strings(strict.get("required"))]
    return strict


def _strict(schema: Json) -> Json:
    """The same schema in JSON Schema's words, with unknown fields refused wherever Kubernetes would prune them."""
    if not isinstance(schema, Mapping):
        return schema
    strict: dict[str, Json] = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        strict.pop("anyOf", None)
        strict["type"] = ["integer", "string"]
    if isinstance(strict.get("properties"), Mapping):
        strict["properties"] = {key: _strict(value) for key, value in _object(strict["properties"]).items()}
    for below in ("items", "additionalProperties"):
        if below in strict:
            strict[below] = _strict(strict[below])
    if _is_closed(schema):
        strict["additionalProperties"] = False
    if strict.pop("nullable", False):
        return {"anyOf": [strict, {"type": "null"}]}
    return strict


def _is_closed(schema: JsonObject) -> bool:
    return (
        schema.get("type") == "object"
        and "additionalProperties" not in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    )


def _lines(error: ValidationError) -> Iterator[str]:
    where = _path(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = tuple(_object(_object(error.schema).get("properties")))
        for name in error.instance:
            if name not in known:
                yield f"{_path([*error.absolute_path, name])}: unknown field{_suggestion(str(name), known)}"
    elif error.validator == "required":
        yield f"{where or '(root)'}: {error.message}"
    else:
        yield f"{where}: {error.message}"


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(sorted(known))}" if 0 < len(known) <= 30 else ""


def _path(parts: Sequence[str | int]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _object(value: object) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> tuple[JsonObject, ...]:
    return tuple(_object(item) for item in value) if isinstance(value, (list, tuple)) else ()


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()
