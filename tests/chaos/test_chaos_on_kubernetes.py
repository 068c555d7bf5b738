"""Chaos where resources are in Kubernetes: a lane edited by hand, the stand-in stopped, the API server gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import run

from kmigrate.lab.folder import LabFolder

SEEDS = (300_002, 300_003, 62, 200_000)
"""Each run begins where another ends. The first two are a lane turned by hand in a hand-over, there and back."""
MINUTES, LEAST = 4, 2
"""Begin no run after so long, and on a slow machine count at least so many."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, go: None) -> Iterator[run.Session]:
    folder = LabFolder(tmp_path_factory.mktemp("chaos") / "lab")
    with run.session(folder, "here", lambda _: None, kubernetes=True) as at:
        yield at


@pytest.mark.kafka
@pytest.mark.kube
@pytest.mark.chaos
@pytest.mark.timeout(1_200)
def test_seeds_lose_nothing_and_give_nothing_twice(session: run.Session, figures: Callable[..., None]) -> None:
    figures(**run.cut(session, SEEDS, minutes=MINUTES, least=LEAST))
