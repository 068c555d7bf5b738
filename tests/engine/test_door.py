"""The one-way door: what keeps it open, and who does not come back once it has fallen shut."""

from __future__ import annotations

import pytest
from test_engine import Light
from test_phases import APP, House, move

from kmigrate.engine import back, edits, phase_left, run_unit
from kmigrate.errors import Blocked, NoWayBack
from kmigrate.journal import Event
from kmigrate.model import Direction


def door(house: House) -> None:
    house.phases["door"] = (Light(name="d", one_way="it fell shut"),)


def test_no_application_goes_back_once_a_phase_has_begun_what_cannot_be_undone() -> None:
    house = House()
    door(house)
    run_unit(move(house.moves, APP, Direction.CUTOVER, 1), house.room, house.journal)
    assert back(house.plan, house.journal, APP) is not None
    house.apply("door")
    with pytest.raises(NoWayBack, match="it fell shut"):
        back(house.plan, house.journal, APP)


def test_no_door_falls_shut_while_a_move_is_half_done_in_either_direction() -> None:
    house = House()
    door(house)
    for half_done in (Direction.CUTOVER, Direction.ROLLBACK):
        house.journal.record(f"{half_done}/{APP}#1", "f", Event.STARTED, "stop")
        with pytest.raises(Blocked, match=f"{half_done}/{APP}#1 is half done") as told:
            house.apply("door")
        assert f"--app {APP}" in told.value.hint
        assert "d" not in house.room.lamps
        house.apply("provision")
        house.journal.record(f"{half_done}/{APP}#1", "f", Event.SEALED)
    assert house.apply("door") == "door"


@pytest.mark.parametrize("half_done", ["cutover, to be undone", "cutover, to be moved back", "rollback"])
def test_no_way_back_of_a_half_done_move_leads_through_a_door_that_fell_shut_meanwhile(half_done: str) -> None:
    house = House()
    door(house)
    journal = house.journal
    journal.record(f"cutover/{APP}#1", "f", Event.STARTED, "stop")
    if half_done != "cutover, to be undone":
        journal.record(f"cutover/{APP}#1", "f", Event.STARTED, "start")
    if half_done == "rollback":
        journal.record(f"cutover/{APP}#1", "f", Event.SEALED)
        journal.record(f"rollback/{APP}#1", "f", Event.STARTED, "stop")
    house.journal.record("door", "f", Event.STARTED, "d")  # as older versions did
    house.journal.record(house.journal.attempts(APP)[-1].name, "f", Event.APPLIED, "stop")  # it went on since
    with pytest.raises(NoWayBack, match="it fell shut"):
        back(house.plan, house.journal, APP)


def test_a_move_that_set_out_after_the_door_fell_shut_can_be_undone() -> None:
    house = House()
    door(house)
    house.apply("door")
    house.journal.record(f"cutover/{APP}#1", "f", Event.STARTED, "stop")
    way = back(house.plan, house.journal, APP)
    assert way is not None
    assert way.undo


def test_what_comes_before_a_door_is_not_done_again_once_it_has_begun_to_fall_shut() -> None:
    house = House()
    door(house)
    house.apply("provision")
    house.journal.record("door", house.plan.phase("door").unit.fingerprint, Event.STARTED, "d")
    house.phases["provision"] += (Light(name="c"),)
    for phase in ("provision", "replicate"):  # what lacks something, and what was never done
        with pytest.raises(Blocked, match="d of door was begun, and it fell shut") as told:
            house.apply(phase)
        assert "take what was added out of the plan file again" in told.value.hint
    assert set(house.room.lamps) == {"a"}
    (edit,) = edits(house.plan, house.journal)
    assert (edit.unit, "it fell shut" in edit.text, bool(edit.refused)) == ("provision", True, True)
    house.phases["provision"] = (Light(name="a"),)
    assert house.apply("provision") == ""
    assert [name for name in house.phases if phase_left(house.plan, house.journal, name)] == ["door"]
    assert house.apply("door") == "door"
    assert not phase_left(house.plan, house.journal, "door")
