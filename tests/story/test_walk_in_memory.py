"""The whole walk of one reader in memory, and the same walk with a death at every instant that matters."""

from dataclasses import dataclass, field

import pytest
from memory_estate import Estate
from walking import APP, COMMANDS, assert_exact, calm, command, walk

from kmigrate.adapters.memory import Watcher
from kmigrate.journal import Journal
from kmigrate.model import Side


@dataclass(slots=True)
class Lives(Watcher):
    """Keeps the estate as it is at every instant, and the command in which that is."""

    estate: Estate
    at: list[tuple[int, Estate]] = field(default_factory=list)
    command: int = 0

    def instant(self) -> None:
        copied = self.estate.copy()
        copied.death.watcher = Watcher()
        self.at.append((self.command, copied))


def lives() -> list[tuple[int, Estate]]:
    """The calm walk at every instant at which the process may be killed."""
    estate = Estate()
    estate.death.watcher = kept = Lives(estate)
    for kept.command, each in enumerate(COMMANDS):
        walk(estate, estate.lines, (each,))
    return kept.at


LIVES = lives()


def life(instant: int, *, turn_back: bool = False) -> Estate:
    """The walk of which the process died at that instant: the same command is typed again, or the way back first."""
    begun, at = LIVES[instant]
    estate = at.copy()
    if turn_back:
        command("rollback", estate, estate.lines)
    walk(estate, estate.lines, COMMANDS[begun:])
    return estate


def test_a_reader_goes_across_and_back_and_across_without_loss_or_repetition() -> None:
    estate, lines = calm()
    assert_exact(estate, lines, Side.TARGET)


def test_every_unit_of_the_walk_is_sealed_and_has_a_pause() -> None:
    estate, lines = calm()
    journal = Journal(lines, estate.clock, "test", "shop")
    assert [name for name, unit in journal.units.items() if unit.sealed] == [
        "provision",
        "replicate",
        "cutover/ml-features#1",
        "rollback/ml-features#1",
        "cutover/ml-features#2",
    ]
    assert all(unit.facts["pause_ms"] for unit in journal.attempts(APP))


def test_a_sealed_unit_run_again_writes_nothing() -> None:
    estate, lines = calm()
    before, seen = len(lines.written), estate.death.seen
    command("provision", estate, lines)
    command("cutover", estate, lines)
    assert (len(lines.written), estate.death.seen) == (before, seen)


@pytest.mark.parametrize("instant", range(len(LIVES)))
def test_death_at_any_instant_and_the_same_command_again_comes_to_the_same_end(instant: int) -> None:
    estate = life(instant)
    assert_exact(estate, estate.lines, Side.TARGET)


@pytest.mark.parametrize("instant", [at for at, (each, _) in enumerate(LIVES) if COMMANDS[each] == "cutover"])
def test_death_at_any_instant_then_back_and_forward_again_comes_to_the_same_end(instant: int) -> None:
    estate = life(instant, turn_back=True)
    assert_exact(estate, estate.lines, Side.TARGET)


def test_the_positions_are_in_the_ledger_before_they_are_committed() -> None:
    _, lines = calm()
    texts = lines.written
    positions = next(i for i, line in enumerate(texts) if '"positions"' in line)
    committed = next(i for i, line in enumerate(texts) if '"committed"' in line)
    bounds = next(i for i, line in enumerate(texts) if '"bounds"' in line)
    assert bounds < positions < committed
