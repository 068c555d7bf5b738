"""Faults planted into the mathematics of positions: each is caught by the test that stands against it, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from faults import FAULTS
from planting import CALM, Fault, heard_from


@pytest.fixture(scope="module")
def told() -> Mapping[str, Mapping[str, object]]:
    """What came of each fault, by name."""
    return heard_from(Path(__file__).with_name("plant.py"))


def test_without_a_fault_every_one_of_these_tests_passes(told: Mapping[str, Mapping[str, object]]) -> None:
    assert told[CALM]["failed"] == []
    assert isinstance(told[CALM]["ran"], int)
    assert told[CALM]["ran"] >= len({fault.caught_by for fault in FAULTS})


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(told: Mapping[str, Mapping[str, object]], fault: Fault) -> None:
    assert told[fault.name]["caught"], f"{fault.caught_by} passes with {fault.wrong!r} instead of {fault.right!r}"


def test_the_faults_are_many_and_their_names_differ() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 20
