"""What edits of the plan file mean for what was done, and the places to go back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from memory_estate import migration
from test_engine import Light, Room

from kmigrate.adapters.memory import Death, Died, MemoryClock, MemoryLines
from kmigrate.engine import back, checkpoints, edits, forward, phase_done, phase_unit, run_unit, undo_unit, way_to
from kmigrate.errors import Blocked, NoWayBack, UsageError
from kmigrate.journal import Journal
from kmigrate.model import Direction, Policy
from kmigrate.plan import Phase, Plan, Unit
from kmigrate.story import story

APP = "reader"


@dataclass
class House:
    """A room, a journal, and a plan file that can be edited: lamps per phase, and what the move relies on."""

    room: Room = field(default_factory=lambda: Room(Death()))
    lines: MemoryLines = field(default_factory=lambda: MemoryLines(Death()))
    phases: dict[str, tuple[Light, ...]] = field(
        default_factory=lambda: {"provision": (Light(name="a"),), "replicate": (Light(name="b"),)}
    )
    moves: dict[str, str] = field(default_factory=lambda: {APP: "group g"})

    @property
    def plan(self) -> Plan:
        units = {n: Unit(name=n, title=n, gate="?", steps=steps) for n, steps in self.phases.items()}
        return Plan(
            phases=tuple(Phase(name=name, title=name, unit=unit) for name, unit in units.items()),
            waves=(tuple(self.moves),),
            stays={},
            unit=lambda app, direction, attempt: move(self.moves, app, direction, attempt),
        )

    @property
    def journal(self) -> Journal:
        return Journal(self.lines, MemoryClock(), "me", "shop")

    def apply(self, phase: str) -> str:
        unit = phase_unit(self.plan, self.journal, phase)
        if unit is None:
            return ""
        run_unit(unit, self.room, self.journal)
        return unit.name

    def cut_over(self) -> None:
        unit = forward(self.plan, self.journal, APP)
        assert unit is not None
        run_unit(unit, self.room, self.journal)

    def all_done(self) -> House:
        for phase in self.phases:
            self.apply(phase)
        self.cut_over()
        return self

    def go_to(self, checkpoint: str) -> list[tuple[str, bool]]:
        ways = way_to(self.plan, self.journal, checkpoint)
        for way in ways:
            (undo_unit if way.undo else run_unit)(way.unit, self.room, self.journal)
        return [(way.unit.name, way.undo) for way in ways]


def move(moves: Mapping[str, str], app: str, direction: Direction, attempt: int) -> Unit:
    to = "on" if direction is Direction.CUTOVER else "off"
    steps = (Light(name="stop", to=to), Light(name="start", to=to))
    name = f"{direction}/{app}#{attempt}"
    return Unit(name=name, title=name, gate="?", steps=steps, point_of_no_undo="start", keeps=moves[app])


def test_an_unedited_phase_is_done_once() -> None:
    house = House()
    assert not phase_done(house.plan, house.journal, "provision")
    assert house.apply("provision") == "provision"
    assert phase_done(house.plan, house.journal, "provision")
    assert house.apply("provision") == ""
    assert edits(house.plan, house.journal) == ()


def test_what_is_added_to_a_sealed_phase_is_done_by_an_attempt_of_its_own_and_undone_by_itself() -> None:
    house = House().all_done()
    house.phases["provision"] += (Light(name="c"),)
    assert [edit.unit for edit in edits(house.plan, house.journal)] == ["provision"]
    assert house.apply("provision") == "provision#2"
    assert house.apply("provision") == ""
    assert edits(house.plan, house.journal) == ()
    assert house.room.lamps["c"] == "on"
    assert house.go_to(f"cutover/{APP}#1") == [("provision#2", True)]
    assert house.room.lamps["c"] == "off"
    assert house.room.lamps["a"] == "on"


def test_a_phase_begun_with_another_plan_file_says_so_and_is_not_taken_over() -> None:
    house = House()
    house.phases["provision"] = (Light(name="a", lies=True),)
    with pytest.raises(Exception, match="still missing"):
        house.apply("provision")
    house.phases["provision"] = (Light(name="a"), Light(name="c"))
    (edit,) = edits(house.plan, house.journal)
    assert "rollback --to start" in edit.refused
    with pytest.raises(Blocked, match="another plan"):
        house.apply("provision")


@pytest.mark.parametrize("edited", [{APP: "group h"}, {}])
def test_an_edit_that_contradicts_a_move_is_refused_everywhere_until_it_is_taken_back(edited: dict[str, str]) -> None:
    house = House().all_done()
    house.phases["provision"] += (Light(name="c"),)
    house.moves = edited
    (_, edit) = edits(house.plan, house.journal)
    assert f"rollback --app {APP}" in edit.refused
    with pytest.raises(Blocked, match="moves reader with group g; the plan file now says"):
        house.apply("provision")
    for way in (forward, back):
        with pytest.raises(Blocked, match="moves reader with group g"):
            way(house.plan, house.journal, APP)
    house.moves = {APP: "group g"}
    assert house.apply("provision") == "provision#2"


def test_after_the_way_back_the_application_may_be_edited() -> None:
    house = House().all_done()
    assert house.go_to("replicate") == [(f"rollback/{APP}#1", False)]
    house.moves = {APP: "group h"}
    assert edits(house.plan, house.journal) == ()
    house.cut_over()


def test_checkpoints_are_the_units_that_hold_in_order() -> None:
    house = House()
    assert checkpoints(house.plan, house.journal) == ()
    house.all_done()
    told = ["start", "provision", "replicate", f"cutover/{APP}#1"]
    assert [each.name for each in checkpoints(house.plan, house.journal)] == told
    house.go_to("replicate")
    assert [each.name for each in checkpoints(house.plan, house.journal)] == told[:-1]


def test_the_way_to_a_checkpoint_goes_newest_first_through_all_that_came_later() -> None:
    house = House().all_done()
    ways = [(f"rollback/{APP}#1", False), ("replicate", True), ("provision", True)]
    assert house.go_to("start") == ways
    assert set(house.room.lamps.values()) == {"off"}
    assert way_to(house.plan, house.journal, "start") == ()
    house.all_done()
    assert house.go_to("provision") == [(f"rollback/{APP}#2", False), ("replicate", True)]


def test_nothing_is_touched_where_something_on_the_way_cannot_be_undone() -> None:
    house = House()
    house.phases["provision"] = (Light(name="a", one_way="burnt"),)
    house.all_done()
    before = len(house.lines.written)
    with pytest.raises(NoWayBack, match="burnt"):
        way_to(house.plan, house.journal, "start")
    assert len(house.lines.written) == before
    assert len(way_to(house.plan, house.journal, "provision")) == 2


def test_an_unknown_checkpoint_is_told_with_the_known_ones() -> None:
    house = House().all_done()
    with pytest.raises(UsageError, match="there are: start, provision"):
        way_to(house.plan, house.journal, "provison")


def test_a_death_on_the_way_to_a_checkpoint_is_gone_on_from() -> None:
    calm = House().all_done()
    calm.room.death.at = -1
    seen = calm.lines.death.seen
    calm.go_to("start")
    for instant in range(seen + 1, calm.lines.death.seen + 1):
        house = House().all_done()
        house.lines.death.at = instant
        with pytest.raises(Died):
            house.go_to("start")
        house.go_to("start")
        assert set(house.room.lamps.values()) == {"off"}


def test_a_second_addition_gets_the_next_number_also_after_the_first_was_taken_back() -> None:
    house = House().all_done()
    house.phases["provision"] += (Light(name="c"),)
    house.apply("provision")
    house.go_to(f"cutover/{APP}#1")
    assert house.apply("provision") == "provision#3"
    assert replace(house).room.lamps["c"] == "on"


def test_another_policy_is_an_edit_of_moves_alone() -> None:
    one = migration()
    edited = replace(one, policy=Policy(max_pause_ms=1_000))
    for name in ("assess", "provision", "replicate", "rehearse", "decommission"):
        units = [story(each).phase(name).unit for each in (one, edited)]
        assert len({unit.fingerprint for unit in units if unit}) == 1
    prints = {story(each).unit("ml-features", Direction.CUTOVER, 1).fingerprint for each in (one, edited)}
    assert len(prints) == 2


def test_a_new_application_is_an_edit_of_what_was_provisioned_and_of_no_move() -> None:
    one = migration()
    (app,) = one.applications
    other = replace(app, name="other", reads=(replace(app.reads[0], group="other"),))
    edited = replace(one, applications=(app, other))
    units = [story(each).phase("provision").unit for each in (one, edited)]
    assert len({unit.fingerprint for unit in units if unit}) == 2
    prints = {story(each).unit("ml-features", Direction.CUTOVER, 1).fingerprint for each in (one, edited)}
    assert len(prints) == 1


def test_a_move_begun_before_a_checkpoint_and_done_after_it_comes_back_too() -> None:
    house = House()
    house.apply("provision")
    house.room.death.at = house.room.death.seen + 2  # within the move
    with pytest.raises(Died):
        house.cut_over()
    house.apply("replicate")
    house.cut_over()
    assert checkpoints(house.plan, house.journal)[-1].name == f"cutover/{APP}#1"
    house.phases["provision"] += (Light(name="c"),)
    house.apply("provision")
    ways = [("provision#2", True), (f"rollback/{APP}#1", False)]
    assert house.go_to("replicate") == ways
    assert house.go_to("replicate") == []


def test_a_move_that_did_nothing_since_a_checkpoint_is_left_as_it_is() -> None:
    house = House()
    house.apply("provision")
    house.room.death.at = house.room.death.seen + 2
    with pytest.raises(Died):
        house.cut_over()
    house.apply("replicate")
    assert way_to(house.plan, house.journal, "replicate") == ()
    house.cut_over()
    house.phases["replicate"] += (Light(name="c"),)
    assert [way.unit.name for way in way_to(house.plan, house.journal, "replicate")] == [f"rollback/{APP}#1"]
