"""What MirrorMaker 2 itself would choose: its own store of syncs and its own rule, to be held beside the exact answer.

The checkpoint task keeps 64 slots per partition. Slot 0 holds the newest sync; the others are spaced roughly by powers
of two, so a group that lags finds only what is left of the marks around it (KAFKA-14666, KAFKA-15202, KAFKA-12468;
org.apache.kafka.connect.mirror.OffsetSyncStore of 4.3, against whose class this was checked).
"""

from __future__ import annotations

from collections.abc import Iterable

from kmigrate.model import Sync

_SLOTS = 64


def mirrors_own(syncs: Iterable[Sync], position: int) -> int | None:
    """The offset among the copies that MirrorMaker 2 gives a group at this position, or None where it gives none.

    `syncs` come in the order in which they were written, all since its task began. The newest sync that is kept and
    not past the position counts: its own copy, or the record after that copy (never further, since 3.4.1).
    """
    slots: list[Sync] = []
    for sync in syncs:
        slots = _kept(slots, sync)
    chosen = next((sync for sync in slots if sync.original <= position), None)
    return None if chosen is None else chosen.copy + (position > chosen.original)


def _kept(slots: list[Sync], sync: Sync) -> list[Sync]:
    """The slots after one more sync; one that goes back ends all that was kept."""
    if not slots or sync.original < slots[0].original:
        return [sync] * _SLOTS
    new, candidate, chosen = list(slots), 0, sync
    new[0] = sync
    for slot in range(1, _SLOTS):
        chosen, candidate = _replacement(new, slots, slot, candidate, chosen)
        if _near(new[slot - 1], new[slot], slot - 1, slot):
            break
        new[slot] = chosen
    return new


def _replacement(new: list[Sync], old: list[Sync], slot: int, candidate: int, chosen: Sync) -> tuple[Sync, int]:
    """An older sync may move on to this slot, when it is near enough to the newer one and apart from both beside it."""
    while True:
        sync, before = old[candidate], slot - 1
        apart = _apart(new[before], sync, before)
        fits = _near(new[before], sync, before, slot) and apart
        fits = fits and (slot + 1 == _SLOTS or _apart(sync, new[slot + 1], slot))
        skip = not apart or (candidate + 1 < _SLOTS and sync is old[candidate + 1])
        chosen = sync if fits else chosen
        candidate += fits or skip
        if candidate >= slot or not skip:
            return chosen, candidate


def _near(newer: Sync, older: Sync, i: int, j: int) -> bool:
    """At most so far apart; the last slot takes any (the bound overflows there)."""
    return newer is older or j == _SLOTS - 1 or newer.original <= older.original + (1 << j) - (1 << i)


def _apart(newer: Sync, older: Sync, i: int) -> bool:
    """At least so far apart, unless they are the same."""
    return newer is older or newer.original >= older.original + (1 << max(i - 2, 0))
