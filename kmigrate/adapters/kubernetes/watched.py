"""A store that watches some kinds of a namespace, so that listing them asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from kmigrate.adapters.kubernetes.store import KubernetesStore
from kmigrate.adapters.kubernetes.watching import Listening
from kmigrate.errors import Blocked, Interrupted, PlatformError
from kmigrate.manifests.roles import Grant
from kmigrate.model import JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Clock, Event, Key, Reporter, Resource

_WHOLE_MS = 60_000
_LOOK_MS, _AGAIN_MS = 500, 1_000


class WatchedStore:
    """The same resources; a `list` of a watched kind answers what its watch told, our own writes included.

    For who looks at everything many times a second, as an operator does. `get` asks the server, always.
    """

    def __init__(self, store: KubernetesStore, clock: Clock, kinds: Iterable[str], namespace: str) -> None:
        self._store, self._clock, self._kinds, self._namespace = store, clock, tuple(kinds), namespace
        self._lock = threading.Lock()
        self._there: dict[Key, Resource] = {}
        self._whole = False
        self._failure: Blocked | PlatformError | None = None
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"store of {namespace}", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns when all that is there was seen. Raises what the API server refuses."""
        self._thread.start()

        def look() -> Ready[None] | NotYet:
            self._complain()
            return Ready(None) if self._whole else NotYet("looking at all there is")

        wait_until(look, what=self._store.server, clock=self._clock, reporter=Reporter(), deadline_ms=_WHOLE_MS)

    def stop(self) -> None:
        """Watch no more; safe when `start` was never called."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join()

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        """All resources of a kind in a namespace, by name; raises what the watch fails with, until it works again."""
        if kind not in self._kinds or namespace != self._namespace:
            return self._store.list(kind, namespace)
        self._complain()
        with self._lock:
            found = [resource for key, resource in self._there.items() if key.kind == kind]
        return tuple(sorted(found, key=lambda resource: resource.key.name))

    def apply(self, body: JsonObject) -> Resource:
        """As the store does."""
        return self._take(self._store.apply(body))

    def preview(self, body: JsonObject) -> Resource:
        """As the store does."""
        return self._store.preview(body)

    def get(self, key: Key) -> Resource | None:
        """As the store does: it asks the server."""
        return self._store.get(key)

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        """As the store does: it asks the server."""
        return self._store.everywhere(kind)

    @property
    def place(self) -> str:
        """As the store says."""
        return self._store.place

    def lacking(self, wanted: Iterable[Grant]) -> tuple[Grant, ...]:
        """As the store does: it asks the server."""
        return self._store.lacking(wanted)

    def delete(self, key: Key) -> bool:
        """As the store does."""
        was_there = self._store.delete(key)
        with self._lock:
            self._there.pop(key, None)  # one that waits for its finalizers is told again by the watch
        return was_there

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        """As the store does."""
        written = self._store.write_status(key, status)
        return self._take(written) if written is not None else None

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        """As the store does."""
        return self._store.watch(kinds, namespace, timeout_ms)

    def _complain(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _take(self, resource: Resource) -> Resource:
        """Keep it, unless something newer is known: a write's answer and the watch come in any order."""
        key = resource.key
        if key.kind in self._kinds and key.namespace == self._namespace:
            with self._lock:
                known = self._there.get(key)
                if known is None or _is_newer(resource, known):
                    self._there[key] = resource
        return resource

    def _run(self) -> None:
        while not self._halt.is_set():
            listening = self._store.listening(self._kinds, self._namespace)
            try:
                self._follow(listening)
            except Interrupted:
                return
            except (Blocked, PlatformError) as error:
                self._failure = error
                self._halt.wait(_AGAIN_MS / 1000)
            finally:
                listening.close()

    def _follow(self, listening: Listening) -> None:
        found = {resource.key: resource for resource in listening.begin()}
        with self._lock:
            self._there, self._whole, self._failure = found, True, None
        while not self._halt.is_set():
            event = listening.next(_LOOK_MS)
            if event is not None and event.type != "DELETED":
                self._take(event.resource)
            elif event is not None:
                self._drop(event.resource)

    def _drop(self, gone: Resource) -> None:
        with self._lock:
            known = self._there.get(gone.key)
            if known is not None and not _is_newer(known, gone):
                del self._there[gone.key]


def _is_newer(one: Resource, other: Resource) -> bool:
    """Versions of one kind grow (KEP-5504)."""
    return not (one.version.isdigit() and other.version.isdigit()) or int(one.version) >= int(other.version)
