"""Up to ten runs of chaos on one lab, by fixed seeds; the full count is made by hand (README.md beside this)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
import run
from cases import (
    DIRECTIONS,
    FAULTS,
    STEPS,
    WRITER,
    Case,
    case,
    seeds,
)

from kmigrate.lab.folder import LabFolder
from kmigrate.model import Direction
from kmigrate.planfile import load
from kmigrate.story import story

SEEDS = (1, 3, 5, 7, 9, 12, 16, 24, 26, 32)
"""Ten faults; each run begins where another ends, so that no calm move is needed between them."""
MINUTES, LEAST = 6, 4
"""Begin no run after so long, and on a slow machine count at least so many."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[run.Session]:
    with run.session(LabFolder(tmp_path_factory.mktemp("chaos") / "lab"), "here", lambda _: None) as at:
        yield at


@pytest.mark.kafka
@pytest.mark.chaos
@pytest.mark.timeout(1_200)
def test_seeds_lose_nothing_and_give_nothing_twice(session: run.Session, figures: Callable[..., None]) -> None:
    figures(**run.cut(session, SEEDS, minutes=MINUTES, least=LEAST))


def test_a_seed_stands_for_one_case() -> None:
    assert [case(seed) for seed in range(50)] == [case(seed) for seed in range(50)]


def test_seeds_in_a_row_meet_every_fault_at_every_step_in_both_directions() -> None:
    met = {(each.fault, each.step, each.direction) for each in map(case, seeds())}
    assert met == set(product(FAULTS, STEPS, DIRECTIONS))
    assert len(list(seeds())) == len(met)


def test_only_who_writes_hands_topics_over() -> None:
    def hands_over(each: Case) -> bool:
        return each.step in ("hand-over-topics", "turn-mirror")

    assert {each.app for each in map(case, range(400)) if hands_over(each)} == {WRITER}


def test_the_steps_are_those_of_a_move_that_writes() -> None:
    migration = load(Path(__file__).parents[2] / "plans" / "mirror-back.yaml")
    writer = next(app.name for app in migration.applications if app.writes)
    assert tuple(step.name for step in story(migration).unit(writer, Direction.CUTOVER, 1).steps) == STEPS
