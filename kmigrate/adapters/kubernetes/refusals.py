"""What the API server refuses, in our errors: with the resource, whose rule it is, and what to type next."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from kmigrate.adapters.kubernetes.kinds import Kind, kind_of
from kmigrate.adapters.stored import mapping, objects
from kmigrate.errors import Blocked, Conflict, Invalid, KmigrateError, PlatformError, Transient
from kmigrate.manifests.roles import Grant, rule_line
from kmigrate.model import Json, JsonObject

_CANNOT = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_ADMISSION = re.compile(
    r"(admission webhook \"(?P<webhook>[^\"]+)\" denied the request(?: without explanation)?"
    r"|ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']+' denied request):? ?(?P<reason>.*)",
    re.DOTALL,
)
_TYPED = re.compile(r"(?:^|\s)\.(?P<field>[^\s:]+): (?P<wrong>[^\n]+)")
_STRICT = re.compile(r"unknown field \"(?P<field>[^\"]+)\"")
_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]+)"')
_AGAIN = "run the same command again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a request was about."""

    kind: Kind
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        if not self.name:
            return f"{self.kind.resource}{f' in namespace {self.namespace}' if self.namespace else ''}"
        return f"{self.kind.name} {self.namespace}/{self.name}" if self.namespace else f"{self.kind.name} {self.name}"


class NotThere(KmigrateError):
    """There is no such resource; never leaves this package."""


class Stale(Conflict):
    """What a change was made upon is not there any more."""


class Contested(Conflict):
    """Others set a field to something else; `managers` are their names."""

    passes = False

    def __init__(self, message: str, managers: frozenset[str], *, hint: str = "") -> None:
        self.managers = managers
        super().__init__(message, hint=hint)


class TooOld(Transient):
    """What was to be read on from is too old to be known any more (410)."""


def is_not_served(code: int, text: str) -> bool:
    """Whether the API server knows no such group, version or kind, and says so in plain text (404)."""
    return code == HTTPStatus.NOT_FOUND and not _parsed(text)


def not_served(subject: Subject, served: Sequence[str]) -> KmigrateError:
    """The error for a kind that is not served; `served` are the versions of its group that are, none when it is absent.

    It is for a human to install what we ask for; who asks for another version than ours wrote it wrongly.
    """
    asked, there = subject.kind.api_version, f"served: {', '.join(served)}" if served else "nothing of its group is"
    if asked != kind_of(subject.kind.name).api_version:
        return Invalid(
            f"{subject} is refused", [f"apiVersion: {asked!r} is not served; {there}"], hint="write the version served"
        )
    install = "upgrade Strimzi to 1.0 or newer" if served else "install Strimzi 1.0 or newer, its definitions first"
    way = f"{install}: it serves {asked} only" if subject.kind.group.endswith("strimzi.io") else "install its operator"
    return Blocked(
        f"{subject}: the API server does not serve {asked} ({there})",
        hint=f"{way}; `kubectl api-versions` says what is there",
    )


def refused(subject: Subject, code: int, text: str) -> KmigrateError:
    """The error for an answer that is none of 2xx."""
    status = _parsed(text)
    message = str(status.get("message") or text.strip()[:500] or HTTPStatus(code).phrase)
    reasons = {str(cause.get("reason")) for cause in _causes(status)}
    if code == HTTPStatus.NOT_FOUND:
        return _not_found(subject, status)
    if "NamespaceTerminating" in reasons:
        return _terminating(subject)
    if _is_refused_as_written(code, message):
        return _invalid(subject, status, message)
    if code == HTTPStatus.CONFLICT:
        return _conflict(subject, status, message)
    if code == HTTPStatus.GONE:
        return TooOld(f"{subject}: {message}", hint=_AGAIN)
    if code == HTTPStatus.FORBIDDEN:
        return _forbidden(subject, message)
    if code == HTTPStatus.UNAUTHORIZED:
        return Blocked(
            f"the API server does not accept this credential: {message}",
            hint="sign in again, and look whether `kubectl auth whoami` with the same context says who you are",
        )
    if code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Transient(f"{subject}: the API server says {code}: {message}", hint=_AGAIN)
    return PlatformError(f"{subject}: the API server says {code}: {message}", hint="look at the API server's log")


