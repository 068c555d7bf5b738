"""Somebody sets the wall clock while a move is under way: no wait grows by it, and no pause is made up."""

from __future__ import annotations

import pytest
from memory_estate import Estate, migration
from walking import APP, assert_exact, command, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.adapters.system import SystemClock
from kmigrate.errors import WentBack
from kmigrate.model import Direction, Side
from kmigrate.steps.cutover import Soak

HOUR_MS = 3_600_000
STOPPED = '"event":"VERIFIED","step":"stop-workloads"'


def an_hour_ahead() -> tuple[Estate, MemoryLines]:
    """The clock in memory begins not long after the epoch, and nothing was written before that."""
    estate = Estate()
    estate.clock.set_by = HOUR_MS
    return estate, crossing(estate)


def facts(estate: Estate, lines: MemoryLines) -> dict:
    return dict(journal_of(estate, lines).attempts(APP)[-1].facts)


def test_a_clock_set_back_does_not_make_a_soak_an_hour_longer() -> None:
    estate, lines = an_hour_ahead()
    run_until(estate, lines, '"soak_began_ms"')
    estate.clock.set_by = 0
    begun = estate.clock.now
    command("cutover", estate, lines)
    assert estate.clock.now - begun < 10_000
    assert_exact(estate, lines, Side.TARGET)


def test_a_clock_set_back_does_not_take_back_a_soak_that_is_over() -> None:
    estate, lines = an_hour_ahead()
    command("cutover", estate, lines)
    estate.clock.set_by = 0
    world = MemoryWorld(estate).bound(journal_of(estate, lines).ledger(f"cutover/{APP}#1", "f"))
    soak = next(step for step in plan_of().unit(APP, Direction.CUTOVER, 1).steps if isinstance(step, Soak))
    assert soak.check(world).changes == ()
    assert soak.verify(world)


def test_a_clock_set_back_leaves_no_pause_below_nothing_and_nothing_to_predict_by() -> None:
    estate, lines = an_hour_ahead()
    run_until(estate, lines, STOPPED)
    estate.clock.set_by = 0
    command("cutover", estate, lines)
    known = facts(estate, lines)
    parts, measured = known["pause_parts"], known["pause_measured"]
    assert min(parts.values()) >= 0
    assert known["pause_ms"] == sum(parts.values())
    assert measured["tool"] is None
    assert_exact(estate, lines, Side.TARGET)


def test_a_clock_set_back_gives_a_pause_its_budget_anew_and_not_an_hour_more() -> None:
    estate, lines = an_hour_ahead()
    run_until(estate, lines, STOPPED)
    estate.clock.set_by = 0
    estate.clusters[Side.SOURCE].acls.stuck = True
    begun = estate.clock.now
    with pytest.raises(WentBack):
        command("cutover", estate, lines)
    assert estate.clock.now - begun < 2 * migration().policy.max_pause_ms


def test_the_machines_clock_is_asked_once_so_that_nobody_sets_it_for_us_meanwhile() -> None:
    wall, steady = [5_000_000_000], [1_000_000]
    clock = SystemClock(lambda: wall[0], lambda: steady[0])
    assert clock.now_ms() == 5_000
    wall[0] -= 3_600 * 1_000_000_000
    steady[0] += 7_000_000
    assert clock.now_ms() == 5_007
