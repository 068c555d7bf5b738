"""Looking again after an attempt that came to nothing: what was sealed before it holds, and is looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from laws import Walk
from planted_lies import Scene, scene
from test_target_away import undo as undo_without_target
from test_verify_lies import LIES, assert_calm, assert_found, unsealed
from writers_move import die_after

from kmigrate.errors import Blocked
from kmigrate.model import Side


@cache
def back_and_half_over() -> Walk:
    """It came back, and a second cutover died with the application stopped and denied."""
    walk = scene("checkout back").walk
    die_after(walk, "fence-clients")
    return walk


@cache
def taken_back_again() -> Walk:
    walk = back_and_half_over().copy()
    walk.type("rollback checkout")
    return walk


@cache
def way_back_refused() -> Walk:
    """It is over, and `ready` refused its way back before a step of it was begun."""
    walk = scene("checkout over").walk
    walk.estate.workloads["checkout"].elsewhere = "nowhere:9092"
    with pytest.raises(Blocked):
        walk.type("rollback checkout")
    walk.estate.workloads["checkout"].elsewhere = ""
    return walk


CAME_TO_NOTHING: dict[str, tuple[Callable[[], Walk], str, Side, str]] = {
    "undone": (taken_back_again, "checkout back", Side.TARGET, "cutover/checkout#2: it was taken back"),
    "refused": (way_back_refused, "checkout over", Side.SOURCE, "rollback/checkout#1: nothing of it was begun"),
}


@pytest.mark.parametrize(
    ("after", "name"), [(a, n) for a, (_, move, *_) in CAME_TO_NOTHING.items() for n in LIES if move in LIES[n].moves]
)
def test_a_lie_is_found_also_after_an_attempt_that_came_to_nothing(after: str, name: str) -> None:
    made, _, left, _ = CAME_TO_NOTHING[after]
    assert_found(LIES[name], Scene(made().copy(), "checkout", left), after)


@pytest.mark.parametrize("after", CAME_TO_NOTHING)
def test_an_attempt_that_came_to_nothing_is_told_and_takes_no_claim_away(after: str) -> None:
    made, _, left, told = CAME_TO_NOTHING[after]
    assert_calm(made(), after)
    assert unsealed(Scene(made(), "checkout", left))[-1] == told


def test_what_was_taken_back_but_for_its_positions_is_told_and_nothing_is_called_wrong() -> None:
    walk = scene("checkout back").walk
    die_after(walk, "carry-positions")
    undo_without_target(walk)
    walk.estate.turns(50)
    told = "cutover/checkout#2: it was taken back, but for positions that stay on the target"
    assert told in unsealed(Scene(walk, "checkout", Side.TARGET))
    assert_calm(walk, told)
