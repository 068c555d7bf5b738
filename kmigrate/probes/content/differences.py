"""Which difference comes first between records of both sides, and which field of a record it is in.

Contents are never told: only their length and the beginning of their SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kmigrate.model import FullRecord, Partition, Record

_SHIFT = 64
"""So many records more on one side are told apart from records that differ."""
_AGREE = 4
"""So many records must agree after a shift, or all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first difference of a partition: the offset on either side, None where that side has nothing more there."""

    partition: Partition
    source: int | None
    target: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.partition}: {_place('source', self.source)}, {_place('target', self.target)}: {self.what}"


class Kind(StrEnum):
    """How records of both sides stand to each other where they first differ."""

    CHANGED = "changed"
    SWAPPED = "swapped"
    MISSING = "missing"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The first difference between two lists: at which index, and of how many records more on one side (0: none)."""

    at: int
    kind: Kind
    count: int = 0


def first_difference(here: Sequence[Record], there: Sequence[Record]) -> Found | None:
    """Where the lists first differ, both taken as beginning at the same place; None where they are equal."""
    ours, theirs = [r.digest for r in here], [r.digest for r in there]
    both = min(len(ours), len(theirs))
    at = next((index for index in range(both) if ours[index] != theirs[index]), both)
    if at == len(ours) == len(theirs):
        return None
    if at < both and ours[at + 1 : at + 1 + _AGREE] == theirs[at + 1 : at + 1 + _AGREE]:
        return Found(at=at, kind=Kind.CHANGED)
    if len(ours[at : at + 2]) == 2 and ours[at : at + 2] == theirs[at : at + 2][::-1]:
        return Found(at=at, kind=Kind.SWAPPED)
    for count in range(1, _SHIFT + 1):
        if at + count <= len(theirs) and theirs[at + count :][:_AGREE] == ours[at : at + _AGREE]:
            return Found(at=at, kind=Kind.EXTRA, count=count)
        if at + count <= len(ours) and ours[at + count :][:_AGREE] == theirs[at : at + _AGREE]:
            return Found(at=at, kind=Kind.MISSING, count=count)
    if at < both:
        return Found(at=at, kind=Kind.CHANGED)
    more = max(len(ours), len(theirs)) - at
    return Found(at=at, kind=Kind.MISSING if at < len(ours) else Kind.EXTRA, count=more)


def told_shift(here: Sequence[Record], there: Sequence[Record], found: Found) -> str:
    """In words, a difference that is not in a record's fields."""
    if found.kind is Kind.SWAPPED:
        return "the record is swapped with the next one"
    many = "1 record" if found.count == 1 else f"{found.count} records"
    if found.kind is Kind.MISSING:
        return f"{many} of the source missing on the target"
    digest = there[found.at].digest
    twin = next((r.offset for r in reversed(there[: found.at]) if r.digest == digest), None)
    if twin is not None:
        return f"{many} more on the target: a duplicate of its offset {twin}"
    return f"{many} on the target missing on the source"


def told_fields(here: FullRecord, there: FullRecord) -> str:
    """Which fields of two records differ, in words."""
    told = [
        *_time(there.timestamp - here.timestamp),
        *_part("key", here.key, there.key),
        *_part("value", here.value, there.value),
        *_headers(here, there),
    ]
    return "; ".join(told) or "the records differed, and are equal now"


def _time(later: int) -> list[str]:
    return [f"the timestamp is {abs(later)} ms {'later' if later > 0 else 'earlier'} on the target"] if later else []


def _headers(here: FullRecord, there: FullRecord) -> list[str]:
    ours, theirs = here.headers, there.headers
    if ours == theirs:
        return []
    if len(ours) != len(theirs):
        return [f"{len(ours)} headers on the source, {len(theirs)} on the target"]
    if sorted(ours, key=repr) == sorted(theirs, key=repr):
        return ["the headers stand in another order"]
    told = []
    for number, ((name, value), (its_name, its_value)) in enumerate(zip(ours, theirs, strict=True), start=1):
        told += _part(f"name of header {number}", name.encode(), its_name.encode())
        told += _part(f"value of header {number}", value, its_value)
    return told


def _part(name: str, here: bytes | None, there: bytes | None) -> list[str]:
    if here == there:
        return []
    return [f"the {name} differs: {_content(here)} on the source, {_content(there)} on the target"]


def _content(part: bytes | None) -> str:
    if not part:
        return "null" if part is None else "empty"
    return f"{len(part)} bytes (sha256 {hashlib.sha256(part).hexdigest()[:12]}…)"


def _place(side: str, offset: int | None) -> str:
    return f"{side} offset {offset}" if offset is not None else f"the end on the {side}"
