"""Counting what a read_uncommitted reader sees beyond a committed one: records of aborted transactions."""

from __future__ import annotations

from collections.abc import Iterable


def aborted_ahead(position: int, stable_end: int, everything: Iterable[int], committed: Iterable[int]) -> int:
    """Records of aborted transactions that a read_uncommitted reader at `position` would still be given.

    `everything` and `committed` are the offsets visible to a read_uncommitted and to a read_committed reader; both
    reach from `position` to `stable_end`, the last stable offset (exclusive), or further. Records at or past the last
    stable offset belong to transactions that may yet commit and are not counted; nor are markers, which nobody sees
    (KIP-98). Offsets are compared, never subtracted.
    """
    ahead = {offset for offset in everything if position <= offset < stable_end}
    return len(ahead.difference(committed))
