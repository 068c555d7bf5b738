"""Passages of records read by a worker that stays, so that both sides are read at once and nothing is opened twice.

The worker holds a whole passage before it tells it, packed; so it never waits for whoever asked, who may be waiting for
the other side.
"""

from __future__ import annotations

import struct
import weakref
from array import array
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import starmap
from typing import Generic, TypeVar

from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.messages import span
from kmigrate.adapters.kafka.reading import Reading, RunReading
from kmigrate.adapters.kafka.workers import Worker
from kmigrate.errors import PlatformError, Transient
from kmigrate.model import OffsetRange, Partition, Record, Run

T = TypeVar("T")
Ranges = Mapping[Partition, OffsetRange]
Told = tuple[Partition, bytes]

_PAYS_FROM, _PAYS_WARM_FROM = 50_000, 5_000
"""Offsets from which on a worker pays: to be started, which takes a quarter of a second, and once it is there."""
_RECORD = struct.Struct("=qq16s")
_DIGEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsJob:
    """The ranges whose committed records are wanted; their digests without the time unless `timed`."""

    login: Login
    ranges: Ranges
    timed: bool

    def results(self, connection: Connection) -> Generator[Told, None, None]:
        """Read them over a connection; those of each partition come at once, packed."""
        for partition, records in Reading(connection, self.ranges, timed=self.timed).whole().items():
            yield partition, b"".join(starmap(_RECORD.pack, records))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsJob:
    """The ranges that are wanted as runs."""

    login: Login
    ranges: Ranges
    timed: bool

    def results(self, connection: Connection) -> Generator[Told, None, None]:
        """Read them over a connection; each comes at once, packed."""
        for partition, run in RunReading(connection, self.ranges, timed=self.timed).runs().items():
            yield partition, run.digest + array("q", run.offsets).tobytes()


def _records(packed: bytes) -> tuple[Record, ...]:
    return tuple(map(Record._make, _RECORD.iter_unpack(packed)))


def _run(packed: bytes) -> Run:
    return Run(offsets=array("q", packed[_DIGEST:]), digest=packed[:_DIGEST])


class _Packed(Mapping[Partition, T], Generic[T]):
    """What is unpacked whenever a partition is looked up: by then the worker has its next job."""

    def __init__(self, packed: Mapping[Partition, bytes], unpack: Callable[[bytes], T]) -> None:
        self._packed, self._unpack = packed, unpack

    def __getitem__(self, partition: Partition) -> T:
        return self._unpack(self._packed[partition])

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class PassageReader:
    """Reads passages of one cluster, one call after the other.

    Each call begins to read; what it gives back waits for it. Where a worker does not pay, or fails, `read` does it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._worker: Worker | None = None
        self._busy = False
        self._end = weakref.finalize(self, _nothing)

    def records(
        self, ranges: Ranges, read: Callable[[Ranges], Mapping[Partition, tuple[Record, ...]]], *, timed: bool
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        """Every record of the ranges."""
        return self._begin(RecordsJob(login=self._connection.login, ranges=ranges, timed=timed), read, _records)

    def runs(
        self, ranges: Ranges, read: Callable[[Ranges], Mapping[Partition, Run]], *, timed: bool
    ) -> Callable[[], Mapping[Partition, Run]]:
        """Every range as a run."""
        return self._begin(RunsJob(login=self._connection.login, ranges=ranges, timed=timed), read, _run)

    def _begin(
        self,
        job: RecordsJob | RunsJob,
        read: Callable[[Ranges], Mapping[Partition, T]],
        unpack: Callable[[bytes], T],
    ) -> Callable[[], Mapping[Partition, T]]:
        if span(job.ranges) < (_PAYS_FROM if self._worker is None else _PAYS_WARM_FROM):
            return lambda: read(job.ranges)
        worker = self._ready()
        self._busy = True
        with suppress(PlatformError):  # a dead worker is told of once its results are asked for
            worker.send(job)

        def finish() -> Mapping[Partition, T]:
            try:
                return _Packed(self._told(worker), unpack)
            except (Transient, PlatformError):
                return read(job.ranges)

        return finish

    def _ready(self) -> Worker:
        """A worker without work: one whose last results nobody has fetched is ended."""
        if self._worker is None or self._busy or not self._worker.lives:
            self._end()
            self._worker = Worker()
            self._end = weakref.finalize(self, self._worker.end)
            self._connection.ends_with(self._end)
        return self._worker

    def _told(self, worker: Worker) -> Mapping[Partition, bytes]:
        packed: dict[Partition, bytes] = {}
        while (told := worker.patiently_told()) is not None:
            packed[told[0]] = told[1]
        self._busy = False
        return packed


def _nothing() -> None:
    """There is nothing to end yet."""
