"""The Connect group of the proofs."""

from __future__ import annotations

import pytest
from mirror_group import MirrorGroup
from two_clusters import TwoClusters


@pytest.fixture(scope="session")
def group(two: TwoClusters) -> MirrorGroup:
    """One worker; whoever adds a second one removes it again."""
    made = MirrorGroup(two=two)
    made.start()
    return made
