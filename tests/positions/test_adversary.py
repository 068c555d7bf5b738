"""No position past the truth, and as many exact ones as can be known, whatever the mirror went through."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from adversary import KINDS, TRAITS, Count, Kind, Table, ask

HISTORIES = 150


@cache
def told(kind: Kind) -> Table:
    return ask(HISTORIES, [kind])


def count(kind: Kind) -> Count:
    return told(kind).kinds[kind.name]


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@every_kind
def test_nothing_is_lost(kind: Kind, record_property: Callable[[str, object], None]) -> None:
    record_property("table", "\n".join(["", *told(kind).lines()]))
    assert count(kind).lost == 0


@every_kind
def test_nothing_is_called_proven_that_repeats(kind: Kind) -> None:
    assert count(kind).proven_wrong == 0


@every_kind
def test_no_more_is_repeated_than_was_said(kind: Kind) -> None:
    assert count(kind).broken == 0


@every_kind
def test_what_can_be_known_is_answered_exactly(kind: Kind) -> None:
    assert count(kind).cases == HISTORIES * 6
    assert count(kind).share >= kind.exact


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.traits is None], ids=lambda kind: kind.name)
def test_every_trait_is_met_often_enough(kind: Kind) -> None:
    traits = told(kind).traits
    assert set(traits) == set(TRAITS)
    assert all(each.cases >= 0.05 * count(kind).cases for each in traits.values())
