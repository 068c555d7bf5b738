"""Offset syncs: kept whole, bracketed by those that rise, and decoded from their topic's bytes."""

from __future__ import annotations

import struct

import pytest

from kmigrate.model import Bracket, Partition, Sync
from kmigrate.positions import SyncIndex, read_checkpoint, read_sync
from kmigrate.positions.syncs import MirrorsOwn

KEY = bytes.fromhex("0006" + "6f7264657273" + "00000003")
VALUE = bytes.fromhex("00000000000003e8" + "00000000000003b6")
CHECKPOINT_KEY = bytes.fromhex("0002" + "6731" + "0006" + "6f7264657273" + "00000003")
CHECKPOINT_VALUE = bytes.fromhex("0000" + "00000000000003e9" + "00000000000003b7" + "0000")


def index(*pairs: tuple[int, int]) -> SyncIndex:
    made = SyncIndex()
    for original, copy in pairs:
        made.add(Sync(original, copy))
    return made


def test_a_position_lies_after_the_low_sync_and_at_or_before_the_high_one() -> None:
    syncs = index((0, 0), (100, 90), (200, 180))
    assert syncs.bracket(100) == Bracket(Sync(0, 0), Sync(100, 90))
    assert syncs.bracket(101) == Bracket(Sync(100, 90), Sync(200, 180))
    assert syncs.bracket(0) == Bracket(None, Sync(0, 0))
    assert syncs.bracket(201) == Bracket(Sync(200, 180), None)
    assert syncs.bracket(91, by_copy=True) == Bracket(Sync(100, 90), Sync(200, 180))
    assert syncs.bracket(101, skip=1) == Bracket(Sync(0, 0), None)
    assert index().bracket(5) == Bracket(None, None)


def test_the_sync_of_a_second_copy_brackets_nothing() -> None:
    syncs = index((0, 0), (100, 100), (40, 150), (200, 310))
    assert len(syncs) == 3
    assert syncs.bracket(60) == Bracket(Sync(0, 0), Sync(100, 100))


def test_a_sync_that_comes_late_takes_its_place_and_ends_those_that_do_not_rise_after_it() -> None:
    assert index((0, 0), (200, 180), (100, 90)).bracket(150) == Bracket(Sync(100, 90), Sync(200, 180))
    overtaken = index((0, 0), (100, 120), (200, 300), (150, 90))
    assert overtaken.bracket(120) == Bracket(Sync(0, 0), Sync(150, 90))
    assert len(overtaken) == 3


def test_the_same_sync_twice_is_one() -> None:
    assert len(index((5, 5), (5, 5), (5, 5))) == 1


def test_a_sync_is_decoded() -> None:
    assert read_sync(KEY, VALUE) == (Partition("orders", 3), Sync(1000, 950))
    assert read_sync(KEY, VALUE + b"more") == (Partition("orders", 3), Sync(1000, 950))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALUE),
        (KEY, None),
        (KEY, b""),
        (KEY, VALUE[:-1]),
        (KEY[:-1], VALUE),
        (b"", VALUE),
        (b"\x00", VALUE),
        (b"\xff\xff" + KEY[2:], VALUE),
        (b"\x00\x06\xff\xfe\xff\xfe\xff\xfe" + KEY[-4:], VALUE),
        (KEY[:-4] + struct.pack(">i", -1), VALUE),
        (KEY, struct.pack(">qq", -1, 5)),
        (KEY, struct.pack(">qq", 5, -1)),
        (b"\x00\x00" + KEY[-4:], VALUE),
    ],
)
def test_what_cannot_be_read_as_a_sync_bounds_nothing(key: bytes | None, value: bytes | None) -> None:
    assert read_sync(key, value) is None


def test_a_checkpoint_is_decoded() -> None:
    assert read_checkpoint(CHECKPOINT_KEY, CHECKPOINT_VALUE) == ("g1", Partition("orders", 3), MirrorsOwn(1001, 951))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, CHECKPOINT_VALUE),
        (CHECKPOINT_KEY, None),
        (CHECKPOINT_KEY, CHECKPOINT_VALUE[:17]),
        (CHECKPOINT_KEY, b"\x00\x01" + CHECKPOINT_VALUE[2:]),
        (CHECKPOINT_KEY[:-1], CHECKPOINT_VALUE),
        (CHECKPOINT_KEY[:3], CHECKPOINT_VALUE),
        (b"\x00\x02\xff\xfe" + CHECKPOINT_KEY[4:], CHECKPOINT_VALUE),
        (b"", CHECKPOINT_VALUE),
    ],
)
def test_a_checkpoint_of_unknown_version_or_cut_short_is_not_read(key: bytes | None, value: bytes | None) -> None:
    assert read_checkpoint(key, value) is None
