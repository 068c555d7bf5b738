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
    """The session's store, without what earlier tests made: topics, users, all in the namespaces of the contract."""
    namespaces = ("a", "b", "kafka", "other")
    found = [each for kind in ("KafkaTopic", "KafkaUser") for each in strimzi_on_kubernetes.everywhere(kind)]
    found += [
        each for kind in ("ConfigMap", "Secret") for ns in namespaces for each in strimzi_on_kubernetes.list(kind, ns)
    ]
    for resource in found:
        strimzi_on_kubernetes.delete(resource.key)
    return strimzi_on_kubernetes
