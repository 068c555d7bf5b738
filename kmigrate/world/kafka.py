"""What is looked at and changed over the Kafka protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from kmigrate.model import Group, Lane, OffsetRange, Partition, Record, Topic


class Cluster(Protocol):
    """One Kafka cluster, read-only. Records and ends are those of a read_committed reader unless said."""

    def id(self) -> str:
        """The cluster id."""
        ...

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        """The named topics that exist; a topic we may not describe is missing."""
        ...

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        """Log start and end per partition: the last stable offset, or the high watermark with `committed=False`."""
        ...

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """First offset whose timestamp is at or after the given time (ms); the log end if none (KIP-79 ListOffsets)."""
        ...

    def read(self, ranges: Mapping[Partition, OffsetRange]) -> Mapping[Partition, tuple[Record, ...]]:
        """Every visible record within each half-open range, in order. Raises Transient if the end is not reached."""
        ...


class Groups(Protocol):
    """Consumer groups of one cluster."""

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        """State and members per group; a group that does not exist is DEAD with no members."""
        ...

    def positions(self, group: str, partitions: Iterable[Partition]) -> Mapping[Partition, int | None]:
        """Committed, stable offsets (KIP-447 require_stable); None where nothing was ever committed."""
        ...

    def commit(self, group: str, positions: Mapping[Partition, int]) -> None:
        """Write positions to a group that is Empty; raises Blocked when it is not, and writes nothing then."""
        ...

    def delete(self, group: str) -> None:
        """Remove an Empty group and its positions; a group that is not there is fine."""
        ...


class Mirror(Protocol):
    """The mirror that the resources ask for, looked at through its own topics and its operator's status."""

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition, from Connect's own offsets topic; missing where nothing was."""
        ...

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong: a connector or task that FAILED, a resource that is NotReady."""
        ...
