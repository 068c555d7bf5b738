"""The Connect workers of one resource: as many processes as the spec has replicas, with the same settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.connect import Worker, launch_worker
from kmigrate.lab.runtime.logs import died
from kmigrate.lab.runtime.ports import HOST

_STARTED = b"Finished starting connectors and tasks"
_PATIENCE_MS = 10_000


class Workers:
    """Starts, rolls and ends them without waiting: `converge` says whether all are up."""

    def __init__(self, name: str, folder: Path, bench: Bench) -> None:
        self._name = name
        self._folder = folder
        self._bench = bench
        self._ports: list[int] = []
        self._wanted: tuple[int, dict[str, str], str] = (0, {}, "")
        self._begun: dict[str, int] = {}
        self._last_start: dict[str, int] = {}
        self._ready: set[str] = set()

    def url(self) -> str:
        """REST address of the first worker."""
        return f"http://{HOST}:{self._ports[0]}"

    def answers(self) -> bool:
        """Whether the first worker is up; raises PlatformError with the cause when it ended by itself."""
        return self._wanted[0] > 0 and self._is_ready(self._worker_name(0))

    def converge(self, count: int, properties: Mapping[str, str], pod_hash: str) -> bool:
        """Start what is missing, roll all when settings or `pod_hash` changed, end what is too much; all up?"""
        wanted = (count, dict(properties), pod_hash)
        if self._wanted[0] and (self._wanted[1:] != wanted[1:]):
            self.stop()
        for number in range(count, self._wanted[0]):
            self._end(self._worker_name(number))
        self._wanted = wanted
        self.revive()
        return all(self._is_ready(self._worker_name(number)) for number in range(count))

    def revive(self) -> None:
        """Start every worker that does not run; one that ends at once is tried again after ten seconds."""
        for number in range(self._wanted[0]):
            name = self._worker_name(number)
            if not self._bench.machine.alive(name) and not self._is_resting(name):
                self._start(number)

    def stop(self) -> None:
        """End all: SIGTERM, so that they leave their group, then SIGKILL."""
        names = [self._worker_name(number) for number in range(self._wanted[0])]
        self._bench.machine.stop_all(names, grace_ms=8_000)
        self._wanted = (0, {}, "")
        self._ready.clear()
        self._last_start.clear()

    def _start(self, number: int) -> None:
        while len(self._ports) <= number:
            self._ports.extend(self._bench.ports.take(1))
        name, port = self._worker_name(number), self._ports[number]
        own = {"listeners": f"http://{HOST}:{port}", "rest.advertised.port": str(port)}
        worker = Worker(name=name, folder=self._folder, properties={**self._wanted[1], **own})
        self._ready.discard(name)
        self._last_start[name] = self._bench.clock.monotonic_ms()
        self._begun[name] = launch_worker(worker, self._bench)

    def _end(self, name: str) -> None:
        self._bench.machine.stop(name)
        self._bench.machine.forget(name)
        self._ready.discard(name)

    def _is_ready(self, name: str) -> bool:
        """Whether it said that it finished starting; raises PlatformError with the cause when it ended instead."""
        if name in self._ready:
            return self._bench.machine.alive(name)
        alive = self._bench.machine.alive(name)
        if name in self._begun and _STARTED in _read(self._log(name), self._begun[name]):
            self._ready.add(name)
        elif not alive and name in self._begun:
            raise died(name, self._log(name), self._begun[name], self._bench.machine.exit_code(name))
        return name in self._ready and alive

    def _is_resting(self, name: str) -> bool:
        started = self._last_start.get(name)
        return started is not None and self._bench.clock.monotonic_ms() - started < _PATIENCE_MS

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _worker_name(self, number: int) -> str:
        return f"{self._name}-{number}"


def _read(log: Path, start: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""
