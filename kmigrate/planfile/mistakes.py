"""What is wrong with the shape of a plan file, in words: where, what was found, what is allowed, the nearest name.

A value that may be a secret is never shown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from kmigrate.planfile import schema
from kmigrate.planfile.lines import Document, Path
from kmigrate.planfile.shapes import DURATION_PATTERN, PATTERNS
from kmigrate.planfile.target_schema import LabTargetPart, StrimziTargetPart

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "bool_type": "true or false",
    "int_type": "a whole number",
}
_HIDDEN = frozenset({"auth", "sourceAuth", "username", "password", "env", "secret", "apiKey", "apiSecret"})
_TAGGED: Mapping[str, type[BaseModel]] = {
    "<command>": schema.CommandPart,
    "<manual>": schema.ManualPart,
    "<lab>": LabTargetPart,
    "<strimzi>": StrimziTargetPart,
}
_DURATIONS = ("maxPause", "soak", "sessionTimeout")
_BUILT = ("command", "manual")
_NOT_BUILT = {"source.cloud": "what only Confluent Cloud's own API tells is not looked at yet"}
"""Keys of the design that this version does not know, and why one can do without them."""
_OTHER_PLATFORM = {
    "<lab>": ("<strimzi>", "is for target.platform strimzi: a lab's cluster is taken as it is"),
    "<strimzi>": ("<lab>", "is for target.platform lab: here the resources lie in Kubernetes"),
}
"""What to say of a key of `target` that only the other platform has."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake and the line it stands on."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def explain(document: Document, found: ErrorDetails) -> Mistake:
    """One mistake of shape; the line is that of the value, or of what it is missing from."""
    loc: Path = tuple(found["loc"])
    path = tuple(part for part in loc if not _is_tag(part))
    line = document.line(path)
    where = place(path)
    if found["type"] == "extra_forbidden":
        return Mistake(line, _unknown_key(loc, where))
    if found["type"] == "missing":
        return Mistake(line, f"{where} is missing")
    if path and path[-1] == "password":
        told = "a secret must not stand in a plan file; write where it lies"
        if not isinstance(found["input"], Mapping):
            return Mistake(line, f"{where}: {told}: {{env: NAME}}, {{file: PATH}} or {{secret: {{…}}}}")
    return Mistake(line, f"{where}: {_told(found, path)}")


def place(path: Path) -> str:
    """A path as people write it: `applications[0].reads`; lists are counted from 0."""
    told = ""
    for part in path:
        told += f"[{part}]" if isinstance(part, int) else f".{part}"
    return told.removeprefix(".")


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The nearest of the allowed names as a question; empty when none is near."""
    close = difflib.get_close_matches(name, sorted(allowed), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _told(found: ErrorDetails, path: Path) -> str:
    kind, context = found["type"], found.get("ctx", {})
    seen = f", found {_shown(found['input'])}" if _HIDDEN.isdisjoint(path) else ""
    if kind == "string_type" and path[-1] in _DURATIONS:
        return f"expected {PATTERNS[DURATION_PATTERN]}{seen}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}{seen}"
    if kind == "string_pattern_mismatch":
        return f"expected {PATTERNS.get(str(context['pattern']), 'another form')}{seen}"
    if kind == "literal_error":
        allowed = "'lab' or 'strimzi'" if path == ("target", "platform") else str(context["expected"])
        near = nearest(str(found["input"]), re.findall("'([^']*)'", allowed))
        if "principals" in path and found["input"] == "tls":
            near = "; tls is not built yet: applications are moved with passwords"
        return f"allowed: {allowed}{seen}{near}"
    if kind == "union_tag_not_found":
        return _workload(found["input"])
    if kind in ("too_short", "string_too_short"):
        return "it must not be empty"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"expected {found['msg'].removeprefix('Input should be ')}{seen}"
    return f"{found['msg'][0].lower()}{found['msg'][1:]}"


def _workload(value: object) -> str:
    if not isinstance(value, Mapping):
        return f"expected a mapping, found {_shown(value)}"
    kind = value.get("kind")
    if kind is None:
        return f"kind is missing; allowed: {', '.join(_BUILT)}"
    near = nearest(str(kind), _BUILT)
    return f"kind {_shown(kind)} is not built yet or unknown; allowed: {', '.join(_BUILT)}{near}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"[:80]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "…")
    return f"a {type(value).__name__}"


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def _unknown_key(loc: Path, where: str) -> str:
    names = ".".join(part for part in loc if isinstance(part, str))
    if names in _NOT_BUILT:
        return f"{where} is not built yet: {_NOT_BUILT[names]}; remove it"
    other, why = _OTHER_PLATFORM.get(str(loc[1]) if len(loc) > 1 else "", ("", ""))
    if other and str(loc[-1]) in set(_allowed((loc[0], other, *loc[2:-1]))):
        return f"{where} {why}; remove it"
    allowed = sorted(_allowed(loc[:-1]))
    if "password" in loc[:-1] and not nearest(str(loc[-1]), allowed):
        return f"unknown key in {place(loc[:-1])}; allowed here: {', '.join(allowed)}"
    return f"unknown key {where}{nearest(str(loc[-1]), allowed) or '; allowed here: ' + ', '.join(allowed)}"


def _allowed(path: Path) -> Iterable[str]:
    model: type[BaseModel] = schema.PlanPart
    for part in path:
        if isinstance(part, str) and part in _TAGGED:
            model = _TAGGED[part]
        elif isinstance(part, str) and part in model.model_fields:
            model = next(_models(model.model_fields[part].annotation), model)
    return {field.alias or name for name, field in model.model_fields.items()}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _models(inner)
