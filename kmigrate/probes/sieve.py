"""Both sides as translation reads them: without the records that are known to be foreign, which have no counterpart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kmigrate.model import OffsetRange, Partition, Record, Run, Side
from kmigrate.probes.foreign import Foreign, known
from kmigrate.world import World

_Records = Mapping[Partition, tuple[Record, ...]]


class Logs(Protocol):
    """What translation asks of a cluster (world.Cluster)."""

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        """Log start and end per partition."""
        ...

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """First offset at or after a time."""
        ...

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        """Every visible record."""
        ...

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        """The same, begun beside whatever else is done."""
        ...

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        """Every range as one run."""
        ...


class Sides(Protocol):
    """Both clusters, as far as translation reads them (world.World)."""

    def cluster(self, side: Side) -> Logs:
        """Read a cluster."""
        ...


@dataclass(frozen=True, slots=True)
class Sieved:
    """Both sides without these records."""

    sides: Sides
    without: Mapping[Side, tuple[Foreign, ...]]

    def cluster(self, side: Side) -> Logs:
        """The cluster itself, where nothing is to be left out of it."""
        cluster = self.sides.cluster(side)
        return _Sieve(cluster, self.without[side]) if side in self.without else cluster


def sieved(world: World) -> Sides:
    """Both sides without what any move met there that was foreign."""
    met = known(world)
    return Sieved(world, met) if met else world


@dataclass(frozen=True, slots=True)
class _Sieve:
    """A cluster without some records; where a run still holds one, it differs, and records are compared instead."""

    logs: Logs
    without: tuple[Foreign, ...]

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        return self.logs.ranges(partitions, committed=committed)

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return self.logs.offsets_at(times)

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        return self._left(self.logs.read(ranges, committed=committed, timed=timed))

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        waits = self.logs.reading(ranges, timed=timed)
        return lambda: self._left(waits())

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        return self.logs.runs(ranges, timed=timed)

    def _left(self, found: _Records) -> _Records:
        return {p: self._sifted(p, records) for p, records in found.items()}

    def _sifted(self, partition: Partition, records: tuple[Record, ...]) -> tuple[Record, ...]:
        for each in self.without:
            if each.partition == partition and records and each.offset <= records[-1].offset:
                first, behind = (bisect_left(records, offset, key=_offset) for offset in (each.offset, each.last + 1))
                records = (*records[:first], *records[behind:])
        return records


def _offset(record: Record) -> int:
    return record.offset
