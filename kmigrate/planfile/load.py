"""From a file to a checked Migration."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path as File

import yaml
from pydantic import ValidationError

from kmigrate.advice import FLAG_IDS
from kmigrate.errors import PlanFileError, UsageError
from kmigrate.model import (
    Accepted,
    Application,
    Auth,
    CommandWorkload,
    Grade,
    ManualWorkload,
    Migration,
    Policy,
    Principal,
    Reads,
    SecretRef,
    Source,
)
from kmigrate.planfile import schema
from kmigrate.planfile.checks import contradictions, missing_references, unknown_flags
from kmigrate.planfile.lines import MAX_BYTES, Document, TooDeep, parse
from kmigrate.planfile.mistakes import Mistake, explain
from kmigrate.planfile.target import target
from kmigrate.planfile.target_checks import target_contradictions
from kmigrate.waves import lane_topics

_SHOWN = 200


def load(file: File, *, look_up: bool = False) -> Migration:
    """Read and check a plan file; relative paths in it are relative to it.

    With `look_up` also the environment variables and files that it refers to must be there; they are not read.
    Raises UsageError when the file cannot be read, PlanFileError with every mistake at once, each with its line.
    """
    document = _parse(file)
    folder = file.resolve().parent
    mistakes = {Mistake(line, f"the key {name!r} stands twice") for line, name in document.twice}
    mistakes.update(contradictions(document))
    mistakes.update(target_contradictions(document))
    mistakes.update(unknown_flags(document, FLAG_IDS))
    if look_up:
        mistakes.update(missing_references(document, folder))
    try:
        plan = schema.PlanPart.model_validate(document.data)
    except ValidationError as error:
        mistakes.update(explain(document, found) for found in error.errors(include_url=False))
        raise _wrong(file, mistakes) from None  # pydantic's own words show values, which may be secrets
    if mistakes:
        raise _wrong(file, mistakes)
    return _migration(plan, folder)


def _wrong(file: File, mistakes: set[Mistake]) -> PlanFileError:
    told = [str(mistake) for mistake in sorted(mistakes)]
    more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    return PlanFileError(str(file), told[:_SHOWN] + more)


def _parse(file: File) -> Document:
    hint = "name another with -f, or set KMIGRATE_PLAN"
    try:
        with file.open("rb") as opened:  # what is no regular file has no size, and may have no end
            raw = opened.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES // 1000} kB: no plan file", hint=hint)
        document = parse(raw.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"the plan file {file} cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"line {line} of the plan file {file} is not UTF-8 text", hint=hint) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PlanFileError(str(file), [_yaml_mistake(error)]) from error
    if not isinstance(document.data, dict):
        what = "the file is empty" if document.data is None else "this is no mapping"
        raise PlanFileError(str(file), [f"line 1: {what}; a plan file begins with apiVersion: kmigrate/v1alpha1"])
    return document


def _yaml_mistake(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: this is not YAML: {_hidden(str(error.problem))}"
    if isinstance(error, RecursionError | TooDeep):
        line = error.line if isinstance(error, TooDeep) else 1
        return f"line {line}: this is nested too deep for a plan file"
    return f"line 1: this is not YAML: {_hidden(str(error).splitlines()[0])}"


def _hidden(problem: str) -> str:
    """Words of the file that a parser quotes may be a secret; single characters stay."""
    return re.sub(
        "'([^']*)'", lambda found: found[0] if len(found[1]) < 4 or found[1][0] == "<" else "(not shown)", problem
    )


def _migration(plan: schema.PlanPart, folder: File) -> Migration:
    topics = tuple(name for name in plan.topics.include if isinstance(name, str))
    namespace = plan.target.kubernetes.namespace
    applications = tuple(_application(app, folder, plan.source.auth.type, namespace) for app in plan.applications)
    return Migration(
        name=plan.metadata.name,
        source=Source(
            bootstrap=plan.source.bootstrapServers,
            auth=replace(_auth(plan.source.auth, folder, plan.source.auth.type), principal=plan.source.principal or ""),
            ca=str(folder / plan.source.ca) if plan.source.ca else "",
        ),
        target=target(plan.target, folder),
        topics=topics,
        applications=applications,
        mirror_auth=_mirror(plan.mirror.forward, folder, plan.source.auth.type),
        reverse_auth=_mirror(plan.mirror.reverse, folder, plan.source.auth.type) if plan.mirror.reverse else None,
        policy=_policy(plan.policy),
        journal=str(folder / plan.journal.store),
        lanes=plan.mirror.lanes,
        lane_topics=lane_topics(applications, topics, plan.mirror.lanes),
        exclude=tuple(_pattern(part) for part in plan.topics.exclude),
        overrides={
            name: {key: _setting(value) for key, value in part.config.items()}
            for name, part in plan.topics.overrides.items()
        },
        accept=tuple(Accepted(id=each.id, subject=each.subject, reason=each.reason) for each in plan.accept),
    )


def _application(app: schema.ApplicationPart, folder: File, mechanism: str, namespace: str) -> Application:
    return Application(
        name=app.name,
        team=app.team,
        reads=tuple(_reads(part) for part in app.reads),
        writes=tuple(app.writes),
        principals=tuple(
            Principal(
                source=p.source,
                target=p.target,
                source_auth=_auth(p.sourceAuth, folder, mechanism) if p.sourceAuth else None,
                password=_password(p.targetPassword, namespace) if p.targetPassword else None,
            )
            for p in app.principals
        ),
        workloads=tuple(_workload(part) for part in app.workloads),
        transactional_ids=tuple(app.transactionalIds),
    )


def _password(part: schema.TargetPasswordPart, namespace: str) -> SecretRef:
    return SecretRef(namespace=namespace, name=part.name, key=part.key)


def _policy(policy: schema.PolicyPart) -> Policy:
    return Policy(
        max_pause_ms=_milliseconds(policy.maxPause),
        minimum_grade=Grade(policy.minimumGrade),
        turn_back=policy.onOverrun == "turn-back",
        soak_ms=_milliseconds(policy.soak),
    )


def _reads(part: schema.ReadsPart) -> Reads:
    return Reads(
        group=part.group,
        topics=tuple(part.topics),
        isolation=part.isolation,
        session_timeout_ms=_milliseconds(part.sessionTimeout),
        may_stay=part.mayStay,
    )


def _workload(part: schema.CommandPart | schema.ManualPart) -> CommandWorkload | ManualWorkload:
    if isinstance(part, schema.ManualPart):
        return ManualWorkload(note=part.note)
    return CommandWorkload(
        stop=tuple(part.stop), switch=tuple(part.switch), start=tuple(part.start), healthy=tuple(part.healthy)
    )


def _pattern(part: str | schema.PatternPart) -> str:
    return re.escape(part) if isinstance(part, str) else part.pattern


def _setting(value: str | float) -> str:
    """Kafka's own spelling of a setting."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mirror(part: schema.ForwardPart | schema.ReversePart, folder: File, mechanism: str) -> Auth:
    return replace(_auth(part.auth, folder, mechanism), principal=part.principal or "")


def _auth(auth: schema.AuthPart | schema.SourceAuthPart, folder: File, mechanism: str) -> Auth:
    return Auth(
        type=auth.type or mechanism,
        username=_username(auth.username, folder),
        password=_reference(auth.password, folder),
    )


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
