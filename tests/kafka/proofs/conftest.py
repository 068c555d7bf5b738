"""The Connect group of the proofs, and the world as kmigrate sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_world import live_world
from mirror_group import MirrorGroup
from two_clusters import TwoClusters

from kmigrate.wiring import LiveWorld


@pytest.fixture(scope="session")
def group(two: TwoClusters) -> MirrorGroup:
    """One worker; whoever adds a second one removes it again."""
    made = MirrorGroup(two=two)
    made.start()
    return made


@pytest.fixture(scope="module")
def world(two: TwoClusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    made = live_world(two, Path(tmp_path_factory.mktemp("store")))
    yield made
    made.close()
