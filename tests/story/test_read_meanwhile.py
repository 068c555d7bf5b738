"""Somebody reads on the target while nobody looks: kmigrate died as it put positions there, or took them back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from memory_estate import GROUP, Estate
from walking import APP, FIRST, assert_exact, command, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.memory import Died, MemoryLines, MemoryWorld, Watcher
from kmigrate.cli.verify import look_again
from kmigrate.errors import Blocked
from kmigrate.model import Partition, Side

CARRIED = '"event":"VERIFIED","step":"carry-positions"'
ABOUT_TO = '"data":{"put":'
TAKEN_BACK = '"data":{"committed":null}'
ELSEWHERE = Partition("elsewhere", 0)
SIDES = {"cutover": Side.TARGET, "rollback": Side.SOURCE}
READ = rf"somebody has read with group {GROUP} on the target while kmigrate did not run: {FIRST} stands at"


@dataclass(slots=True)
class Killer(Watcher):
    """Kills right after so many writes of positions on the target."""

    writes: int
    instants: int = 0
    begun: bool = False

    def write(self, what: str, *, differs: bool) -> None:
        self.begun = self.begun or what == "positions on the target"

    def instant(self) -> None:
        self.instants += self.begun
        if self.instants == 2 * self.writes:  # one before each of them, one after
            raise Died


def die_once_written(estate: Estate, lines: MemoryLines, verb: str, writes: int = 1) -> None:
    calm, estate.death.watcher = estate.death.watcher, Killer(writes)
    with pytest.raises(Died):
        command(verb, estate, lines)
    estate.death.watcher = calm


def half_undone(sign: str) -> tuple[Estate, MemoryLines]:
    """A move that was carried, and of which taking back died right after the line with the sign."""
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, CARRIED)
    run_until(estate, lines, sign, "rollback")
    return estate, lines


@pytest.mark.parametrize("verb", SIDES)
def test_who_reads_before_a_commit_is_called_one_is_named_and_nothing_is_put_over_it(verb: str) -> None:
    estate = Estate()
    lines = crossing(estate)
    die_once_written(estate, lines, "cutover")
    target = estate.groups[Side.TARGET]
    put = target.held_by[GROUP][FIRST]
    target.held_by[GROUP][FIRST] = put + 2
    with pytest.raises(Blocked, match=f"{READ} {put + 2}, and it was left at {put}") as told:
        command(verb, estate, lines)
    assert f"put {FIRST} of the group back there to {put}" in told.value.hint
    assert (target.held_by[GROUP][FIRST], len(target.commits)) == (put + 2, 1)
    target.held_by[GROUP][FIRST] = put
    command(verb, estate, lines)
    assert_exact(estate, lines, SIDES[verb])


@pytest.mark.parametrize("verb", SIDES)
@pytest.mark.parametrize("held", [{}, {FIRST: 3, ELSEWHERE: 42}])
def test_a_commit_that_did_not_happen_is_made_up_for_by_the_same_command(held: dict[Partition, int], verb: str) -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.groups[Side.TARGET].held_by[GROUP] = dict(held)
    run_until(estate, lines, ABOUT_TO)
    assert estate.groups[Side.TARGET].held_by[GROUP] == held
    command(verb, estate, lines)
    assert_exact(estate, lines, SIDES[verb])


def test_a_commit_that_was_not_read_back_is_read_back_by_the_same_command_and_stays_proven() -> None:
    estate = Estate()
    lines = crossing(estate)
    die_once_written(estate, lines, "cutover")
    command("cutover", estate, lines)
    estate.turns(10)
    (seen,) = look_again(plan_of(), journal_of(estate, lines), MemoryWorld(estate), APP)
    assert (seen.skipped, seen.wrong) == ("", ())
    assert_exact(estate, lines, Side.TARGET)


def test_a_group_that_is_carried_anew_may_stand_where_it_was_put_first() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, CARRIED)
    estate.fences[Side.SOURCE].lift(estate.clusters[Side.SOURCE].acls.denied())
    estate.app.running = True
    estate.turns(3)
    first = dict(estate.groups[Side.TARGET].held_by[GROUP])
    run_until(estate, lines, ABOUT_TO)
    assert estate.groups[Side.TARGET].held_by[GROUP] == first
    command("cutover", estate, lines)
    assert estate.groups[Side.TARGET].commits[-1] != first
    assert_exact(estate, lines, Side.TARGET)


@pytest.mark.parametrize(("sign", "verb"), [(ABOUT_TO, "rollback"), (TAKEN_BACK, "rollback"), (TAKEN_BACK, "cutover")])
def test_who_reads_while_positions_are_taken_back_is_named_and_keeps_them(sign: str, verb: str) -> None:
    estate, lines = half_undone(sign)
    held = estate.groups[Side.TARGET].held_by[GROUP]
    held[FIRST] += 2
    was = dict(held)
    with pytest.raises(Blocked, match="has read"):
        command(verb, estate, lines)
    assert estate.groups[Side.TARGET].held_by[GROUP] == was


def test_before_anything_was_taken_back_a_move_goes_on_from_where_somebody_has_read_to() -> None:
    estate, lines = half_undone(ABOUT_TO)
    commits = len(estate.groups[Side.TARGET].commits)
    estate.groups[Side.TARGET].held_by[GROUP][FIRST] += 2
    command("cutover", estate, lines)
    assert len(estate.groups[Side.TARGET].commits) == commits


@pytest.mark.parametrize("verb", SIDES)
@pytest.mark.parametrize("writes", [1, 2])
@pytest.mark.parametrize("more", [{}, {ELSEWHERE: 42}])
def test_a_group_that_stood_further_there_before_is_not_taken_for_one_that_has_read(
    more: dict[Partition, int], writes: int, verb: str
) -> None:
    estate = Estate()
    lines = crossing(estate)
    held = {FIRST: 100_000, **more}  # it was put back on the source, and comes anew
    estate.groups[Side.TARGET].held_by[GROUP] = dict(held)
    run_until(estate, lines, CARRIED)
    die_once_written(estate, lines, "rollback", writes)
    command(verb, estate, lines)
    if verb == "rollback":
        assert estate.groups[Side.TARGET].held_by[GROUP] == held
    assert_exact(estate, lines, SIDES[verb])
