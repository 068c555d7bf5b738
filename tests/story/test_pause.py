"""The pause: its parts, its budget, and what happens once it would outgrow it."""

from dataclasses import replace

import pytest
from memory_estate import Estate, migration
from walking import APP, assert_exact, command, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.memory import Died, MemoryLines, MemoryWorld
from kmigrate.engine import back, forward, run_unit
from kmigrate.errors import Blocked, WentBack
from kmigrate.journal import UnitRecord
from kmigrate.model import Direction, Policy, Side

UNIT = "cutover/ml-features#1"
SHORT = Policy(max_pause_ms=20_000, soak_ms=2_000)


def cut_over(estate: Estate, lines: MemoryLines, policy: Policy = SHORT) -> None:
    journal = journal_of(estate, lines)
    unit = forward(plan_of(replace(migration(), policy=policy)), journal, APP)
    assert unit is not None
    run_unit(unit, MemoryWorld(estate), journal)


def record(estate: Estate, lines: MemoryLines) -> UnitRecord:
    unit = journal_of(estate, lines).unit(UNIT)
    assert unit is not None
    return unit


def test_the_pause_is_split_into_the_part_of_the_tool_and_the_part_of_the_application() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"carry-positions"')
    estate.clock.now += 7_000  # nobody works: it belongs to the tool, also over a crash
    command("cutover", estate, lines)
    known = record(estate, lines).facts
    parts = known["pause_parts"]
    assert isinstance(parts, dict)
    assert known["pause_ms"] == parts["tool"] + parts["application"]
    assert parts["tool"] >= 7_000
    assert parts["application"] > 0


def test_a_move_that_outgrows_its_budget_goes_back_by_itself_and_sets_out_again() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.clusters[Side.SOURCE].acls.stuck = True

    class Loosening(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if "UNDOING" in line:
                estate.clusters[Side.SOURCE].acls.stuck = False

    with pytest.raises(WentBack, match=r"longer than maxPause \(20 s\).*not enforced everywhere yet") as told:
        cut_over(estate, Loosening(lines.death, lines.written))
    assert told.value.exit_code == 9
    assert f"kmigrate apply --phase cutover --app {APP}" in told.value.hint
    assert record(estate, lines).went_back
    assert estate.app.running
    assert estate.clusters[Side.SOURCE].acls.denied() == set()
    command("cutover", estate, lines)
    assert journal_of(estate, lines).attempts(APP)[-1].name == "cutover/ml-features#2"
    assert_exact(estate, lines, Side.TARGET)


def test_it_turns_back_while_the_way_back_still_fits_the_budget() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.clusters[Side.SOURCE].acls.stuck = True
    begun = estate.clock.now
    with pytest.raises(WentBack):
        cut_over(estate, lines)
    first = next(e for e in journal_of(estate, lines).entries if e.event == "UNDOING")
    assert 14_000 <= first.time - begun <= 16_000


def test_where_going_back_fails_it_says_so_and_rollback_goes_on() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')
    estate.clock.now += 400_000
    estate.clusters[Side.SOURCE].acls.stuck = True  # it is enforced, and lifting it comes to nothing
    with pytest.raises(Blocked, match="going back failed, so cutover/ml-features#1 stands halfway"):
        command("cutover", estate, lines)
    estate.clusters[Side.SOURCE].acls.stuck = False
    command("rollback", estate, lines)
    assert_exact(estate, lines, Side.SOURCE)


def test_a_crash_does_not_stop_the_clock() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"drain-mirror"')
    estate.clock.now += 400_000
    with pytest.raises(WentBack):
        command("cutover", estate, lines)
    assert estate.app.running
    assert record(estate, lines).went_back
    assert_exact(estate, lines, Side.SOURCE)


def test_by_policy_it_holds_names_the_way_back_and_goes_on_when_told_again() -> None:
    estate = Estate()
    lines = crossing(estate)
    policy = replace(SHORT, turn_back=False)
    estate.clusters[Side.SOURCE].acls.stuck = True
    with pytest.raises(Blocked, match="longer than maxPause") as held:
        cut_over(estate, lines, policy)
    assert "kmigrate rollback --app ml-features" in held.value.hint
    assert not estate.app.running
    estate.clusters[Side.SOURCE].acls.stuck = False
    cut_over(estate, lines, policy)
    assert_exact(estate, lines, Side.TARGET)


def test_a_way_back_holds_rather_than_turning_round_to_the_side_that_was_left() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)

    class Watched(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if '"event":"VERIFIED","step":"stop-workloads"' in line:
                raise Died

    with pytest.raises(Died):
        command("rollback", estate, Watched(lines.death, lines.written))
    estate.clock.now += 400_000
    with pytest.raises(Blocked, match="longer than maxPause"):
        command("rollback", estate, lines)
    command("rollback", estate, lines)
    assert_exact(estate, lines, Side.SOURCE)


def test_after_the_start_it_holds_and_names_the_way_back() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"begun_ms"')
    estate.app.held_up, estate.writing = True, False
    with pytest.raises(Blocked, match="goes on reading") as held:
        command("cutover", estate, lines)
    assert "kmigrate rollback --app ml-features" in held.value.hint
    way = back(plan_of(), journal_of(estate, lines), APP)
    assert way is not None
    assert not way.undo
    estate.app.held_up = False
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_an_application_that_takes_too_long_to_stop_is_started_again() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.stops_in_ms = 30_000
    with pytest.raises(WentBack):
        cut_over(estate, lines)
    assert estate.app.running
    assert_exact(estate, lines, Side.SOURCE)


def test_settings_that_disagree_after_a_switch_cut_short_are_switched_again() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"STARTED","step":"switch-settings"')
    estate.app.mixed = True
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_a_way_back_cut_short_after_the_application_ran_again_takes_the_clock_back_too() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')

    class Watched(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if '"event":"UNDONE","step":"stop-workloads"' in line:
                raise Died

    with pytest.raises(Died):
        command("rollback", estate, Watched(lines.death, lines.written))
    estate.clock.now += 400_000
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_a_session_time_out_that_does_not_fit_into_the_pause_blocks_before_anything_stops() -> None:
    estate, one = Estate(), migration()
    lines = crossing(estate)
    (app,) = one.applications
    for timeout, fits in ((14_000, True), (15_000, False)):
        patient = replace(app, reads=(replace(app.reads[0], session_timeout_ms=timeout),))
        plan = plan_of(replace(one, applications=(patient,), policy=SHORT))
        ready = plan.unit(APP, Direction.CUTOVER, 1).steps[0]
        world = MemoryWorld(estate).bound(journal_of(estate, lines).ledger(UNIT, "f"))
        if fits:
            assert ready.check(world).changes == ()
        else:
            with pytest.raises(Blocked, match="15 s until its session times out"):
                ready.check(world)
