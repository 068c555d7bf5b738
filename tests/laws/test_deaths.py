"""Death at every journal line and before and after every write on the world, then on, or back: the calm run's end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from law_deaths import CONTINUATIONS, deaths
from law_interrupts import interrupts
from law_watch import estate_of
from laws import Walk

from kmigrate.errors import Blocked
from kmigrate.planfile.load import load

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
SOAK_MS = 500
"""Nothing happens in a soak but looking; a long one only makes every life longer."""


@cache
def before(plan: Path) -> tuple[tuple[str, Walk], ...]:
    """Every command of the calm walk, with the world as it is before it."""
    return tuple(_boundaries(plan))


def _boundaries(plan: Path) -> Iterator[tuple[str, Walk]]:
    said = load(plan)
    walk = Walk(estate_of(replace(said, policy=replace(said.policy, soak_ms=SOAK_MS))))
    for command in walk.commands():
        boundary = walk.copy()
        try:
            walk.type(command)
        except Blocked:
            return  # who stays keeps the source; test_laws holds it to that
        yield command, boundary


SMALLEST = PLANS.index(next(plan for plan in PLANS if plan.stem == "one-reader"))
LIVES = [
    (plan, each)
    for plan in PLANS
    for each in CONTINUATIONS
    if plan is PLANS[SMALLEST] or each == "back-again"  # it holds the way back and the way on
]


@pytest.mark.parametrize(("plan", "continuation"), LIVES, ids=lambda each: getattr(each, "stem", each))
def test_a_death_at_any_instant_comes_to_the_calm_end(plan: Path, continuation: str) -> None:
    died = {command: deaths(walk, command, continuation) for command, walk in before(plan)}
    assert all(died.values())
    assert sum(died.values()) > 200


def test_ctrl_c_at_any_instant_ends_what_is_in_flight_and_the_same_command_goes_on() -> None:
    plan = PLANS[SMALLEST]
    hit: set[str] = set()
    for command, walk in before(plan):
        struck = interrupts(walk, command)
        hit |= struck.keys()
    steps = {
        step.name for unit in (each.unit(command)[0] for command, each in before(plan)) if unit for step in unit.steps
    }
    assert hit >= steps - {"ready"}
