"""Kafka Connect: a distributed worker as a process, and a small client of its REST interface."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kmigrate.errors import PlatformError, Transient
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.java import CONNECT
from kmigrate.lab.runtime.logs import size, wait_for_log
from kmigrate.lab.runtime.process import ProcessSpec
from kmigrate.lab.runtime.properties import properties_text, write_secret
from kmigrate.model import Json

_MAIN = "org.apache.kafka.connect.cli.ConnectDistributed"
_STARTED = "Finished starting connectors and tasks"
_NOT_FOUND, _BUSY, _SERVER_FAULT = 404, 409, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker of a distributed Connect group: `properties` is its whole settings file (secrets inside, mode 0600).

    `properties` holds `listeners=http://127.0.0.1:PORT`, `rest.advertised.host.name`, `rest.advertised.port` and the
    rest as written; `folder` takes NAME.properties and NAME.log.
    """

    name: str
    folder: Path
    properties: Mapping[str, str]
    heap_mb: int = 384

    @property
    def log(self) -> Path:
        """What the worker prints."""
        return self.folder / f"{self.name}.log"


def start_worker(worker: Worker, bench: Bench, *, deadline_ms: int = 120_000) -> None:
    """Start the worker as process `worker.name` and wait until its log says that it finished starting.

    Raises PlatformError with the cause from the log when it ends, StillUnderWay after the deadline (milliseconds).
    """
    await_worker(worker, bench, launch_worker(worker, bench), deadline_ms=deadline_ms)


def launch_worker(worker: Worker, bench: Bench) -> int:
    """Start the worker without waiting; returns where its new log begins (bytes), for `await_worker`."""
    settings = worker.folder / f"{worker.name}.properties"
    write_secret(settings, properties_text(worker.properties))
    offset = size(worker.log)
    argv = bench.jvm.command(_MAIN, (str(settings),), heap_mb=worker.heap_mb, kind=CONNECT, temporary=worker.folder)
    bench.machine.start(ProcessSpec(name=worker.name, argv=argv, log=worker.log))
    return offset


def await_worker(worker: Worker, bench: Bench, offset: int, *, deadline_ms: int = 120_000) -> None:
    """Wait until a launched worker says that it finished starting; errors as `start_worker`."""
    wait_for_log(
        machine=bench.machine,
        process=worker.name,
        log=worker.log,
        start=offset,
        needle=_STARTED,
        clock=bench.clock,
        reporter=bench.reporter,
        deadline_ms=deadline_ms,
    )


class ConnectRest:
    """Connect's REST interface at one worker; `url` like http://127.0.0.1:8083.

    A refused connection, a time-out, 409 (rebalancing) and 5xx raise Transient; any other refusal PlatformError, both
    with the status in the message. A 404 answer to `get` and `delete` gives None. Paths are sent as they are: quote
    connector names (`urllib.parse.quote(name, safe="")`).
    """

    def __init__(self, url: str, *, timeout_ms: int = 30_000) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout_ms / 1000
        # the worker is on this machine: never through a proxy
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Json:
        """GET; None when there is no such thing (404)."""
        return self._call("GET", path, None, missing_is_none=True)

    def put(self, path: str, body: Json = None) -> Json:
        """PUT."""
        return self._call("PUT", path, body)

    def post(self, path: str, body: Json = None) -> Json:
        """POST."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """PATCH."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Json:
        """DELETE; fine when there was no such thing (404)."""
        return self._call("DELETE", path, None, missing_is_none=True)

    def _call(self, method: str, path: str, body: Json, *, missing_is_none: bool = False) -> Json:
        request = urllib.request.Request(  # noqa: S310 - a worker on this machine
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return _decoded(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND and missing_is_none:
                error.close()
                return None
            raise _refused(f"{method} {self.url}{path}", error) from error
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"{method} {self.url}{path}: {error}", hint="is the Connect worker alive?") from error


def _decoded(content: bytes) -> Json:
    decoded: Json = json.loads(content) if content else None
    return decoded


def _refused(call: str, error: urllib.error.HTTPError) -> PlatformError:
    with error:
        text = error.read().decode(errors="replace")
    try:
        text = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        text = text[:600]
    kind = Transient if error.code == _BUSY or error.code >= _SERVER_FAULT else PlatformError
    return kind(f"{call}: {error.code} {text}", hint="read the Connect worker's log")
