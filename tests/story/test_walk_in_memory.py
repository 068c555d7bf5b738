"""The whole walk of one reader in memory, and the same walk with a death at every instant that matters."""

import pytest
from memory_world import Death, Estate, Lines
from walking import APP, COMMANDS, assert_exact, calm, command, walk

from kmigrate.journal import Journal
from kmigrate.model import Side

INSTANTS = calm()[0].death.seen


def instants_of(name: str) -> list[int]:
    """The instants within the commands of that name; elsewhere going back first is no other story."""
    estate, found = Estate(), []
    lines = Lines(estate.death)
    for each in COMMANDS:
        before = estate.death.seen
        walk(estate, lines, (each,))
        found += range(before + 1, estate.death.seen + 1) if each == name else ()
    return found


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


@pytest.mark.parametrize("instant", range(1, INSTANTS + 1))
def test_death_at_any_instant_and_the_same_command_again_comes_to_the_same_end(instant: int) -> None:
    estate = Estate(death=Death(at=instant))
    lines = Lines(estate.death)
    walk(estate, lines)
    assert_exact(estate, lines, Side.TARGET)


@pytest.mark.parametrize("instant", instants_of("cutover"))
def test_death_at_any_instant_then_back_and_forward_again_comes_to_the_same_end(instant: int) -> None:
    estate = Estate(death=Death(at=instant))
    lines = Lines(estate.death)
    walk(estate, lines, turn_back=True)
    assert_exact(estate, lines, Side.TARGET)


def test_the_positions_are_in_the_ledger_before_they_are_committed() -> None:
    _, lines = calm()
    texts = lines.written
    positions = next(i for i, line in enumerate(texts) if '"positions"' in line)
    committed = next(i for i, line in enumerate(texts) if '"committed"' in line)
    bounds = next(i for i, line in enumerate(texts) if '"bounds"' in line)
    assert bounds < positions < committed
