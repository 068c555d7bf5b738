"""The stages on which the contract suites play; the real one wants the session's two clusters."""

from __future__ import annotations

import pytest
from stages import KafkaStage, MemoryStage, Stage

BOTH = ["memory", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=BOTH)
def stage(request: pytest.FixtureRequest) -> Stage:
    return MemoryStage() if request.param == "memory" else KafkaStage(request.getfixturevalue("two"))
