"""The forward mirror's right to write, asked away while its lane stops: the hand-over waits for both at once."""

from __future__ import annotations

import pytest
from law_watch import watch_of
from laws import Walk
from writers_move import FIRST, PLAN, life_after, prepared, stray

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.manifests.users import rights_asked
from kmigrate.model import Side
from kmigrate.probes.arming import withheld
from kmigrate.probes.ownership import epochs
from kmigrate.steps.lanes import asked_state
from kmigrate.world import Key

(LANE,) = forward_lanes(PLAN)


def may_write(walk: Walk) -> bool:
    """Whether the mirror's KafkaUser asks for the right to write the topic that is handed over."""
    user = walk.estate.store.get(Key("KafkaUser", "kafka", MIRROR_USER))
    assert user is not None
    return ("orders", "Write") in {(right.name, right.operation) for right in rights_asked(MIRROR_USER, user.spec)}


def world(walk: Walk) -> MemoryWorld:
    return MemoryWorld(walk.estate).bound(walk.journal().past())


def test_it_is_asked_away_with_the_stop_of_the_lane_and_nobody_owns_anything_else_by_then() -> None:
    walk = prepared()
    assert may_write(walk)
    died = life_after(walk, "drain-mirror")
    assert (may_write(died), asked_state(world(died), PLAN.target, LANE)) == (False, STOPPED)
    assert FIRST not in epochs(world(died))
    assert "orders" in withheld(world(died), PLAN)


@pytest.mark.parametrize("step", ["drain-mirror", "carry-positions", "hand-over-topics", "switch-settings"])
def test_what_is_taken_back_gives_it_back_and_copies_on(step: str) -> None:
    walk = life_after(prepared(), step)
    walk.type("rollback checkout")
    walk.rest()
    assert may_write(walk)
    assert withheld(world(walk), PLAN) == frozenset()
    assert asked_state(world(walk), PLAN.target, LANE) == RUNNING
    walk.type("cutover checkout")
    assert not may_write(walk)
    assert watch_of(walk.estate).unruly == []


@pytest.mark.parametrize("step", ["drain-mirror", "hand-over-topics"])
def test_who_dies_at_any_instant_of_going_back_gives_it_back_all_the_same(step: str) -> None:
    begun = life_after(prepared(), step)
    lives = list(begun.copy().lives("rollback checkout"))
    assert len(lives) > 10
    for life in lives:
        life.type("rollback checkout")
        life.rest()
        assert may_write(life)
        assert asked_state(world(life), PLAN.target, LANE) == RUNNING


def test_a_second_attempt_that_has_more_to_copy_gets_it_back_too() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    walk.type("rollback checkout")
    walk.rest()
    died = life_after(walk, "drain-mirror")
    assert not may_write(died)
    came = stray(died, Side.SOURCE)
    died.type("cutover checkout")
    assert epochs(world(died))[FIRST].seams[-1].at(Side.SOURCE) > came
    assert watch_of(died.estate).unruly == []


def test_where_there_is_more_to_copy_it_is_given_back_before_the_lane_runs_again() -> None:
    died = life_after(prepared(), "drain-mirror")
    came = stray(died, Side.SOURCE)
    turn, wrong = died.estate.turn, []

    def act() -> None:
        if asked_state(world(died), PLAN.target, LANE) == RUNNING and not may_write(died):
            wrong.append("it runs without its right")
        turn()

    died.estate.clock.work = act
    died.type("cutover checkout")
    assert wrong == []
    assert epochs(world(died))[FIRST].seams[-1].at(Side.SOURCE) > came


def test_once_the_move_is_sealed_the_owner_alone_decides() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    walk.type("rollback checkout")
    walk.rest()
    assert may_write(walk)
    assert withheld(world(walk), PLAN) == frozenset()
