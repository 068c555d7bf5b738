"""A ResourceStore on a Kubernetes API server, by server-side apply (kubernetes.io, Server-Side Apply)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from kmigrate.adapters import stored
from kmigrate.adapters.kubernetes.connection import APPLY, MERGE, REPLACE, Call, Connection, Lost
from kmigrate.adapters.kubernetes.contested import tell_way_out
from kmigrate.adapters.kubernetes.declared import declared, encoded, resource_of, settled, unwanted
from kmigrate.adapters.kubernetes.kinds import CRD, kind_of
from kmigrate.adapters.kubernetes.opening import connect
from kmigrate.adapters.kubernetes.refusals import Contested, NotThere, Stale, Subject
from kmigrate.adapters.kubernetes.reviews import lacking
from kmigrate.adapters.kubernetes.watching import Listening, events, pages
from kmigrate.adapters.retry import steadily
from kmigrate.adapters.stored import mapping, objects
from kmigrate.errors import Conflict
from kmigrate.manifests.roles import Grant
from kmigrate.model import Json, JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import FIELD_MANAGER, Clock, Event, Key, Reporter, Resource

_STRICT = ("fieldValidation", "Strict")
_DRY = ("dryRun", "All")
_ESTABLISHED_MS = 30_000
_NEVER = "never looked at"

Query = tuple[tuple[str, str], ...]


class KubernetesStore:
    """Resources of an API server, set under the field manager `manager`; what others set is never overwritten.

    What was seen last is applied upon, on condition that it is still so: one request where nobody else writes.

    A Secret's data is text here and base64 there; bytes that are no UTF-8 come as surrogates (PEP 383) and go back as
    they were.
    """

    def __init__(self, connection: Connection, clock: Clock, *, manager: str = FIELD_MANAGER) -> None:
        self._connection, self._clock, self._manager = connection, clock, manager
        self._seen: dict[Key, JsonObject | None] = {}
        self._listed: set[tuple[str, str]] = set()

    @classmethod
    def open(cls, context: str, clock: Clock, *, kubeconfig: str = "", manager: str = FIELD_MANAGER) -> KubernetesStore:
        """Sign in as a context of a kubeconfig says (see `opening.connect`), its current one where it is empty."""
        return cls(connect(context, kubeconfig), clock, manager=manager)

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self._connection.server

    @property
    def place(self) -> str:
        """The context and the address of its API server."""
        return f"context {self._connection.context} ({self.server})"

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def apply(self, body: JsonObject) -> Resource:
        """Create the resource or make what the body names equal to it; fields that others set and it does not, stay.

        Raises Invalid for what the schema, a webhook or a policy refuses, Conflict when the condition fails or another
        manager set a field to something else.
        """
        made = self._remembered(self._applied(body, ()))
        if made.key.kind == CRD:
            self._await_established(made.key)
        return made

    def preview(self, body: JsonObject) -> Resource:
        """What `apply` would store, by the server's own word; nothing is changed."""
        return self._applied(body, (_DRY,))

    def get(self, key: Key) -> Resource | None:
        """The resource, or None."""
        live = self._live(_subject(key))
        self._seen[key] = live
        return None if live is None else resource_of(kind_of(key.kind), live)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        """All resources of a kind in a namespace, by name; a large number comes in pages."""
        found = pages(self._connection, Subject(kind=kind_of(kind), namespace=namespace))[0]
        self._listed.add((kind, namespace))
        self._seen = {key: live for key, live in self._seen.items() if (key.kind, key.namespace) != (kind, namespace)}
        return tuple(map(self._remembered, found))

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        """All resources of a kind in all namespaces, by namespace and name."""
        return pages(self._connection, Subject(kind=kind_of(kind)))[0]

    def lacking(self, wanted: Iterable[Grant]) -> tuple[Grant, ...]:
        """What the API server says that we may not do, verb by verb (SelfSubjectAccessReview, which all may make)."""
        return lacking(self._connection, wanted)

    def delete(self, key: Key) -> bool:
        """Remove it; whether it was there. One with finalizers is there until their owners have let it go."""
        lost = False

        @steadily
        def once() -> bool:
            nonlocal lost
            try:
                self._connection.ask_once(Call(method="DELETE", subject=_subject(key)))
            except NotThere:
                return lost
            except Lost:
                lost = True
                raise
            return True

        self._seen.pop(key, None)
        return once()

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        """Replace the status, nothing else; None when the resource is gone; an equal status changes nothing."""
        change: Json = [{"op": "add", "path": "/status", "value": status}]
        call = Call(
            method="PATCH",
            subject=_subject(key),
            query=(("fieldManager", self._manager), _STRICT),
            body=change,
            content=REPLACE,
            subresource="status",
        )
        try:
            return self._remembered(resource_of(kind_of(key.kind), self._connection.ask(call)))
        except NotThere:
            return None

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        """What is there as ADDED, then changes as they come, until nothing came for `timeout_ms`.

        A connection that is lost is made again, and what changed meanwhile is told, several changes of one resource
        as one. Raises what the API server refuses, and Transient when it does not answer any more.
        """
        return events(self._connection, self._clock, _subjects(kinds, namespace), timeout_ms)

    def listening(self, kinds: Iterable[str], namespace: str) -> Listening:
        """The same for who tells the beginning from what comes after it; nothing is asked yet."""
        return Listening(self._connection, self._clock, _subjects(kinds, namespace))

    def _applied(self, body: JsonObject, query: Query) -> Resource:
        key = stored.key_of(body)
        subject = _subject(key)
        kind = subject.kind.of(str(body.get("apiVersion", "")))
        subject = replace(subject, kind=kind)
        lost = False

        @steadily
        def once() -> JsonObject:
            nonlocal lost
            try:
                return self._apply_once(subject, key, encoded(body), query, lost=lost)
            except Lost:
                lost = True
                raise

        return resource_of(kind, once())

    def _apply_once(self, subject: Subject, key: Key, body: JsonObject, query: Query, *, lost: bool) -> JsonObject:
        """By what we saw last, if that is still so; else by what is there now.

        `lost`: an earlier request may have been heard, so that what is there as wished is our own doing.
        """
        version = mapping(body.get("metadata")).get("resourceVersion")
        seen = self._seen.pop(key, None if (key.kind, key.namespace) in self._listed else _NEVER)
        if not isinstance(seen, str) and version in (None, _version(seen)):
            with contextlib.suppress(Stale):
                return self._patch(subject, declared(body, seen, self._manager), body, query, _version(seen))
        live = self._live(subject)
        wish = declared(body, live, self._manager)
        if version not in (None, _version(live)):
            if lost and live is not None and settled(wish, live):
                return live
            raise Conflict(
                f"{subject} was changed: version {version} was expected, it is {_version(live) or 'absent'}",
                hint="read it again",
            )
        return self._patch(subject, wish, body, query, version)

    def _patch(self, subject: Subject, wish: JsonObject, body: JsonObject, query: Query, version: Json) -> JsonObject:
        if version is not None:
            wish = {**wish, "metadata": {**mapping(wish["metadata"]), "resourceVersion": version}}
        query = (("fieldManager", self._manager), _STRICT, *query)
        try:
            made = self._connection.ask_once(
                Call(method="PATCH", subject=subject, query=query, body=wish, content=APPLY)
            )
        except Contested as error:
            tell_way_out(error, subject, self._live(subject))
            raise
        gone = {
            part: {name: None for name in names if name in mapping(mapping(made["metadata"]).get(part))}
            for part, names in ((part, mapping(names)) for part, names in unwanted(body).items())
        }
        return self._without(subject, {part: names for part, names in gone.items() if names}, query) or made

    def _without(self, subject: Subject, gone: JsonObject, query: Query) -> JsonObject | None:
        """Remove labels and annotations that others set; server-side apply cannot."""
        if not gone:
            return None
        return self._connection.ask_once(
            Call(method="PATCH", subject=subject, query=query, body={"metadata": gone}, content=MERGE)
        )

    def _remembered(self, resource: Resource) -> Resource:
        self._seen[resource.key] = encoded(resource.body)
        return resource

    def _live(self, subject: Subject) -> JsonObject | None:
        try:
            return self._connection.ask(Call(method="GET", subject=subject))
        except NotThere:
            return None

    def _await_established(self, key: Key) -> None:
        """A definition's own resources are served a moment after it is stored."""

        def look() -> Ready[None] | NotYet:
            found = self.get(key)
            told = objects(found.status.get("conditions")) if found is not None else ()
            there = any((each.get("type"), each.get("status")) == ("Established", "True") for each in told)
            return Ready(None) if there else NotYet("the API server does not serve it yet")

        wait_until(look, what=str(key), clock=self._clock, reporter=Reporter(), deadline_ms=_ESTABLISHED_MS)


def _version(live: JsonObject | None) -> Json:
    return mapping(live.get("metadata")).get("resourceVersion") if live is not None else None


def _subject(key: Key) -> Subject:
    kind = kind_of(key.kind)
    lacks = ["metadata.namespace: it is missing"] if kind.namespaced and not key.namespace else []
    stored.refuse_name(key, *lacks)
    return Subject(kind=kind, namespace=key.namespace, name=key.name)


def _subjects(kinds: Iterable[str], namespace: str) -> tuple[Subject, ...]:
    return tuple(Subject(kind=kind_of(kind), namespace=namespace) for kind in kinds)
