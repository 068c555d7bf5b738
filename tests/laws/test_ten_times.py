"""A writer taken there and back ten times: all of it exact, ten epochs, and nothing that costs more with each time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

import pytest
from laws import Walk
from writers_move import FIRST, PLAN, die_after, prepared

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli import standing
from kmigrate.cli.looks import rows_of
from kmigrate.journal import Event
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Grade, Partition, Side
from kmigrate.probes.ownership import SEAMS, epochs, read_seams
from kmigrate.probes.standing import Standing
from kmigrate.probes.standing import standing as look

TIMES, GROUPS = 10, ("checkout", "fraud")


@dataclass(frozen=True)
class Trip:
    """What one way cost: lines of the journal, and their length."""

    lines: int
    length: int


def trip(walk: Walk, command: str) -> Trip:
    before = len(walk.estate.lines.written)
    walk.type(command)
    new = walk.estate.lines.written[before:]
    return Trip(lines=len(new), length=sum(map(len, new)))


@pytest.fixture(scope="module")
def gone() -> tuple[Walk, list[Trip]]:
    """Ten times there and back, the writers at work all the while, and the reader of what they write moved once."""
    walk = prepared()
    trips = [trip(walk, f"{way} checkout") for _ in range(TIMES) for way in ("cutover", "rollback")]
    return walk, trips


def world_of(walk: Walk) -> MemoryWorld:
    return MemoryWorld(walk.estate).bound(walk.journal().past())


def test_every_record_is_processed_once_and_in_order_by_who_moved_and_by_who_stayed(
    gone: tuple[Walk, list[Trip]],
) -> None:
    walk, _ = gone
    walk.exact()
    assert walk.estate.workloads["checkout"].side is Side.SOURCE
    assert walk.estate.workloads["fraud"].side is Side.TARGET


def test_the_ledger_has_ten_epochs_of_each_side_in_turn(gone: tuple[Walk, list[Trip]]) -> None:
    walk, _ = gone
    lives = epochs(world_of(walk))
    assert {p.topic for p in lives} == {"orders", "payments"}
    for life in lives.values():
        assert [seam.owner for seam in life.seams[1:]] == [Side.TARGET, Side.SOURCE] * TIMES
        assert all(not seam.missing for seam in life.seams)
        assert all(b.source > a.source and b.target > a.target for a, b in pairwise(life.seams))
    assert [read_seams(fact).keys() for fact in walk.journal().by_unit(SEAMS).values()] == [lives.keys()] * TIMES * 2


def test_history_has_every_attempt_sealed_in_turn_and_only_the_checkpoints_that_hold(
    gone: tuple[Walk, list[Trip]],
) -> None:
    walk, _ = gone
    rows = rows_of(walk.plan, walk.journal())
    assert [row.number for row in rows] == list(range(1, len(walk.estate.lines.written) + 1))
    sealed = [row.unit for row in rows if row.event == Event.SEALED and "checkout" in row.unit]
    assert sealed == [f"{way}/checkout#{n}" for n in range(1, TIMES + 1) for way in ("cutover", "rollback")]
    assert [row.checkpoint for row in rows if row.checkpoint] == [
        "start",
        *("assess", "provision", "replicate", "rehearse", "cutover/fraud#1"),
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_positions_tells_the_very_same_records_on_both_sides(gone: tuple[Walk, list[Trip]], group: str) -> None:
    walk = gone[0].copy()
    walk.estate.writing = False
    walk.estate.turns(100)
    rows = seen(walk, group)
    assert len(rows) == sum(2 for app in PLAN.applications for r in app.reads if r.group == group for _ in r.topics)
    for row in rows:
        assert row.position is not None
        assert (row.position.grade, row.waiting) == (Grade.EXACT_PROVEN, False)
        assert read_before(walk, Side.SOURCE, row.partition, row.source) == read_before(
            walk, Side.TARGET, row.partition, row.position.offset
        )
        assert (row.on_source.before is None) is (row.on_target.before is None)
    told = json.loads(json.dumps(standing.standing_json(group, rows)))["positions"]
    assert [each["grade"] for each in told] == ["EXACT_PROVEN"] * len(rows)


def test_the_tenth_way_costs_what_the_second_did(gone: tuple[Walk, list[Trip]]) -> None:
    """But for offsets and numbers of lines, which have more digits."""
    _, trips = gone
    for first, second in zip(trips[2:4], trips[-2:], strict=True):
        assert first.lines == second.lines
        assert second.length < first.length * 1.05


def test_what_was_made_of_hand_overs_is_made_once_and_anew_with_the_next(gone: tuple[Walk, list[Trip]]) -> None:
    walk = gone[0].copy()
    world = world_of(walk)
    before = epochs(world)
    assert epochs(world)[FIRST] is before[FIRST]
    walk.type("cutover checkout")
    assert len(epochs(world_of(walk))[FIRST].seams) == len(before[FIRST].seams) + 1
    assert epochs(world)[FIRST].seams == before[FIRST].seams


def test_attempts_that_are_undone_halfway_leave_nothing_behind() -> None:
    walk = prepared()
    for number in range(1, 4):
        die_after(walk, "hand-over-topics")
        walk.type("rollback checkout")
        assert not epochs(world_of(walk))
        walk.exact()
        assert walk.journal().attempts("checkout")[-1].went_back
        assert len(walk.journal().attempts("checkout")) == number
    walk.type("cutover checkout")
    walk.exact()
    assert [len(life.seams) for life in epochs(world_of(walk)).values()] == [2] * 4


def seen(walk: Walk, group: str) -> tuple[Standing, ...]:
    topics = {name for app in PLAN.applications for r in app.reads if r.group == group for name in r.topics}
    partitions = [p for t in walk.estate.clusters[Side.SOURCE].topics(topics).values() for p in t.all()]
    return look(world_of(walk), group, partitions, forward_lanes(PLAN))


def read_before(walk: Walk, side: Side, partition: Partition, position: int | None) -> list[int]:
    """The numbers of all records before a position, as the writers counted them."""
    return [entry.number for entry in walk.estate.clusters[side].logs[partition].visible(0, position)]
