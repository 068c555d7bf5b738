"""The target does not answer while a half-done move is undone: what goes back all the same, and what is known of it."""

from __future__ import annotations

import pytest
from law_watch import watch_of
from laws import Walk
from writers_move import PLAN, die_after, last, prepared

from kmigrate.adapters.memory import MemoryCluster, MemoryGroups, MemoryMirror, MemoryWorld
from kmigrate.engine import back, undo_unit, where
from kmigrate.errors import Blocked, Transient
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Side
from kmigrate.plan import LEFT
from kmigrate.probes.ownership import epochs
from kmigrate.steps.cutover.fences import denials
from kmigrate.steps.cutover.left_there import left_there
from kmigrate.steps.lanes import lane_state
from kmigrate.world import Reporter

CARRIED = ("carry-positions", "hand-over-topics", "lift-fence", "switch-settings")
GROUP = "checkout"


class Away(MemoryWorld):
    """No broker of the target answers; resources can be written, and nobody makes them real."""

    def cluster(self, side: Side) -> MemoryCluster:
        return self.estate.clusters[_answering(side)]

    def groups(self, side: Side) -> MemoryGroups:
        return self.estate.groups[_answering(side)]

    @property
    def mirror(self) -> MemoryMirror:
        raise Transient("target: no broker answers")


class WithoutGroups(MemoryWorld):
    """The target answers, but for its groups."""

    def groups(self, side: Side) -> MemoryGroups:
        return self.estate.groups[_answering(side)]


class Notes(Reporter):
    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


def _answering(side: Side) -> Side:
    if side is Side.TARGET:
        raise Transient("target: no broker answers")
    return side


def undo(walk: Walk, kind: type[MemoryWorld] = Away) -> list[str]:
    """Undo the writer's move while only the source and what runs there go on; what was told."""
    estate, journal, notes = walk.estate, walk.journal(), Notes()

    def act() -> None:
        estate.source_admin.work()
        estate.clusters[Side.SOURCE].acls.work()
        for workload in estate.workloads.values():
            workload.work()

    way = back(walk.plan, journal, "checkout")
    assert way is not None
    assert way.undo
    turn, estate.clock.work = estate.clock.work, act
    try:
        undo_unit(way.unit, kind(estate, reporter=notes), journal)
    finally:
        estate.clock.work = turn
    return notes.told


def died(step: str) -> Walk:
    walk = prepared()
    die_after(walk, step)
    return walk


def world_of(walk: Walk) -> MemoryWorld:
    return MemoryWorld(walk.estate).bound(walk.journal().past())


@pytest.mark.parametrize("step", ["stop-workloads", "fence-clients", "drain-mirror", *CARRIED])
def test_a_move_that_is_half_done_goes_back_without_the_target_and_forward_again_with_it(step: str) -> None:
    walk = died(step)
    began = walk.estate.clock.now_ms()
    told = undo(walk)
    workload = walk.estate.workloads["checkout"]
    assert (workload.running, workload.side) == (True, Side.SOURCE)
    assert walk.estate.fences[Side.SOURCE].standing(denials(Side.SOURCE, workload.app)) == frozenset()
    assert walk.journal().attempts("checkout")[-1].went_back
    assert not epochs(world_of(walk))
    assert set(left_there(world_of(walk), Side.TARGET)) == ({GROUP} if step in CARRIED else set())
    assert any(f"positions of group {GROUP} stay there" in each for each in told) is (step in CARRIED)
    assert any("lane lane-1 is asked to run" in each for each in told) is (step in ("drain-mirror", *CARRIED))
    # who stands still waits for nobody who does not answer
    assert walk.estate.clock.now_ms() - began < 10_000
    walk.estate.turns(50)
    (lane,) = forward_lanes(PLAN)
    assert lane_state(world_of(walk), PLAN.target, lane).running
    walk.exact()
    walk.type("cutover checkout")
    walk.exact()
    assert where(walk.journal(), "checkout") is Side.TARGET
    assert left_there(world_of(walk), Side.TARGET) == {}
    assert watch_of(walk.estate).unruly == []


def test_an_attempt_after_it_that_is_undone_gives_the_group_what_it_held_before_any_of_them() -> None:
    walk = died("carry-positions")
    undo(walk)
    assert walk.estate.groups[Side.TARGET].held([GROUP])[GROUP]
    walk.rest()
    die_after(walk, "carry-positions")
    walk.type("rollback checkout")
    assert walk.estate.groups[Side.TARGET].held([GROUP])[GROUP] == {}
    walk.exact()


def test_it_may_happen_twice_in_a_row() -> None:
    walk = died("carry-positions")
    undo(walk)
    walk.rest()
    die_after(walk, "carry-positions")
    undo(walk)
    walk.rest()
    left = left_there(world_of(walk), Side.TARGET)[GROUP]
    assert (left.put, left.before) == (walk.estate.groups[Side.TARGET].held([GROUP])[GROUP], {})
    assert len(walk.journal().by_unit(LEFT)) == 2
    walk.type("cutover checkout")
    walk.exact()


def test_who_read_there_meanwhile_is_named_before_anything_is_stopped_anew() -> None:
    walk = died("carry-positions")
    undo(walk)
    walk.rest()
    held = walk.estate.groups[Side.TARGET].held_by[GROUP]
    first = min(held)
    held[first] += 3
    with pytest.raises(
        Blocked, match=rf"with group {GROUP}, .*: {first} from \d+ to \d+; those were given twice"
    ) as told:
        walk.type("cutover checkout")
    assert f"--delete --group {GROUP}" in told.value.hint
    assert walk.estate.workloads["checkout"].running
    walk.estate.groups[Side.TARGET].delete(GROUP)
    walk.type("cutover checkout")
    assert where(walk.journal(), "checkout") is Side.TARGET


def test_who_dies_right_after_other_positions_were_put_over_them_goes_on() -> None:
    walk = died("carry-positions")
    undo(walk)
    walk.rest()
    target = walk.estate.groups[Side.TARGET]
    lives = walk.lives("cutover checkout")
    life = next(each for each in lives if len(each.estate.groups[Side.TARGET].commits) == len(target.commits))
    assert last(life) == ("FACT", "")
    life.type("cutover checkout")
    life.exact()
    assert where(life.journal(), "checkout") is Side.TARGET


def test_a_target_that_answers_is_asked_again_and_the_undoing_goes_on_then() -> None:
    walk = died("carry-positions")
    with pytest.raises(Transient):
        undo(walk, WithoutGroups)
    assert walk.journal().by_unit(LEFT) == {}
    walk.type("rollback checkout")
    assert walk.estate.groups[Side.TARGET].held([GROUP])[GROUP] == {}
    walk.exact()


def test_where_nobody_put_a_position_yet_the_target_is_not_asked_for_any() -> None:
    walk = died("drain-mirror")
    assert undo(walk) == ["the target does not answer: lane lane-1 is asked to run once it does"]
    assert walk.journal().by_unit(LEFT) == {}
