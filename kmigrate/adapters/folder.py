"""A ResourceStore in a folder: one JSON file per resource, shared by any number of processes.

Layout: `<root>/<namespace>/<Kind>/<name>.json`, `_cluster` for kinds without a namespace; files 0600, folders 0700.
`.lock` is held (flock) by whoever writes; `.version` counts writes of the whole store and is raised before a resource
is replaced, so that a watcher that saw it raised and then takes the lock sees the change, and no version is used twice.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from kmigrate.adapters import stored
from kmigrate.adapters.crd_schema import CrdSchema, defines
from kmigrate.adapters.folder_files import locked, make_folder, replace, sync_folder
from kmigrate.errors import PlatformError
from kmigrate.manifests.roles import Grant
from kmigrate.model import Json, JsonObject
from kmigrate.world import Clock, Event, Key, Resource

_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")


class FolderStore:
    """Resources as files under `root`; writes are atomic, durable and one at a time over all processes."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._read: dict[Path, tuple[tuple[int, int, int], Resource]] = {}
        self._listed: dict[tuple[str, str], tuple[str, tuple[Resource, ...]]] = {}
        self._schemas: dict[str, tuple[str, CrdSchema]] = {}

    def apply(self, body: JsonObject) -> Resource:
        """Create the resource or make spec, data and all else but metadata and status equal to the body's.

        Labels and annotations of the body are set, one with the value None is removed, others stay. Raises Invalid
        with every problem when an installed CustomResourceDefinition refuses the body, Conflict when the body's
        `resourceVersion` is not the stored one.
        """
        key = stored.key_of(body)
        with self._writing():
            there, merged = self._merged(key, body)
            return there if there is not None and merged == there.body else self._put(key, merged)

    def preview(self, body: JsonObject) -> Resource:
        """What `apply` would store, by the same rules; nothing is written, not even a folder."""
        key = stored.key_of(body)
        with locked(self._root, self._clock, shared=True):
            return stored.previewed(key, *self._merged(key, body))

    def _merged(self, key: Key, body: JsonObject) -> tuple[Resource | None, JsonObject]:
        there = self.get(key)
        merged = stored.converged(key, body, there, _born(self._clock))
        self._validate(key, merged)
        return there, stored.with_status_of(there, merged)

    def get(self, key: Key) -> Resource | None:
        """The resource, or None."""
        path = self._path(key)
        try:
            seen = path.stat()
            stamp = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
            known = self._read.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            resource = _resource(key, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            self._read.pop(path, None)
            return None
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise PlatformError(
                f"cannot read {path}: {error}", hint="look at the file's owner, mode and text"
            ) from error
        self._read[path] = (stamp, resource)
        return resource

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        """All resources of a kind in a namespace, by name; costs one small read while nothing changes."""
        known = self._listed.get((kind, namespace))
        if known is not None and known[0] == self._version():
            return known[1]
        with locked(self._root, self._clock, shared=True):
            found = self._version(), self._scan(kind, namespace)
        self._listed[kind, namespace] = found
        return found[1]

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        """All resources of a kind in all namespaces, by namespace and name."""
        with locked(self._root, self._clock, shared=True):
            try:
                namespaces = sorted(path.name for path in self._root.iterdir() if stored.NAME.fullmatch(path.name))
            except (FileNotFoundError, NotADirectoryError):
                return ()
            return tuple(found for namespace in namespaces for found in self._scan(kind, namespace))

    def _scan(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        folder = self._path(Key(kind, namespace, "x")).parent
        try:
            names = sorted(path.name[:-5] for path in folder.iterdir() if _is_resource(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        found = (self.get(Key(kind, namespace, name)) for name in names)
        return tuple(resource for resource in found if resource is not None)

    @property
    def place(self) -> str:
        """Where it is."""
        return f"folder {self._root}"

    def lacking(self, _: Iterable[Grant]) -> tuple[Grant, ...]:
        """Nothing: whoever can write here may do all."""
        return ()

    def delete(self, key: Key) -> bool:
        """Remove it; whether it was there."""
        with self._writing():
            path = self._path(key)
            if not path.exists():
                return False
            self._raise_version()
            path.unlink()
            sync_folder(path.parent)
            return True

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        """Replace the status, nothing else; None when the resource is gone; an equal status changes nothing."""
        with self._writing():
            there = self.get(key)
            if there is None or there.body.get("status") == status:
                return there
            changed = {**there.body, "metadata": dict(there.metadata), "status": status}
            self._validate(key, changed)
            return self._put(key, changed)

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        """What is there as ADDED, then ADDED, MODIFIED and DELETED as they come, until nothing came for `timeout_ms`.

        Two changes of one resource within a look (20 ms) are told as one, as Kubernetes may do after a reconnect.
        """
        wanted, seen, version = tuple(kinds), dict[Key, Resource](), self._newer_than("", timeout_ms)
        while version is not None:
            now = self._snapshot(wanted, namespace)
            yield from stored.differences(seen, now)
            seen, version = now, self._newer_than(version, timeout_ms)

    def _newer_than(self, version: str, timeout_ms: int) -> str | None:
        return stored.newer_than(version, self._version, self._clock, timeout_ms)

    def _snapshot(self, kinds: tuple[str, ...], namespace: str) -> dict[Key, Resource]:
        with locked(self._root, self._clock, shared=True):
            return {resource.key: resource for kind in kinds for resource in self._scan(kind, namespace)}

    def _path(self, key: Key) -> Path:
        problems = []
        if key.namespace and not stored.NAME.fullmatch(key.namespace):
            problems.append(f"metadata.namespace: {key.namespace!r} is not a DNS name")
        if not _KIND.fullmatch(key.kind):
            problems.append(f"kind: {key.kind!r} is not a kind")
        stored.refuse_name(key, *problems)
        return self._root / (key.namespace or "_cluster") / key.kind / f"{key.name}.json"

    def _validate(self, key: Key, body: JsonObject) -> None:
        stored.refuse_by(self._schema(key.kind), key, body)

    def _schema(self, kind: str) -> CrdSchema | None:
        for crd in self._scan(stored.CRD, ""):
            if defines(crd.body) != kind:
                continue
            known = self._schemas.get(kind)
            if known is None or known[0] != crd.version:
                known = self._schemas[kind] = (crd.version, CrdSchema.of(crd.body))
            return known[1]
        return None

    def _put(self, key: Key, body: JsonObject) -> Resource:
        metadata = {**stored.mapping(body["metadata"]), "resourceVersion": self._raise_version()}
        # humans read resources, nobody reads definitions; indenting those takes 20 times as long
        text = json.dumps({**body, "metadata": metadata}, indent=None if key.kind == stored.CRD else 1)
        path = self._path(key)
        make_folder(path.parent)
        replace(path, text)
        return _resource(key, text.encode())

    def _version(self) -> str:
        try:
            text = (self._root / ".version").read_text()
        except (FileNotFoundError, NotADirectoryError):
            return "0"
        return text if text.isdigit() else str(max(self._versions(), default=0))

    def _versions(self) -> Iterator[int]:
        """Those of all resources: the counter of a machine that lost its power may be empty."""
        for path in self._root.glob("*/*/*.json"):
            if _is_resource(path.name):
                yield int(str(stored.mapping(json.loads(path.read_bytes())["metadata"])["resourceVersion"]))

    def _raise_version(self) -> str:
        raised = str(int(self._version()) + 1)
        replace(self._root / ".version", raised, durable=False)
        return raised

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with locked(self._root, self._clock):
            yield


def _is_resource(file_name: str) -> bool:
    return file_name.endswith(".json") and not file_name.startswith(".")


def _resource(key: Key, text: bytes) -> Resource:
    body = json.loads(text)
    metadata = body["metadata"]
    return Resource(
        key=key, body=body, generation=int(metadata["generation"]), version=str(metadata["resourceVersion"])
    )


def _born(clock: Clock) -> dict[str, Json]:
    created = datetime.fromtimestamp(clock.now_ms() // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"uid": str(uuid.uuid4()), "creationTimestamp": created}
