"""Looking again at a move long after it was sealed, and where a cluster does not answer."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
from memory_estate import GROUP, Estate, migration
from walking import APP, FIRST, command, crossing, journal_of, plan_of, run_until, walk

from kmigrate.adapters.memory import MemoryCluster, MemoryLines, MemoryWorld
from kmigrate.cli.session import Session
from kmigrate.cli.verify import Looked, end, in_doubt, look_again
from kmigrate.errors import Blocked, PlatformError, VerifyFailed
from kmigrate.model import Policy, Side
from kmigrate.world import Ledger


def moved(*commands: str) -> tuple[Estate, MemoryLines]:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, commands or ("cutover",))
    return estate, lines


def found(estate: Estate, lines: MemoryLines, world: MemoryWorld | None = None) -> Looked:
    (seen,) = look_again(plan_of(), journal_of(estate, lines), world or MemoryWorld(estate), APP)
    assert not seen.skipped
    return seen


@pytest.mark.parametrize(("commands", "left"), [(("cutover",), Side.SOURCE), (("cutover", "rollback"), Side.TARGET)])
def test_positions_that_the_side_left_has_forgotten_are_as_they_must_be(commands: tuple[str, ...], left: Side) -> None:
    estate, lines = moved(*commands)
    del estate.groups[left].held_by[GROUP]  # offsets.retention.minutes after the group became Empty
    assert found(estate, lines).wrong == ()


def test_positions_that_moved_on_the_side_left_are_not() -> None:
    estate, lines = moved()
    del estate.groups[Side.SOURCE].held_by[GROUP][FIRST]
    estate.groups[Side.SOURCE].held_by[GROUP][FIRST._replace(number=1)] += 1
    assert "soak" in [wrong.step for wrong in found(estate, lines).wrong]


def test_a_group_without_a_position_is_still_refused_before_it_is_moved() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.running = False
    estate.turn()
    del estate.groups[Side.SOURCE].held_by[GROUP]
    with pytest.raises(Blocked, match="holds no position on the source"):
        walk(estate, lines, ("cutover",))


def test_a_longer_soak_time_in_the_plan_file_takes_nothing_back_from_a_sealed_move() -> None:
    estate, lines = moved()
    longer = plan_of(replace(migration(), policy=Policy(soak_ms=10**9)))
    (seen,) = look_again(longer, journal_of(estate, lines), MemoryWorld(estate), APP)
    assert seen.wrong == ()


class Unreachable(MemoryWorld):
    """The target does not answer."""

    def bound(self, ledger: Ledger) -> MemoryWorld:
        return Unreachable(self.estate, ledger, self.reporter)

    def cluster(self, side: Side) -> MemoryCluster:
        if side is Side.TARGET:
            raise PlatformError("target: no answer", hint="look at its address")
        return MemoryWorld.cluster(self, side)


def test_a_cluster_that_does_not_answer_is_a_failed_platform_and_no_failed_verification() -> None:
    estate, lines = moved()
    seen = found(estate, lines, Unreachable(estate))
    assert seen.wrong
    with pytest.raises(PlatformError, match="target: no answer") as told:
        end((seen,))
    assert (told.value.exit_code, told.value.hint) == (7, "look at its address")


def test_what_was_seen_to_be_wrong_counts_more_than_what_did_not_answer() -> None:
    estate, lines = moved()
    estate.fences[Side.SOURCE].lift(estate.clusters[Side.SOURCE].acls.denied())
    with pytest.raises(VerifyFailed, match="fence-clients"):
        end((found(estate, lines, Unreachable(estate)),))


def test_what_was_found_while_another_kmigrate_worked_may_be_its_work_and_is_not_said_to_be_wrong() -> None:
    estate, lines = moved()
    before = Session(
        migration=migration(),
        plan=plan_of(),
        journal=journal_of(estate, lines),
        world=MemoryWorld(estate),
        read_anew=lambda: nullcontext(journal_of(estate, lines)),
    )
    run_until(estate, lines, '"APPLIED","step":"stop-workloads"', verb="rollback")
    seen = in_doubt(before, look_again(before.plan, before.journal, before.world))
    with pytest.raises(PlatformError, match=r"start-workloads.*missing: start") as told:
        end(seen)
    assert "another kmigrate wrote" in told.value.hint

    command("rollback", estate, lines)
    later = replace(before, journal=journal_of(estate, lines))
    estate.app.running = False
    for secret in estate.store.list("Secret", "kafka"):
        estate.store.delete(secret.key)
    with pytest.raises(VerifyFailed, match="store-logins"):
        end(in_doubt(later, look_again(later.plan, later.journal, later.world)))
