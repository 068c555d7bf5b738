"""A right that kmigrate itself does not have stops a named step of a named unit, before anything of it is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from law_watch import estate_of
from laws import BEFORE, Walk
from memory_estate import Estate
from writers_move import PLAN, prepared

from kmigrate.errors import KmigrateError
from kmigrate.model import Side

Withhold = Callable[[Estate], None]


def lists_no_rights(estate: Estate) -> None:
    estate.clusters[Side.SOURCE].may_list_rights = False


def ends_no_transactions(estate: Estate) -> None:
    estate.transactions[Side.TARGET].withheld.add("checkout-0")


def denies_nobody(estate: Estate) -> None:
    estate.fences[Side.SOURCE].may_alter = False


def lacks(operation: str) -> Withhold:
    return lambda estate: estate.source_admin.may.discard(operation)


def told(walk: Walk, withhold: Withhold, command: str) -> KmigrateError:
    """What stopped the command; without the right nothing was changed but in the journal."""
    withhold(walk.estate)
    before = walk.estate.picture()
    with pytest.raises(KmigrateError) as caught:
        walk.type(command)
    if command != "provision":  # its steps before this one do what they can
        assert walk.estate.picture() == before
    return caught.value


@pytest.mark.parametrize(
    ("command", "withhold", "where"),
    [
        ("assess", lists_no_rights, "assess, take-inventory"),
        ("provision", lacks("Alter"), "provision, prepare-source"),
        ("provision", lacks("Create"), "provision, prepare-source"),
        ("provision", lacks("Delete"), "provision, prepare-source"),
    ],
)
def test_a_phase_names_the_step_that_lacks_a_right(command: str, withhold: Withhold, where: str) -> None:
    walk = Walk(estate_of(PLAN))
    for earlier in BEFORE[: BEFORE.index(command)]:
        walk.type(earlier)
    error = told(walk, withhold, command)
    assert error.where == where
    assert "grant" in f"{error.message} {error.hint}"


@pytest.mark.parametrize("withhold", [ends_no_transactions, denies_nobody])
def test_a_move_is_not_begun_without_the_rights_for_all_of_it(withhold: Withhold) -> None:
    error = told(prepared(), withhold, "cutover checkout")
    assert error.where == "cutover/checkout#1, ready"
    assert error.hint.startswith("grant it: ")
