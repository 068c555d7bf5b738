from __future__ import annotations

import pytest

from kmigrate.positions.aborted import aborted_ahead

# offsets 3 and 7 hold markers, 4 to 6 were aborted and copied again as 8 to 10, 12 and 13 are in an open transaction
EVERYTHING = (0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13)
COMMITTED = (0, 1, 2, 8, 9, 10)
STABLE_END = 12


@pytest.mark.parametrize(("position", "ahead"), [(0, 3), (3, 3), (4, 3), (5, 2), (6, 1), (7, 0), (8, 0), (12, 0)])
def test_only_aborted_records_at_or_after_the_position_count(position: int, ahead: int) -> None:
    assert aborted_ahead(position, STABLE_END, EVERYTHING, COMMITTED) == ahead


def test_records_of_an_open_transaction_do_not_count() -> None:
    assert aborted_ahead(8, STABLE_END, EVERYTHING, COMMITTED) == 0


def test_a_log_without_aborted_records_counts_none() -> None:
    assert aborted_ahead(0, 20, COMMITTED, COMMITTED) == 0
