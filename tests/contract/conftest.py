"""The stages on which the contract suites play; the real one wants the session's two clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stages import KafkaStage, MemoryStage, Stage

if TYPE_CHECKING:
    from kmigrate.world import ResourceStore

BOTH = ["memory", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=BOTH)
def stage(request: pytest.FixtureRequest) -> Stage:
    return MemoryStage() if request.param == "memory" else KafkaStage(request.getfixturevalue("two"))


@pytest.fixture
def cleared_kubernetes(strimzi_on_kubernetes: ResourceStore) -> ResourceStore:
    """The session's store, with nothing in it that an earlier test made in the namespaces of the contract."""
    for kind in ("ConfigMap", "KafkaTopic", "KafkaUser", "Secret"):
        for resource in strimzi_on_kubernetes.everywhere(kind):
            if resource.key.namespace in ("a", "b", "kafka", "other"):
                strimzi_on_kubernetes.delete(resource.key)
    return strimzi_on_kubernetes
