"""Two clusters' logs against each other, by identity and order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kmigrate.lab.auditor.log import Log, LogRecord, copies


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the target's log of a partition differs from the source's; counts of records.

    `behind` and `ahead` are tails that one side does not have yet; `missing` and `extra` are holes and records in the
    middle, copies too many included. `swapped` came in another order, `changed` have other bytes.
    """

    topic: str
    partition: int
    same: int
    missing: int = 0
    extra: int = 0
    swapped: int = 0
    changed: int = 0
    behind: int = 0
    ahead: int = 0

    @property
    def clean(self) -> bool:
        """Nothing differs but a tail."""
        return not (self.missing or self.extra or self.swapped or self.changed)


def read_partition(log: Log, topic: str, partition: int) -> Sequence[LogRecord]:
    """All records of a partition; none where the cluster has no such partition."""
    return tuple(log.read(topic, partition)) if partition < log.partitions(topic) else ()


def compare(topic: str, partition: int, left: Sequence[LogRecord], right: Sequence[LogRecord]) -> Difference:
    """Pair the n-th copy of an identity on the one side with the n-th copy on the other."""
    ours, theirs = _named(left), _named(right)
    places = {name: place for place, name in enumerate(ours)}
    common = [(places[name], at) for at, name in enumerate(theirs) if name in places]
    behind = _tail(ours, 1 + max((place for place, _ in common), default=-1))
    ahead = _tail(theirs, 1 + (common[-1][1] if common else -1))
    return Difference(
        topic=topic,
        partition=partition,
        same=len(common),
        missing=len(left) - len(common) - behind,
        extra=len(right) - len(common) - ahead,
        swapped=_swapped([place for place, _ in common]),
        changed=sum(left[place].digest != right[at].digest for place, at in common),
        behind=behind,
        ahead=ahead,
    )


def _named(records: Sequence[LogRecord]) -> list[tuple[str, int]]:
    met: dict[str, int] = {}
    named = []
    for record in records:
        met[record.identity] = met.get(record.identity, 0) + 1
        named.append((record.identity, met[record.identity]))
    return named


def _tail(named: Sequence[tuple[str, int]], start: int) -> int:
    """Records after the last common one; a copy that its writer never made is no tail."""
    return sum(copy <= copies(identity) for identity, copy in named[start:])


def _swapped(places: Sequence[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(places))
