"""An application that runs on the side entered before kmigrate has seen it start: what is written down, and kept."""

from __future__ import annotations

import pytest
from memory_estate import GROUP, Estate
from walking import APP, FIRST, assert_exact, command, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.cli.verify import look_again
from kmigrate.errors import Blocked
from kmigrate.model import Direction, Json, Side

UNIT = "cutover/ml-features#1"


def facts(estate: Estate, lines: MemoryLines) -> dict[str, Json]:
    record = journal_of(estate, lines).unit(UNIT)
    assert record is not None
    return record.facts


def started_by_somebody_else(estate: Estate, lines: MemoryLines) -> None:
    """A human, a supervisor, or a switch that restarts: it runs before start-workloads has begun."""
    run_until(estate, lines, '"event":"VERIFIED","step":"switch-settings"')
    estate.app.running = True
    estate.turns(5)


def test_no_position_is_written_after_an_application_that_somebody_else_started_has_worked() -> None:
    estate = Estate()
    lines = crossing(estate)
    started_by_somebody_else(estate, lines)
    run_until(estate, lines, '"soak_began_ms"')
    estate.app.running = False
    estate.turn()
    estate.groups[Side.SOURCE].held_by[GROUP][FIRST] += 1
    commits = len(estate.groups[Side.TARGET].commits)
    with pytest.raises(Blocked, match="no position is written there any more"):
        command("cutover", estate, lines)
    assert len(estate.groups[Side.TARGET].commits) == commits


def test_an_application_that_read_before_its_start_was_begun_is_not_put_elsewhere() -> None:
    estate = Estate()
    lines = crossing(estate)
    started_by_somebody_else(estate, lines)
    estate.app.running = False
    estate.turn()
    source = estate.groups[Side.SOURCE].held_by[GROUP]
    source[FIRST] += 1
    commits = len(estate.groups[Side.TARGET].commits)
    with pytest.raises(Blocked, match="has read on the target already"):
        command("cutover", estate, lines)
    assert len(estate.groups[Side.TARGET].commits) == commits
    source[FIRST] -= 1
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_an_application_that_somebody_else_started_has_a_pause_and_stays_exact() -> None:
    estate = Estate()
    lines = crossing(estate)
    started_by_somebody_else(estate, lines)
    command("cutover", estate, lines)
    assert isinstance(facts(estate, lines)["pause_ms"], int)
    assert_exact(estate, lines, Side.TARGET)


def test_an_application_that_comes_up_after_it_was_held_has_a_pause() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"begun_ms"')
    estate.app.held_up, estate.writing = True, False
    with pytest.raises(Blocked, match="goes on reading"):
        command("cutover", estate, lines)
    estate.app.held_up = False
    estate.turns(5)
    command("cutover", estate, lines)
    assert isinstance(facts(estate, lines)["pause_ms"], int)
    assert_exact(estate, lines, Side.TARGET)


def test_a_death_right_after_the_start_does_not_lose_the_pause() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"begun_ms"')
    estate.app.running = True
    estate.turns(5)
    command("cutover", estate, lines)
    assert isinstance(facts(estate, lines)["pause_ms"], int)
    assert_exact(estate, lines, Side.TARGET)


def test_a_move_that_was_sealed_without_a_pause_is_still_as_it_must_be() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    journal = journal_of(estate, lines)
    for fact in ("pause_ms", "pause_parts", "begun_ms"):
        del journal.units[UNIT].facts[fact]  # as older versions left it
    (seen,) = look_again(plan_of(), journal, MemoryWorld(estate), APP)
    assert (seen.skipped, seen.wrong) == ("", ())


def test_a_move_that_is_watched_without_a_pause_writes_no_position_either() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"soak_began_ms"')
    estate.app.running = False
    estate.turn()
    journal = journal_of(estate, lines)
    unit = plan_of().unit(APP, Direction.CUTOVER, 1)
    del journal.units[UNIT].facts["begun_ms"]  # as older versions left it
    carry = next(step for step in unit.steps if step.name == "carry-positions")
    with pytest.raises(Blocked, match="no position is written there any more"):
        carry.apply(MemoryWorld(estate).bound(journal.ledger(UNIT, unit.fingerprint)))
