"""Readers of uncommitted records: what the mirror aborted ahead of them is counted, told beforehand, and accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from memory_estate import GROUP, Estate, migration
from walking import APP, FIRST

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.advice import ABORTED_AHEAD
from kmigrate.cli.planned import look_ahead, plan_json
from kmigrate.engine import back, edits, forward, run_unit
from kmigrate.errors import Blocked
from kmigrate.journal import Journal
from kmigrate.model import Accepted, Grade, Json, Migration, Partition, Position, Side
from kmigrate.plan import Plan
from kmigrate.probes.uncommitted import aborted, as_read
from kmigrate.story import story

BEARS = (Accepted(id=ABORTED_AHEAD, subject=GROUP, reason="it drops doubles"),)


def rash(*, accept: tuple[Accepted, ...] = (), minimum: Grade = Grade.EXACT_MATCHED) -> Migration:
    """The one reader of `migration()`, which reads uncommitted records."""
    one = migration()
    apps = tuple(
        replace(app, reads=tuple(replace(reads, isolation="read_uncommitted") for reads in app.reads))
        for app in one.applications
    )
    return replace(one, applications=apps, accept=accept, policy=replace(one.policy, minimum_grade=minimum))


@dataclass
class Shop:
    """An estate whose reader may lag, and the commands typed at it."""

    plan_file: Migration = field(default_factory=rash)

    def __post_init__(self) -> None:
        self.estate = Estate(self.plan_file)
        self.lines = MemoryLines(self.estate.death)
        for phase in ("assess", "provision", "replicate"):
            self.phase(phase)

    @property
    def plan(self) -> Plan:
        return story(self.plan_file)

    def journal(self) -> Journal:
        return Journal(self.lines, self.estate.clock, "test", "shop")

    def phase(self, name: str) -> None:
        unit = self.plan.phase(name).unit
        assert unit is not None
        run_unit(unit, MemoryWorld(self.estate), self.journal())
        self.estate.turns(5)

    def cutover(self) -> None:
        journal = self.journal()
        unit = forward(self.plan, journal, APP)
        assert unit is not None
        run_unit(unit, MemoryWorld(self.estate), journal)

    def rollback(self) -> None:
        journal = self.journal()
        way = back(self.plan, journal, APP)
        assert way is not None
        assert not way.undo
        run_unit(way.unit, MemoryWorld(self.estate), journal)

    def aborts(self, batches: int) -> None:
        """The reader falls behind while the mirror dies in so many batches."""
        self.estate.app.held_up = True
        self.estate.turns(4)
        self.estate.mirror.dies = batches
        self.estate.turns(12)
        assert self.estate.mirror.dies == 0
        self.estate.app.held_up = False

    def facts(self, unit: str) -> Mapping[str, Json]:
        known = self.journal().unit(unit)
        assert known is not None
        return known.facts

    def positions(self) -> dict[Partition, Mapping[str, Json]]:
        told = self.facts(f"cutover/{APP}#1")["positions"]
        assert isinstance(told, Mapping)
        of = told[GROUP]
        assert isinstance(of, Mapping)
        return {Partition.parse(p): at for p, at in of.items() if isinstance(at, Mapping)}

    def given(self) -> dict[Partition, tuple[int, int]]:
        """How many records of each partition were never given to the reader, and how many once too often, at the end.

        Records that the source's writers took back have the number -1 and are left out.
        """
        self.estate.settle()
        told = {}
        for p, count in self.estate.written.items():
            seen = [number for number in self.estate.app.processed[GROUP, p] if number >= 0]
            told[p] = (len(set(range(count)) - set(seen)), len(seen) - len(set(seen)))
        return told


@pytest.fixture
def shop() -> Shop:
    return Shop()


def twice(shop: Shop) -> int:
    given = shop.given()
    assert {lost for lost, _ in given.values()} == {0}
    return sum(again for _, again in given.values())


def test_it_moves_there_back_and_there_again_like_any_other(shop: Shop) -> None:
    shop.cutover()
    shop.rollback()
    shop.cutover()
    assert twice(shop) == 0


def test_aborted_copies_ahead_of_it_stop_its_move_before_it_is_stopped(shop: Shop) -> None:
    shop.aborts(2)
    with pytest.raises(Blocked, match=rf"{ABORTED_AHEAD} {GROUP}: .* \d+ aborted copies lie ahead of it") as told:
        shop.cutover()
    assert f"accept: [{{id: {ABORTED_AHEAD}, subject: '{GROUP}'" in told.value.hint
    assert shop.estate.app.running
    assert shop.estate.groups[Side.TARGET].commits == []


@pytest.mark.parametrize("allows", [rash(accept=BEARS), rash(minimum=Grade.SAFE_LOWER_BOUND)])
def test_who_bears_them_is_given_twice_exactly_what_was_counted(shop: Shop, allows: Migration) -> None:
    shop.aborts(2)
    shop.plan_file = allows
    shop.cutover()
    carried = shop.positions()
    counted = {p: int(str(at.get("aborted_ahead", 0))) for p, at in carried.items()}
    assert sum(counted.values()) > 0
    lowered = {p for p, at in carried.items() if at["grade"] == str(Grade.SAFE_LOWER_BOUND)}
    assert lowered == {p for p, count in counted.items() if count}
    assert all(carried[p]["repeats_at_most"] == count for p, count in counted.items() if count)
    assert {p: again for p, (_, again) in shop.given().items()} == counted


def test_a_reader_of_committed_records_minds_none_of_them() -> None:
    shop = Shop(migration())
    shop.aborts(2)
    shop.cutover()
    assert twice(shop) == 0


def test_what_was_aborted_right_behind_its_position_is_passed_and_not_given_twice(shop: Shop) -> None:
    estate = shop.estate
    estate.writing = False
    estate.turns(9)
    estate.writing = True
    estate.app.held_up = True
    estate.mirror.dies = 1
    estate.turn()
    estate.writing = False
    estate.turns(9)
    estate.app.held_up = False
    assert estate.clusters[Side.TARGET].logs[FIRST].aborted
    estate.app.running = True
    shop.cutover()
    assert {str(at["grade"]) for at in shop.positions().values()} == {str(Grade.EXACT_PROVEN)}
    assert twice(shop) == 0


def test_it_may_stand_past_an_open_transaction_and_is_moved_once_that_has_ended(shop: Shop) -> None:
    source = shop.estate.clusters[Side.SOURCE].logs[FIRST]
    source.put(1_000, b"of the open one.", transaction="open")
    shop.estate.turns(4)
    held = shop.estate.groups[Side.SOURCE].held_by[GROUP][FIRST]
    assert held > source.stable
    shop.plan_file = replace(rash(), policy=replace(rash().policy, max_pause_ms=2_000, turn_back=False))
    with pytest.raises(Blocked, match="the mirror is too far behind"):
        shop.cutover()
    assert (shop.estate.app.running, shop.estate.groups[Side.TARGET].commits) == (True, [])
    source.abort("open")
    shop.cutover()
    assert twice(shop) == 0
    assert shop.positions()[FIRST]["grade"] == str(Grade.EXACT_PROVEN)


def test_on_the_way_back_what_the_writers_took_back_is_no_copy_and_stops_nobody(shop: Shop) -> None:
    shop.cutover()
    source = shop.estate.clusters[Side.SOURCE].logs[FIRST]
    shop.estate.app.held_up = True
    shop.estate.turns(3)
    for _ in range(3):
        source.put(1_000, b"is taken back...", transaction="back")
    source.abort("back")
    shop.estate.turns(3)
    shop.estate.app.held_up = False
    shop.rollback()
    assert twice(shop) == 0
    assert shop.estate.app.processed[GROUP, FIRST].count(-1) == 3


def test_rehearse_counts_them_and_stops_until_they_are_accepted(shop: Shop) -> None:
    shop.aborts(2)
    shop.estate.app.held_up = True
    with pytest.raises(Blocked, match=ABORTED_AHEAD):
        shop.phase("rehearse")
    shop.plan_file = rash(accept=BEARS)
    assert edits(shop.plan, shop.journal()) == ()
    shop.phase("rehearse")
    told = shop.facts("rehearse")["aborted_ahead"]
    assert isinstance(told, Mapping)
    assert int(str(told[GROUP])) > 0


def test_plan_tells_them_beforehand(shop: Shop) -> None:
    def ahead() -> Json:
        world = MemoryWorld(shop.estate)
        told = plan_json(look_ahead(shop.plan_file, shop.plan, shop.journal(), world))["abortedCopiesAhead"]
        assert isinstance(told, Mapping)
        return told[GROUP]

    shop.estate.writing = False
    shop.estate.turns(9)
    assert ahead() == 0
    shop.estate.writing = True
    shop.aborts(2)
    shop.estate.writing = False
    shop.estate.app.held_up = True
    shop.estate.turns(9)
    assert isinstance(ahead(), int)
    assert ahead() != 0


def test_the_count_is_the_same_however_small_the_parts_it_is_read_in(shop: Shop) -> None:
    shop.aborts(2)
    target = shop.estate.clusters[Side.TARGET]
    log = target.logs[FIRST]
    for start in range(log.stable):
        seen = aborted(target, {FIRST: start})[FIRST]
        committed = [entry.offset for entry in log.visible(start)]
        assert seen.next == (committed[0] if committed else log.stable)
        assert seen.passed == sum(start <= offset < seen.next for offset in log.aborted)
        assert seen.ahead == sum(seen.next <= offset < log.stable for offset in log.aborted)


def test_a_position_that_repeats_already_repeats_the_aborted_ones_besides(shop: Shop) -> None:
    shop.aborts(1)
    world, p = MemoryWorld(shop.estate), FIRST
    low = Position(partition=p, came_from=0, offset=0, grade=Grade.SAFE_LOWER_BOUND, reason="low", repeats_at_most=5)
    found = as_read(world, Side.SOURCE, "read_uncommitted", {p: low})[p]
    assert (
        found.repeats_at_most == 5 + found.aborted_ahead == 5 + len(shop.estate.clusters[Side.TARGET].logs[p].aborted)
    )
