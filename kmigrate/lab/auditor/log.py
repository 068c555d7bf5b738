"""A log as the auditor sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class LogRecord(NamedTuple):
    """A committed record: offset, time (ms), identity, key, sequence within its key, hash of all its bytes."""

    offset: int
    timestamp: int
    identity: str
    key: str | None
    sequence: int
    digest: int


class Log(Protocol):
    """One cluster's logs of committed records."""

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; 0 when there is no such topic."""
        ...

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        """Every committed record from the log's start to its last stable offset now, in order."""
        ...


def copies(identity: str) -> int:
    """How many records of this identity the writer makes: 2 for twins, else 1."""
    return 2 if identity.endswith("x2") else 1
