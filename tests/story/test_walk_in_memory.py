"""The whole walk of one reader in memory, and the same walk with a death at every instant that matters."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from memory_estate import Estate
from walking import APP, COMMANDS, assert_exact, calm, command, walk

from kmigrate.journal import Journal
from kmigrate.model import Side


def boundaries() -> Iterator[tuple[int, Estate]]:
    """The calm walk before each command, and at its end, with the instants that have passed by then."""
    estate = Estate()
    for each in COMMANDS:
        yield estate.death.seen, estate.copy()
        walk(estate, estate.lines, (each,))
    yield estate.death.seen, estate


BEFORE = tuple(boundaries())
INSTANTS = BEFORE[-1][0]


def instants_of(name: str) -> list[int]:
    """The instants within the commands of that name; elsewhere going back first is no other story."""
    spans = zip(COMMANDS, pairwise(seen for seen, _ in BEFORE), strict=True)
    return [instant for each, (first, last) in spans if each == name for instant in range(first + 1, last + 1)]


def life(instant: int, *, turn_back: bool = False) -> Estate:
    """The walk of which the process dies at that instant, from the command on in which it does."""
    begun = max(index for index, (seen, _) in enumerate(BEFORE) if seen < instant)
    estate = BEFORE[begun][1].copy()
    estate.death.at = instant
    walk(estate, estate.lines, COMMANDS[begun:], turn_back=turn_back)
    assert estate.death.seen >= instant
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


@pytest.mark.parametrize("instant", range(1, INSTANTS + 1))
def test_death_at_any_instant_and_the_same_command_again_comes_to_the_same_end(instant: int) -> None:
    estate = life(instant)
    assert_exact(estate, estate.lines, Side.TARGET)


@pytest.mark.parametrize("instant", instants_of("cutover"))
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
