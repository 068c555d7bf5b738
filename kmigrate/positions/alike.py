"""Records that both sides hold alike, in one order, known by one digest over all of them.

Where a mirror writes exactly once and nothing is compacted away, the copies between two of its marks are the originals
in their order. Then nothing is to be learnt from the digest of each record: the first corresponds to the first, and so
on, twins included.
"""

from __future__ import annotations

from itertools import chain, count, islice, repeat

from kmigrate.model import Record, Run
from kmigrate.positions.search import Search, Windows

_TIME = 0
_FIRST = tuple(place.to_bytes(16, "big") for place in range(4_096))
"""The places of a run of common length: a translation makes millions of these records."""


def enough_as_runs(search: Search, windows: Windows) -> bool:
    """Whether the records of these windows need not be told apart, should their runs be alike."""
    return search.once and not search.compacted and windows.originals_to is not None


def alike(originals: Run, copies: Run) -> bool:
    """Whether both hold the same records in the same order."""
    return len(originals.offsets) == len(copies.offsets) and originals.digest == copies.digest


def by_place(run: Run) -> tuple[Record, ...]:
    """The records of a run, to be compared with those of a run that is alike and with no others.

    The digest of each is its place, and the time is not told.
    """
    more = (place.to_bytes(16, "big") for place in count(len(_FIRST)))
    places = islice(chain(_FIRST, more), len(run.offsets))
    return tuple(map(Record, run.offsets, repeat(_TIME), places))
