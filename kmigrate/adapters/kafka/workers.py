"""Reading with processes of our own, because what Python does for each record takes a whole core per side.

A worker is `python -m kmigrate.adapters.kafka.worker FD`: it is told its jobs and tells its results over one pipe, so
that no secret stands among a process's arguments. It ends when the pipe does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection as pipes
from typing import Any, Protocol, TypeVar

from kmigrate import interrupt
from kmigrate.adapters.kafka import telling
from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.messages import span
from kmigrate.errors import KmigrateError, PlatformError
from kmigrate.model import KeyedRows, OffsetRange, Partition, Stretch

T = TypeVar("T")
_PAYS_FROM = 150_000
"""Offsets from which on processes pay: one takes a quarter of a second to start, in which 80,000 records are read."""
_PROGRAM = "kmigrate.adapters.kafka.worker"
_MOST = 4
"""Workers per side at most: each takes a connection to every broker, and the source counts them."""


class WorkerJob(Protocol):
    """What a worker is told to do."""

    @property
    def login(self) -> Login:
        """Where it signs in."""
        ...

    def results(self, connection: Connection) -> Generator[tuple[Partition, Any], None, None]:
        """Do it over a connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one worker reads: `records` per stretch, or rows in so many `parts` of the keys."""

    login: Login
    ranges: Mapping[Partition, OffsetRange]
    records: int = 0
    parts: int = 0

    def results(self, connection: Connection) -> Generator[tuple[Partition, Any], None, None]:
        """Read it over a connection."""
        if self.records:
            return telling.stretches(connection, self.ranges, self.records)
        return telling.keyed(connection, self.ranges, self.parts)


def stretches(
    connection: Connection, ranges: Mapping[Partition, OffsetRange], records: int
) -> Generator[tuple[Partition, Stretch], None, None]:
    """world.Cluster.stretches, with workers where they pay."""
    return _shared(connection, ranges, partial(Job, login=connection.login, records=records))


def keyed(
    connection: Connection, ranges: Mapping[Partition, OffsetRange], parts: int
) -> Generator[tuple[Partition, KeyedRows], None, None]:
    """world.Cluster.keyed, with workers where they pay."""
    return _shared(connection, ranges, partial(Job, login=connection.login, parts=parts))


def shares(ranges: Mapping[Partition, OffsetRange], count: int) -> list[dict[Partition, OffsetRange]]:
    """The ranges in at most `count` shares of about equal length, each partition whole."""
    lots: list[dict[Partition, OffsetRange]] = [{} for _ in range(max(1, min(count, len(ranges))))]
    for partition in sorted(ranges, key=lambda p: (ranges[p].start - ranges[p].end, p)):
        min(lots, key=span)[partition] = ranges[partition]
    return lots


def _shared(
    connection: Connection, ranges: Mapping[Partition, OffsetRange], job: Callable[..., Job]
) -> Generator[tuple[Partition, Any], None, None]:
    if span(ranges) < _PAYS_FROM:
        yield from job(ranges=ranges).results(connection)
        return
    count = max(1, min(_MOST, (os.cpu_count() or 2) // 2))
    workers = [Worker(job(ranges=share)) for share in shares(ranges, count)]
    try:
        open_ones = {worker.pipe: worker for worker in workers}
        while open_ones:
            with interrupt.at_once():
                ready = pipes.wait(list(open_ones))
            for pipe in ready:
                assert isinstance(pipe, pipes.Connection)
                told = open_ones[pipe].told()
                if told is None:
                    del open_ones[pipe]
                else:
                    yield told
    finally:
        for worker in workers:
            worker.end()


class Worker:
    """A process that reads, with its first job if there is one; started by being made."""

    def __init__(self, *jobs: WorkerJob) -> None:
        self.pipe, its = pipes.Pipe()
        with its:
            argv = (sys.executable, "-m", _PROGRAM, str(its.fileno()))
            self._process = subprocess.Popen(argv, pass_fds=(its.fileno(),), stdin=subprocess.DEVNULL)
        for job in jobs:
            self.send(job)

    def send(self, job: WorkerJob) -> None:
        """Give it a job, once the one before has been told to its end."""
        try:
            self.pipe.send(job)
        except ConnectionError as error:
            raise self._gone() from error

    @property
    def lives(self) -> bool:
        """Whether it can take a job."""
        return self._process.poll() is None

    def patiently_told(self) -> tuple[Partition, Any] | None:
        """The next result, waited for in a way that a signal ends."""
        with interrupt.at_once():
            pipes.wait([self.pipe])
        return self.told()

    def told(self) -> tuple[Partition, Any] | None:
        """The next result; None after the last; raises what the worker raised."""
        try:
            told = self.pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._gone() from error
        if isinstance(told, KmigrateError):
            raise told
        assert told is None or isinstance(told, tuple)
        return told

    def _gone(self) -> PlatformError:
        told = f"a process that reads records ended with {self._process.wait(10)}"
        return PlatformError(told, hint="run the same command again")

    def end(self) -> None:
        """End it, also in the middle."""
        self.pipe.close()
        self._process.kill()
        self._process.wait()
