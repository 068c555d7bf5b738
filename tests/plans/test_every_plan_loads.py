"""The plans that users start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmigrate.planfile import load
from kmigrate.story import story

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))


def test_there_are_plans() -> None:
    assert PLANS


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_it_loads_and_tells_a_story(file: Path) -> None:
    told = story(load(file))
    phases = ["assess", "provision", "replicate", "rehearse", "cutover", "decommission"]
    assert [phase.name for phase in told.phases] == phases
    assert set(told.moves) | set(told.stays) == {app.name for app in load(file).applications}
