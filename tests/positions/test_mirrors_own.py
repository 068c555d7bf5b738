"""What MirrorMaker 2 itself would choose: its rule, and the spacing of its store (`mirrormaker2.md` §1.2 to §1.4)."""

from __future__ import annotations

import pytest

from kmigrate.model import Sync
from kmigrate.positions import mirrors_own


def syncs(end: int, step: int = 1) -> list[Sync]:
    """One for every so many records, whose copies lie 1,000 further on."""
    return [Sync(at, at + 1_000) for at in range(0, end, step)]


def test_at_a_sync_it_is_the_copy_itself_and_after_it_the_next_record_never_further() -> None:
    told = [Sync(0, 0), Sync(100, 90)]
    assert [mirrors_own(told, at) for at in (99, 100, 101, 180)] == [1, 90, 91, 91]


def test_a_group_older_than_every_sync_that_is_kept_gets_none() -> None:
    assert mirrors_own([], 5) is None
    assert mirrors_own([Sync(10, 3)], 9) is None
    assert mirrors_own([Sync(10, 3)], 10) == 3


def test_a_mirror_that_goes_back_forgets_all_it_kept() -> None:
    told = syncs(99_991, 101)
    assert mirrors_own(told, 50_000) is not None
    assert mirrors_own([*told, Sync(99_590, 120_000)], 50_000) is None
    assert mirrors_own([*told, Sync(99_590, 120_000)], 99_600) == 120_001


@pytest.mark.parametrize("lag", [0, 1, 2, 3, 7, 20, 100, 333, 1_000, 2_999])
def test_the_further_a_group_lags_the_less_is_left_around_it_and_never_less_than_the_store_keeps(lag: int) -> None:
    """Neighbours in the store, i and i + 1, lie at most 2^i apart, and slot i at most 2^i - 1 behind the newest."""
    end = 3_000
    position = end - 1 - lag
    chosen = mirrors_own(syncs(end), position)
    assert chosen is not None
    behind = position - (chosen - 1_000 - (lag > 0))  # of the sync that was chosen
    assert 0 <= behind <= 8 * lag


def test_the_store_of_hundreds_of_syncs_has_but_a_few_marks() -> None:
    told = syncs(700)
    chosen = {mirrors_own(told, position) for position in range(0, 700, 7)}
    assert 8 <= len(chosen) <= 40
    assert mirrors_own(told, 699) == 1_699
