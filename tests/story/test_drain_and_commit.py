"""What a group drain waits for and what not, and what is believed of a commit (design §4.1)."""

from dataclasses import dataclass

import pytest
from memory_estate import GROUP, Estate
from walking import APP, FIRST, OnceStopping, assert_exact, command, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.memory import MemoryWorld, Watcher
from kmigrate.engine import forward
from kmigrate.errors import VerifyFailed, WentBack
from kmigrate.journal import Event
from kmigrate.model import Side


@dataclass(slots=True)
class Meddler(Watcher):
    """Somebody who moves the group right after kmigrate has committed for it."""

    estate: Estate
    commits: int = 0
    instants: int = 0

    def write(self, what: str, *, differs: bool) -> None:
        self.commits += what == "positions on the target"

    def instant(self) -> None:
        self.instants += bool(self.commits)
        if self.instants == 2:  # the instant before the write is the first
            self.estate.groups[Side.TARGET].held_by[GROUP][FIRST] += 1


def test_a_group_drain_asks_nothing_of_what_was_written_after_the_group_stopped() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')
    estate.turns(10)
    estate.mirror.held_up = True
    estate.turns(200)
    behind = estate.clusters[Side.SOURCE].logs[FIRST].end - estate.mirror.last[FIRST]
    assert behind > 200
    unit = forward(plan_of(), journal_of(estate, lines), APP)
    assert unit is not None
    (drain,) = (step for step in unit.steps if step.name == "drain-mirror")
    journal = journal_of(estate, lines)
    journal.record(unit.name, unit.fingerprint, Event.STARTED, drain.name)
    world = MemoryWorld(estate).bound(journal.ledger(unit.name, unit.fingerprint))
    drain.apply(world)
    assert drain.check(world).changes == ()
    estate.mirror.held_up = False
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_nothing_counts_as_copied_because_connect_says_so() -> None:
    estate = Estate()
    lines = crossing(estate)

    def lie() -> None:
        estate.mirror.held_up = True
        estate.turns(5)
        for partition in estate.mirror.last:
            estate.mirror.last[partition] = estate.clusters[Side.SOURCE].logs[partition].end + 1_000

    estate.death.watcher = OnceStopping(lie)
    with pytest.raises(WentBack):
        command("cutover", estate, lines)
    assert estate.groups[Side.TARGET].commits == []


def test_a_group_that_somebody_moved_right_after_the_commit_is_named() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.death.watcher = Meddler(estate)
    with pytest.raises(VerifyFailed, match=f"group {GROUP} stands elsewhere than it was just put in {FIRST}"):
        command("cutover", estate, lines)
    assert not estate.app.running
