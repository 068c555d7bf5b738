"""Where everything is done `plan` says so, for every plan; and nobody changed anything behind its back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from law_watch import estate_of
from laws import Walk
from rich.console import Console

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli.planned import PlanView, look_ahead, plan_picture
from kmigrate.model import Migration
from kmigrate.planfile import load

PLANS = {path.stem: load(path) for path in sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))}
LEAVES = {name: said for name, said in PLANS.items() if name != "writer-stays"}


def seen(walk: Walk) -> PlanView:
    return look_ahead(walk.estate.migration, walk.plan, walk.journal(), MemoryWorld(walk.estate))


@pytest.mark.parametrize("said", LEAVES.values(), ids=LEAVES)
def test_plan_says_that_nothing_is_to_do_and_ends_well(said: Migration) -> None:
    walk = Walk(estate_of(said))
    for command in walk.commands():
        walk.type(command)
        assert seen(walk).since == (), command
    done = seen(walk)
    assert done.units == ()
    assert not done.changes
    assert done.exit_code(detailed=True) == 0
    told = io.StringIO()
    Console(width=100, file=told).print(plan_picture(done))
    assert "Nothing to do." in told.getvalue()