def _is_refused_as_written(code: int, message: str) -> bool:
    """Server-side apply answers 500 for a field that no schema has; that is not worth trying again."""
    if code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        return True
    if code == HTTPStatus.FORBIDDEN:
        return not _CANNOT.search(message) and not message.startswith("Forbidden")
    return code == HTTPStatus.INTERNAL_SERVER_ERROR and "typed patch object" in message


def _not_found(subject: Subject, status: JsonObject) -> KmigrateError:
    if mapping(status.get("details")).get("kind") == "namespaces" and subject.kind.name != "Namespace":
        return Blocked(
            f"{subject}: there is no namespace {subject.namespace}",
            hint=f"type `kubectl create namespace {subject.namespace}`, or correct the plan file",
        )
    return NotThere(f"there is no {subject}")


def _terminating(subject: Subject) -> Blocked:
    return Blocked(
        f"{subject}: namespace {subject.namespace} is being deleted, and nothing new is taken in it",
        hint=f"wait until `kubectl get namespace {subject.namespace}` finds it no more, and make it again; what holds "
        f"it is in its status (`kubectl get namespace {subject.namespace} -o yaml`)",
    )


def _invalid(subject: Subject, status: JsonObject, message: str) -> Invalid:
    denied = _ADMISSION.search(message)
    if denied is not None:
        who = f"admission webhook {denied['webhook']}" if denied["webhook"] else f"policy {denied['policy']}"
        return Invalid(
            f"{subject} is refused by {who}",
            [denied["reason"].strip() or "without a reason"],
            hint="ask who runs it; nothing was changed",
        )
    named = [_problem(cause) for cause in _causes(status) if cause.get("field") not in (None, "", "patch")]
    typed = [f"{found['field']}: {found['wrong']}" for found in _TYPED.finditer(message)]
    unknown = [f"{found['field']}: unknown field" for found in _STRICT.finditer(message)]
    problems = sorted({*(named or typed), *unknown}) or [message]
    return Invalid(f"{subject} is refused", problems, hint="correct the fields named and apply again")


def _problem(cause: JsonObject) -> str:
    return f"{cause.get('field')}: {cause.get('message')}"


def _conflict(subject: Subject, status: JsonObject, message: str) -> Conflict:
    held = [cause for cause in _causes(status) if cause.get("reason") == "FieldManagerConflict"]
    if not held:
        return Stale(f"{subject} was changed meanwhile: {message}", hint="read it again")
    told = [f"{str(cause.get('field')).lstrip('.')} ({_manager(cause)})" for cause in held]
    return Contested(
        f"{subject}: somebody else sets {', '.join(told)}",
        frozenset(map(_manager, held)),
        hint="kmigrate does not overwrite what others set: take these fields out of what they apply, or let them "
        "apply what the plan says",
    )


def _manager(cause: JsonObject) -> str:
    found = _MANAGER.search(str(cause.get("message")))
    return found["manager"] if found is not None else "unknown"


def _forbidden(subject: Subject, message: str) -> Blocked:
    found = _CANNOT.search(message)
    if found is None:
        return Blocked(f"{subject}: the API server refuses: {message}", hint="ask who runs the cluster")
    place = f" in namespace {found['namespace']}" if found["namespace"] else ""
    plural, slash, below = found["resource"].partition("/")
    resource = (f"{plural}.{found['group']}" if found["group"] else plural) + slash + below
    kind = f"Role{place}" if place else "ClusterRole"
    place_of = found["namespace"] or ""
    missing = rule_line(
        Grant(namespace=place_of, group=found["group"], resource=found["resource"], verbs=(found["verb"],))
    )
    return Blocked(
        f"{subject}: {found['user']} may not {found['verb']} {resource}{place}",
        hint=f"add this to a {kind} that is bound to {found['user']}, and run the same command again:\n{missing}",
    )


def _parsed(text: str) -> JsonObject:
    """The Status that an API server answers; nothing when it is no such thing (`404 page not found`)."""
    try:
        found: Json = json.loads(text)
    except ValueError:
        return {}
    return mapping(found)


def _causes(status: JsonObject) -> tuple[JsonObject, ...]:
    return objects(mapping(status.get("details")).get("causes"))
