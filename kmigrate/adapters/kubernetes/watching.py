"""Watches of an API server as one stream of events: they end after silence, and go on where a connection was lost."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from kmigrate.adapters import stored
from kmigrate.adapters.kubernetes.connection import Call, Connection, Lost
from kmigrate.adapters.kubernetes.declared import resource_of
from kmigrate.adapters.kubernetes.refusals import Subject, TooOld, refused
from kmigrate.adapters.retry import steadily
from kmigrate.adapters.stored import mapping, objects
from kmigrate.errors import Blocked, KmigrateError, PlatformError, StillUnderWay
from kmigrate.model import Json, JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Event, Key, Reporter, Resource

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_PAGE = "500"
# the server ends a watch that is quiet for so long, and a connection that is quiet for longer is dead
_ENDS_S, _DEAD_S = 60, 75.0

Failure = Blocked | PlatformError
Heard = queue.SimpleQueue[Event | Failure]


@steadily
def pages(connection: Connection, subject: Subject) -> tuple[tuple[Resource, ...], str]:
    """All there are, by namespace and name, and the version at which they were so; read in pages."""
    found: list[Resource] = []
    going_on = ""
    while True:
        query = (("limit", _PAGE), *((("continue", going_on),) if going_on else ()))
        answer = connection.ask_once(Call(method="GET", subject=subject, query=query))
        metadata = mapping(answer.get("metadata"))
        found.extend(resource_of(subject.kind, item) for item in objects(answer.get("items")))
        going_on = str(metadata.get("continue") or "")
        if not going_on:
            found.sort(key=lambda resource: (resource.key.namespace, resource.key.name))
            return tuple(found), str(metadata.get("resourceVersion"))


def events(connection: Connection, clock: Clock, subjects: Sequence[Subject], timeout_ms: int) -> Iterator[Event]:
    """What is there as ADDED, then changes as they come; ends when nothing came for `timeout_ms`."""
    listening = Listening(connection, clock, subjects)
    try:
        for resource in listening.begin():
            yield Event(type="ADDED", resource=resource)
        while (event := listening.next(timeout_ms)) is not None:
            yield event
    finally:
        listening.close()


class Listening:
    """Watches of several kinds side by side."""

    def __init__(self, connection: Connection, clock: Clock, subjects: Sequence[Subject]) -> None:
        self._clock = clock
        self._heard: Heard = queue.SimpleQueue()
        self._streams = [_Stream(connection, subject, self._heard) for subject in subjects]

    def begin(self) -> tuple[Resource, ...]:
        """What is there; from then on it listens."""
        found = tuple(resource for stream in self._streams for resource in stream.begin())
        for stream in self._streams:
            stream.start()
        return found

    def next(self, timeout_ms: int) -> Event | None:
        """The next change; None when none came for so long. Raises what a watch failed with.

        Who hears nothing does not know that it is quiet: while a connection is lost it waits on, until the watch's own
        deadline raises.
        """
        while True:
            try:
                told = self._await(timeout_ms)
            except StillUnderWay:
                if any(stream.broken for stream in self._streams):
                    raise PlatformError("a watch ended by itself", hint="a defect: the traceback is above") from None
                if any(stream.deaf for stream in self._streams):
                    continue
                return None
            if isinstance(told, Failure):
                raise told
            return told

    def close(self) -> None:
        """Listen no more."""
        for stream in self._streams:
            stream.end()

    def _await(self, timeout_ms: int) -> Event | Failure:
        def look() -> Ready[Event | Failure] | NotYet:
            try:
                return Ready(self._heard.get_nowait())
            except queue.Empty:
                return NotYet("no change")

        return wait_until(
            look,
            what="watching the API server",
            clock=self._clock,
            reporter=Reporter(),
            deadline_ms=timeout_ms,
            every_ms=stored.LOOK_EVERY_MS,
            slowest_ms=stored.LOOK_EVERY_MS,
        )


class _Stream:
    """The watch of one kind, in a thread of its own; `deaf` while it has no connection."""

    def __init__(self, connection: Connection, subject: Subject, heard: Heard) -> None:
        self._connection, self._subject, self._heard = connection, subject, heard
        self._known: dict[Key, Resource] = {}
        self._version = ""
        self._halted = threading.Event()
        self._answer: BaseHTTPResponse | None = None
        self.deaf = True
        self._thread = threading.Thread(target=self._run, name=f"watch {subject}", daemon=True)

    @property
    def broken(self) -> bool:
        """Whether its thread ended and told no reason."""
        return not self._thread.is_alive() and not self._halted.is_set()

    def begin(self) -> tuple[Resource, ...]:
        """What is there."""
        found, self._version = pages(self._connection, self._subject)
        self._known = {resource.key: resource for resource in found}
        return found

    def start(self) -> None:
        """Listen from there on."""
        self._thread.start()

    def end(self) -> None:
        """Listen no more; the thread ends by itself, at the latest when its request does."""
        self._halted.set()
        self._hang_up()

    def _hang_up(self) -> None:
        answer = self._answer
        if answer is not None:
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                answer.shutdown()

    def _run(self) -> None:
        while not self._halted.is_set():
            try:
                self._listen()
            except Lost:
                self.deaf = True
            except (Blocked, PlatformError) as error:
                self._heard.put(error)
                return

    def _listen(self) -> None:
        try:
            for line in self._lines():
                self._take(line)
        except TooOld:
            self._look_again()

    @steadily
    def _open(self) -> BaseHTTPResponse:
        query = (
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version),
            ("timeoutSeconds", str(_ENDS_S)),
        )
        return self._connection.open(Call(method="GET", subject=self._subject, query=query), _DEAD_S)

    def _lines(self) -> Iterator[bytes]:
        self._answer = answer = self._open()
        self.deaf = False
        if self._halted.is_set():
            self._hang_up()
        rest = b""
        with self._connection.failing(self._subject), contextlib.closing(answer):
            for chunk in answer.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines

    def _take(self, line: bytes) -> None:
        told: Json = json.loads(line)
        kind, body = str(mapping(told).get("type")), mapping(mapping(told).get("object"))
        if kind == "ERROR":
            raise _error(self._subject, body)
        resource = resource_of(self._subject.kind, body)
        self._version = resource.version
        if kind == "BOOKMARK":
            return
        if kind == "DELETED":
            self._known.pop(resource.key, None)
        else:
            self._known[resource.key] = resource
        self._heard.put(Event(type=kind, resource=resource))

    def _look_again(self) -> None:
        """The server does not know any more what came since: look at all and tell what differs."""
        found, self._version = pages(self._connection, self._subject)
        now = {resource.key: resource for resource in found}
        for event in stored.differences(self._known, now):
            self._heard.put(event)
        self._known = now


def _error(subject: Subject, status: JsonObject) -> KmigrateError:
    code = status.get("code")
    return refused(subject, code if isinstance(code, int) else HTTPStatus.INTERNAL_SERVER_ERROR, json.dumps(status))
