"""Every law over every plan of plans/, and every death of every command of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from law_watch import estate_of
from laws import Walk, every_law

from kmigrate.planfile.load import load

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))


@pytest.mark.parametrize("plan", PLANS, ids=lambda file: file.stem)
def test_every_step_keeps_every_law(plan: Path) -> None:
    every_law(Walk(estate_of(load(plan))))


@pytest.mark.parametrize("plan", PLANS, ids=lambda file: file.stem)
def test_what_is_sealed_is_left_alone(plan: Path) -> None:
    walk, again = Walk(estate_of(load(plan))), []
    for command in walk.commands():
        if command == "decommission":
            break
        walk.type(command)
        if not command.startswith("rollback"):  # the same words then mean the way forward
            again.append((walk.estate.death.seen, walk.type(command), walk.estate.death.seen))
    assert all(before == after for before, _, after in again)


def test_the_bounds_and_the_positions_are_on_disk_before_they_are_committed() -> None:
    walk = Walk(estate_of(load(next(plan for plan in PLANS if plan.stem == "one-reader"))))
    for command in walk.commands():
        walk.type(command)
        if command.startswith("cutover"):
            break
    first = [
        next(n for n, line in enumerate(walk.estate.lines.written) if f'{{"{fact}":' in line)
        for fact in ("bounds", "positions", "committed")
    ]
    assert first == sorted(first)
