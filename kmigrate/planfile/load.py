"""From a file to a checked Migration."""

from __future__ import annotations

import difflib
import types
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path as File
from typing import Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from kmigrate.errors import PlanFileError, UsageError
from kmigrate.model import (
    Application,
    Auth,
    CommandWorkload,
    Grade,
    Migration,
    Policy,
    Principal,
    Reads,
    SecretRef,
    Source,
    Target,
)
from kmigrate.planfile import schema
from kmigrate.planfile.lines import MAX_BYTES, Document, Path, parse


def load(file: File) -> Migration:
    """Read and check a plan file; relative paths in it are relative to it.

    Raises UsageError when the file cannot be read, PlanFileError with every mistake at once, each with its line.
    """
    document = _parse(file)
    mistakes = [(line, f"the key {name!r} stands twice") for line, name in document.twice]
    plan: schema.PlanPart | None = None
    try:
        plan = schema.PlanPart.model_validate(document.data)
    except ValidationError as error:
        mistakes += [_explain(document, found["loc"], found["type"], found["msg"]) for found in error.errors()]
    if plan is not None:
        mistakes += _contradictions(plan, document)
    if mistakes or plan is None:
        raise PlanFileError(str(file), [f"line {line}: {text}" for line, text in sorted(set(mistakes))])
    return _migration(plan, file.resolve().parent)


def _parse(file: File) -> Document:
    hint = "name another with -f, or set KMIGRATE_PLAN"
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES // 1000} kB: no plan file", hint=hint)
        document = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the plan file {file} cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the plan file {file} is not UTF-8 text", hint=hint) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PlanFileError(str(file), [_yaml_mistake(error)]) from error
    if not isinstance(document.data, dict):
        raise PlanFileError(
            str(file), ["line 1: this is no mapping; a plan file begins with apiVersion: kmigrate/v1alpha1"]
        )
    return document


def _yaml_mistake(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: this is not YAML: {error.problem}"
    return f"line 1: this is not YAML: {error}"


def _explain(document: Document, loc: Path, kind: str, message: str) -> tuple[int, str]:
    path = tuple(part for part in loc if (part in _keys_of(document, loc) or isinstance(part, int)))
    where = ".".join(str(part) for part in loc)
    line = document.line(tuple(loc)) if tuple(loc) in document.lines else document.line(path)
    if kind == "extra_forbidden":
        return line, f"unknown key {where}{_nearest(loc)}"
    if kind == "missing":
        return line, f"{where} is missing"
    return line, f"{where}: {message[0].lower()}{message[1:]}"


def _keys_of(document: Document, loc: Path) -> set[str | int]:
    """Parts of a location that stand in the file; pydantic adds the names of union members between them."""
    kept: list[str | int] = []
    for part in loc:
        if (*kept, part) in document.lines:
            kept.append(part)
    return set(kept)


def _nearest(loc: Path) -> str:
    allowed = sorted(_allowed(loc[:-1]))
    close = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
    return f"; did you mean {close[0]}?" if close else f"; allowed here: {', '.join(allowed)}"


def _allowed(path: Path) -> Iterable[str]:
    model: type[BaseModel] = schema.PlanPart
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            inner = next(_models(model.model_fields[part].annotation), None)
            model = inner or model
    return model.model_fields


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, list) or get_args(annotation):
        for inner in get_args(annotation):
            yield from _models(inner)


def _contradictions(plan: schema.PlanPart, document: Document) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    topics = set(plan.topics.include)
    found += [
        (document.line(("topics", "include")), f"topic {name} stands twice") for name in _twice(plan.topics.include)
    ]
    seen: dict[str, str] = {}
    groups: dict[str, str] = {}
    for index, app in enumerate(plan.applications):
        line = document.line(("applications", index))
        if app.name in seen:
            found.append((line, f"application {app.name} stands twice"))
        seen[app.name] = app.name
        for place, reads in enumerate(app.reads):
            at = document.line(("applications", index, "reads", place))
            if reads.group in groups:
                found.append((at, f"group {reads.group} stands twice: it belongs to {groups[reads.group]} already"))
            groups.setdefault(reads.group, app.name)
            found += [(at, f"topic {name} stands twice") for name in _twice(reads.topics)]
            found += [(at, _unknown_topic(name, topics)) for name in reads.topics if name not in topics]
        found += [(line, _unknown_topic(name, topics)) for name in app.writes if name not in topics]
    return found


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _unknown_topic(name: str, topics: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(topics), n=1)
    return f"topic {name} is not in topics.include" + (f"; did you mean {close[0]}?" if close else "")


def _migration(plan: schema.PlanPart, folder: File) -> Migration:
    return Migration(
        name=plan.metadata.name,
        source=Source(
            bootstrap=plan.source.bootstrapServers,
            auth=_auth(plan.source.auth, folder),
            ca=str(folder / plan.source.ca) if plan.source.ca else "",
        ),
        target=Target(
            platform=plan.target.platform,
            store=str(folder / plan.target.store),
            namespace=plan.target.kubernetes.namespace,
            cluster=plan.target.cluster.name,
            listener=plan.target.cluster.listener.name,
        ),
        topics=tuple(plan.topics.include),
        applications=tuple(_application(app, folder) for app in plan.applications),
        mirror_auth=_auth(plan.mirror.forward.auth, folder),
        policy=Policy(max_pause_ms=_milliseconds(plan.policy.maxPause), minimum_grade=Grade(plan.policy.minimumGrade)),
        journal=str(folder / plan.journal.store),
    )


def _application(app: schema.ApplicationPart, folder: File) -> Application:
    return Application(
        name=app.name,
        team=app.team,
        reads=tuple(Reads(group=r.group, topics=tuple(r.topics), isolation=r.isolation) for r in app.reads),
        writes=tuple(app.writes),
        principals=tuple(
            Principal(source=p.source, target=p.target, source_auth=_source_auth(p.sourceAuth, folder))
            for p in app.principals
        ),
        workloads=tuple(
            CommandWorkload(stop=tuple(w.stop), switch=tuple(w.switch), start=tuple(w.start), healthy=tuple(w.healthy))
            for w in app.workloads
        ),
    )


def _source_auth(auth: schema.SourceAuthPart | None, folder: File) -> Auth | None:
    if auth is None:
        return None
    return Auth(type="plain", username=_username(auth.username, folder), password=_reference(auth.password, folder))


def _auth(auth: schema.AuthPart, folder: File) -> Auth:
    return Auth(type=auth.type, username=_username(auth.username, folder), password=_reference(auth.password, folder))


def _username(name: str | schema.ReferencePart, folder: File) -> str | SecretRef:
    return name if isinstance(name, str) else _reference(name, folder)


def _reference(part: schema.ReferencePart, folder: File) -> SecretRef:
    if part.secret is not None:
        return SecretRef(namespace=part.secret.namespace, name=part.secret.name, key=part.secret.key)
    return SecretRef(env=part.env or "", file=str(folder / part.file) if part.file else "")


def _milliseconds(text: str) -> int:
    for unit, factor in (("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)):
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * factor
    raise AssertionError(text)
