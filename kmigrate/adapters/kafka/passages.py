"""Passages of records read by a worker that stays, so that both sides are read at once and nothing is opened twice.

The worker holds a whole passage before it tells it, packed; so it never waits for whoever asked, who may be waiting for
the other side.
"""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import starmap

from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.messages import span
from kmigrate.adapters.kafka.reading import Reading
from kmigrate.adapters.kafka.workers import Worker
from kmigrate.errors import PlatformError, Transient
from kmigrate.model import OffsetRange, Partition, Record

Passages = Mapping[Partition, tuple[Record, ...]]

_PAYS_FROM, _PAYS_WARM_FROM = 50_000, 5_000
"""Offsets from which on a worker pays: to be started, which takes a quarter of a second, and once it is there."""
_RECORD = struct.Struct("=qq16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassagesJob:
    """The ranges whose committed records are wanted; their digests without the time unless `timed`."""

    login: Login
    ranges: Mapping[Partition, OffsetRange]
    timed: bool

    def results(self, connection: Connection) -> Generator[tuple[Partition, bytes], None, None]:
        """Read them over a connection; each comes whole, packed."""
        for partition, records in Reading(connection, self.ranges, timed=self.timed).whole().items():
            yield partition, b"".join(starmap(_RECORD.pack, records))


class _Packed(Passages):
    """Records that are unpacked whenever a partition is looked up: by then the worker has its next job."""

    def __init__(self, packed: Mapping[Partition, bytes]) -> None:
        self._packed = packed

    def __getitem__(self, partition: Partition) -> tuple[Record, ...]:
        return tuple(map(Record._make, _RECORD.iter_unpack(self._packed[partition])))

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class PassageReader:
    """Reads passages of one cluster, one call after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._worker: Worker | None = None
        self._busy = False
        self._end = weakref.finalize(self, _nothing)

    def begin(
        self,
        ranges: Mapping[Partition, OffsetRange],
        read: Callable[[Mapping[Partition, OffsetRange]], Passages],
        *,
        timed: bool = True,
    ) -> Callable[[], Passages]:
        """Begin to read; what is given back waits for it. Where a worker does not pay, or fails, `read` does it."""
        if span(ranges) < (_PAYS_FROM if self._worker is None else _PAYS_WARM_FROM):
            return lambda: read(ranges)
        worker = self._ready()
        self._busy = True
        with suppress(PlatformError):  # a dead worker is told of once its results are asked for
            worker.send(PassagesJob(login=self._connection.login, ranges=ranges, timed=timed))

        def finish() -> Passages:
            try:
                return self._told(worker)
            except (Transient, PlatformError):
                return read(ranges)

        return finish

    def _ready(self) -> Worker:
        """A worker without work: one whose last results nobody has fetched is ended."""
        if self._worker is None or self._busy or not self._worker.lives:
            self._end()
            self._worker = Worker()
            self._end = weakref.finalize(self, self._worker.end)
            self._connection.ends_with(self._end)
        return self._worker

    def _told(self, worker: Worker) -> Passages:
        packed: dict[Partition, bytes] = {}
        while (told := worker.patiently_told()) is not None:
            packed[told[0]] = told[1]
        self._busy = False
        return _Packed(packed)


def _nothing() -> None:
    """There is nothing to end yet."""
