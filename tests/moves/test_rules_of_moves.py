"""Every rule of a move has a test that fails without it: what holds the rule is taken away, and the test sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from planting import CALM, TESTS, Fault, changed, heard_from
from plants import FAULTS, PLANTS

RULES = (*(f"4.{number}" for number in range(1, 14)), "9")
ONE_OF_EACH = [faults[0] for faults in PLANTS.values()]
"""What every run plants; the whole table, by hand: ./dev python tests/moves/plant.py"""


@pytest.fixture(scope="module")
def told() -> Mapping[str, Mapping[str, object]]:
    """What came of one plant of each rule, by name."""
    return heard_from(Path(__file__).with_name("plant.py"), "--json", *(fault.name for fault in ONE_OF_EACH))


def test_without_a_fault_every_one_of_these_tests_passes(told: Mapping[str, Mapping[str, object]]) -> None:
    assert told[CALM]["failed"] == []
    assert isinstance(told[CALM]["ran"], int)
    assert told[CALM]["ran"] >= len({fault.caught_by for fault in ONE_OF_EACH})


@pytest.mark.parametrize("fault", ONE_OF_EACH, ids=lambda fault: fault.name)
def test_what_holds_a_rule_is_missed(told: Mapping[str, Mapping[str, object]], fault: Fault) -> None:
    assert told[fault.name]["caught"], f"{fault.caught_by} passes with {fault.wrong!r} instead of {fault.right!r}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_taken_away_stands_in_the_code_and_its_test_is_there(fault: Fault) -> None:
    assert compile(changed(fault), fault.module, "exec")
    file, _, name = fault.caught_by.partition("::")
    assert f"def {name.partition('[')[0]}(" in (TESTS / file).read_text()


def test_every_rule_has_plants_and_their_names_differ() -> None:
    assert tuple(PLANTS) == RULES
    assert all(len(faults) >= 3 for faults in PLANTS.values())
    assert [name for name, count in Counter(fault.name for fault in FAULTS).items() if count > 1] == []
