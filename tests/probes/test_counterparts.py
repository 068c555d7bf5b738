"""What stands on the side left beside its counterparts, in memory: everything that is none of them is foreign."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from memory_estate import migration

from kmigrate.adapters.memory import Log, MemoryEstate, MemoryFacts, MemoryWorld
from kmigrate.model import Partition, Side, Topic
from kmigrate.probes.counterparts import Compared, Cursor, compare, compare_all, unheard_of

P = Partition("orders", 0)


class Sides:
    """A partition that the target owns since both logs began; letters are records, `.` a marker, `a?` is open."""

    def __init__(self, config: Mapping[str, str] | None = None) -> None:
        self.estate = MemoryEstate(migration())
        self.world = MemoryWorld(self.estate, MemoryFacts())
        for cluster in self.estate.clusters.values():
            cluster.create(Topic(name="orders", partitions=1, config=config or {}))

    def log(self, side: Side) -> Log:
        return self.estate.clusters[side].logs[P]

    def write(self, side: Side, told: str, transaction: str = "") -> None:
        for letter in told:
            if letter == ".":
                self.log(side).mark()
            else:
                self.log(side).put(ord(letter), letter.encode(), transaction=transaction)

    def compare(self, left: int = 0, entered: int = 0) -> Compared:
        return compare(self.world, Side.SOURCE, {P: Cursor(left=left, entered=entered)})

    def foreign(self) -> list[tuple[int, int]]:
        return [(each.offset, each.last) for each in self.compare().foreign]


def seen(source: str, target: str, config: Mapping[str, str] | None = None) -> Sides:
    sides = Sides(config)
    sides.write(Side.SOURCE, source)
    sides.write(Side.TARGET, target)
    return sides


@pytest.mark.parametrize(
    ("source", "target", "foreign"),
    [
        ("abc", "abc", []),
        ("a.b.c.", "ab..c", []),
        ("ab", "abcdef", []),
        ("", "abc", []),
        ("Xabc", "abc", [(0, 0)]),
        ("abcX", "abc", [(3, 3)]),
        ("aXbYc", "abc", [(1, 1), (3, 3)]),
        ("aXYZ.Qbc", "abc", [(1, 5)]),
        ("XY", "", [(0, 1)]),
        ("aab", "ab", [(1, 1)]),
        ("aba", "ab", [(2, 2)]),
    ],
)
def test_every_record_without_a_counterpart_is_found(source: str, target: str, foreign: list[tuple[int, int]]) -> None:
    assert seen(source, target).foreign() == foreign


def test_the_cursors_pass_what_was_told_and_it_goes_on_from_there() -> None:
    sides = seen("a.Xb", "a..bcd")
    first = sides.compare()
    assert first.cursors == {P: Cursor(left=4, entered=4)}
    assert (first.records, [each.time for each in first.foreign]) == (2, [ord("X")])
    assert sides.compare(4, 4).foreign == ()
    sides.write(Side.SOURCE, "cYd")
    again = sides.compare(4, 4)
    assert [(each.offset, each.time) for each in again.foreign] == [(5, ord("Y"))]
    assert again.cursors == {P: Cursor(left=7, entered=6)}


def test_what_was_aborted_or_is_still_open_counts_for_nobody() -> None:
    sides = seen("a", "ab")
    sides.write(Side.SOURCE, "X", transaction="dies")
    sides.log(Side.SOURCE).abort("dies")
    sides.write(Side.SOURCE, "Y", transaction="open")
    assert sides.foreign() == []
    sides.log(Side.SOURCE).commit("open")
    assert sides.foreign() == [(3, 3)]


def test_where_records_may_be_compacted_away_on_the_side_left_the_next_ones_are_still_known() -> None:
    assert seen("acX", "abc").foreign() == [(1, 2)]
    assert seen("acX", "abc", {"cleanup.policy": "compact"}).foreign() == [(2, 2)]


def test_a_side_that_stamps_copies_with_its_own_time_has_no_foreign_records_for_that() -> None:
    stamping = {"message.timestamp.type": "LogAppendTime"}
    assert seen("abXc", "abc", stamping).foreign() == [(2, 2)]


def test_more_than_one_look_takes_is_left_for_the_next() -> None:
    sides = Sides()
    for side in Side:
        for _ in range(5_001):
            sides.log(side).put(1, b"a")
        sides.write(side, "b")
    first = sides.compare()
    assert first.cursors == {P: Cursor(left=5_000, entered=5_000)}
    assert sides.compare(5_000, 5_000).cursors == {P: Cursor(left=5_002, entered=5_002)}


@pytest.mark.parametrize("side", list(Side))
def test_where_retention_took_what_was_to_be_compared_next_nothing_is_told(side: Side) -> None:
    sides = seen("abXc", "abc")
    sides.log(side).expire(1)
    found = sides.compare()
    assert (found.gone, found.foreign, found.cursors) == ((P,), (), {P: Cursor(left=0, entered=0)})
    assert list(compare_all(sides.world, Side.SOURCE, found.cursors)) == [found]
    assert [(each.offset, each.last) for each in sides.compare(1, 1).foreign] == [(2, 2)]


def test_all_of_it_is_compared_part_by_part_up_to_where_it_ended_at_first() -> None:
    sides = Sides()
    for _ in range(12_000):
        for side in Side:
            sides.log(side).put(1, b"a")
    sides.write(Side.SOURCE, "X")
    parts = list(compare_all(sides.world, Side.SOURCE, {P: Cursor(left=0, entered=0)}))
    assert [each.records for each in parts] == [5_000, 5_000, 2_000]
    assert [each.offset for part in parts for each in part.foreign] == [12_000]


def test_what_came_since_is_looked_for_among_the_newest_across() -> None:
    sides = seen("ab.", "abcd")
    assert unheard_of(sides.world, Side.SOURCE, {P: 3}) == ()
    sides.write(Side.SOURCE, "cd")
    assert unheard_of(sides.world, Side.SOURCE, {P: 3}) == ()
    sides.write(Side.SOURCE, "X")
    assert unheard_of(sides.world, Side.SOURCE, {P: 3}) == (P,)
    assert unheard_of(sides.world, Side.SOURCE, {P: 6}) == ()
