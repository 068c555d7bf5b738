"""What we may do on an API server, asked beforehand (kubernetes.io, SelfSubjectAccessReview)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kmigrate.adapters.kubernetes.connection import Call, Connection
from kmigrate.adapters.kubernetes.kinds import Kind
from kmigrate.adapters.kubernetes.refusals import Subject
from kmigrate.adapters.stored import mapping
from kmigrate.manifests.roles import Grant
from kmigrate.model import Json, JsonObject

_REVIEW = Kind(
    name="SelfSubjectAccessReview",
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    namespaced=False,
)


def lacking(connection: Connection, wanted: Iterable[Grant]) -> tuple[Grant, ...]:
    """Those that are not allowed, each with the verbs that lack; asked for each name where a grant has some."""
    found = []
    for grant in wanted:
        verbs = tuple(verb for verb in grant.verbs if not _allowed(connection, grant, verb))
        if verbs:
            found.append(replace(grant, verbs=verbs))
    return tuple(found)


def _allowed(connection: Connection, grant: Grant, verb: str) -> bool:
    return all(_may(connection, _attributes(grant, verb, name)) for name in grant.names or ("",))


def _may(connection: Connection, attributes: JsonObject) -> bool:
    review: Json = {
        "apiVersion": _REVIEW.api_version,
        "kind": _REVIEW.name,
        "spec": {"resourceAttributes": attributes},
    }
    answer = connection.ask(Call(method="POST", subject=Subject(kind=_REVIEW), body=review))
    return mapping(answer.get("status")).get("allowed") is True


def _attributes(grant: Grant, verb: str, name: str) -> JsonObject:
    asked = {"namespace": grant.namespace, "verb": verb, "group": grant.group, "resource": grant.resource, "name": name}
    return {key: value for key, value in asked.items() if value}
