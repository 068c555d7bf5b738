"""What bounds the pause: policy.maxPause alone, and only as long as there is a pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from memory_estate import Estate, migration
from walking import APP, OnceStopping, assert_exact, command, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.manual import ManualWorkloads, Place
from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.engine import forward, run_unit
from kmigrate.errors import Blocked, KmigrateError, WentBack
from kmigrate.model import Direction, Policy, Side
from kmigrate.world import Ledger

LONG = Policy(max_pause_ms=600_000, soak_ms=2_000)


def cut_over(estate: Estate, lines: MemoryLines, policy: Policy = LONG, world: MemoryWorld | None = None) -> int:
    """Cut over with that policy; gives how long it took (ms), also where the move went back or held."""
    journal, begun = journal_of(estate, lines), estate.clock.now
    unit = forward(plan_of(replace(migration(), policy=policy)), journal, APP)
    assert unit is not None
    try:
        run_unit(unit, world or MemoryWorld(estate), journal)
    except (WentBack, Blocked) as error:
        error.hint = f"{estate.clock.now - begun}"
        raise
    return estate.clock.now - begun


def stall_mirror(estate: Estate) -> None:
    """It copies nothing any more, and nobody says that anything is wrong with it."""

    def stall() -> None:
        estate.mirror.held_up = True
        estate.turns(3)

    estate.death.watcher = OnceStopping(stall)


def stall_fence(estate: Estate) -> None:
    estate.clusters[Side.SOURCE].acls.stuck = True


def stall_stop(estate: Estate) -> None:
    estate.app.held_up = True  # its member stays in the group


STALLS = [stall_mirror, stall_fence, stall_stop]


@pytest.mark.parametrize("stall", STALLS)
def test_a_wait_that_comes_to_nothing_takes_the_application_back_once_max_pause_is_used_up(
    stall: Callable[[Estate], None],
) -> None:
    estate = Estate()
    lines = crossing(estate)
    stall(estate)
    with pytest.raises(WentBack, match=r"longer than maxPause \(600 s\)") as told:
        cut_over(estate, lines)
    assert told.value.exit_code == 9
    assert 584_000 <= int(told.value.hint) < 600_000
    assert (estate.app.running, estate.app.side) == (True, Side.SOURCE)


@pytest.mark.parametrize("stall", STALLS)
def test_by_policy_it_holds_instead_once_max_pause_is_used_up(stall: Callable[[Estate], None]) -> None:
    estate = Estate()
    lines = crossing(estate)
    stall(estate)
    with pytest.raises(Blocked, match=r"longer than maxPause \(600 s\)") as told:
        cut_over(estate, lines, replace(LONG, turn_back=False))
    assert 584_000 <= int(told.value.hint) < 600_000
    assert not estate.app.running


@dataclass(frozen=True)
class ByHand(MemoryWorld):
    """A world in which a human stops and starts the application, and does not."""

    folder: Path = Path()

    def bound(self, ledger: Ledger) -> ByHand:
        return replace(self, ledger=ledger)

    def workload(self, *applications: str) -> ManualWorkloads:
        return ManualWorkloads(
            app=migration().application(applications[0]),
            groups=self.groups,
            place=lambda side: Place(bootstrap=self.estate.addresses[side], username="u", mechanism="PLAIN"),
            clock=self.clock,
            reporter=self.reporter,
            pointed=self.folder / "pointed",
        )


@pytest.mark.parametrize(("turn_back", "ends"), [(True, WentBack), (False, Blocked)])
def test_a_human_who_does_not_stop_it_is_waited_for_no_longer_than_max_pause(
    turn_back: bool, ends: type[KmigrateError], tmp_path: Path
) -> None:
    estate = Estate()
    lines = crossing(estate)
    with pytest.raises(ends, match=r"longer than maxPause.*somebody stops ml-features by hand") as told:
        cut_over(estate, lines, replace(LONG, turn_back=turn_back), ByHand(estate, folder=tmp_path))
    assert 584_000 <= int(told.value.hint) < 600_000
    assert (estate.app.running, estate.app.side) == (True, Side.SOURCE)


def test_a_switch_that_does_not_end_takes_the_application_back_once_max_pause_is_used_up() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.switches_in_ms, begun = 598_000, estate.clock.now
    with pytest.raises(WentBack, match="longer than maxPause"):
        cut_over(estate, lines)
    first = next(e for e in journal_of(estate, lines).entries if e.event == "UNDOING")
    assert 584_000 <= first.time - begun < 600_000
    assert (estate.app.running, estate.app.side) == (True, Side.SOURCE)


def test_a_mirror_that_is_far_behind_is_waited_for_while_the_application_works_and_nothing_is_stopped() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.mirror.held_up = True
    estate.turns(3)
    with pytest.raises(Blocked, match="the mirror is too far behind") as told:
        cut_over(estate, lines)
    assert 584_000 <= int(told.value.hint) < 600_000
    assert (estate.app.running, estate.clusters[Side.SOURCE].acls.denied()) == (True, set())
    done = {e.step for e in journal_of(estate, lines).entries if e.unit.startswith("cutover") and e.step}
    assert done == {"ready"}
    estate.mirror.held_up = False
    cut_over(estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_a_start_that_does_not_end_holds_once_max_pause_is_used_up() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.starts_in_ms = 700_000
    with pytest.raises(Blocked, match="ml-features does not start") as told:
        cut_over(estate, lines)
    assert 584_000 <= int(told.value.hint) < 620_000


def test_a_mirror_that_fails_during_the_pause_is_told_at_once() -> None:
    estate = Estate()
    lines = crossing(estate)
    stall_mirror(estate)
    run_until(estate, lines, '"event":"STARTED","step":"drain-mirror"')
    estate.mirror.failed = "task 0 FAILED"
    unit = plan_of().unit(APP, Direction.CUTOVER, 1)
    drain = next(step for step in unit.steps if step.name == "drain-mirror")
    journal, begun = journal_of(estate, lines), estate.clock.now
    with pytest.raises(Blocked, match="task 0 FAILED"):
        drain.apply(MemoryWorld(estate).bound(journal.ledger(unit.name, unit.fingerprint)))
    assert estate.clock.now - begun < 10_000


def test_the_pause_is_over_once_the_application_works_however_late_the_move_goes_on() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"soak_began_ms"')
    estate.fences[Side.SOURCE].lift(estate.clusters[Side.SOURCE].acls.denied())  # it is to be denied anew
    estate.clock.now += 400_000
    estate.turn()
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_a_move_that_held_after_its_start_was_begun_goes_on_when_told_again() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"STARTED","step":"start-workloads"')
    estate.fences[Side.SOURCE].lift(estate.clusters[Side.SOURCE].acls.denied())
    estate.clock.now += 400_000
    estate.turn()
    with pytest.raises(Blocked, match="it holds, start-workloads was begun") as held:
        command("cutover", estate, lines)
    assert f"kmigrate rollback --app {APP}" in held.value.hint
    assert not estate.app.running
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)
