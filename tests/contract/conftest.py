"""The stages on which the contract suites play; the real one wants the session's two clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stages import KafkaStage, MemoryStage, Stage

if TYPE_CHECKING:
    from api_server import ApiServer

    from kmigrate.world import ResourceStore

BOTH = ["memory", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=BOTH)
def stage(request: pytest.FixtureRequest) -> Stage:
    return MemoryStage() if request.param == "memory" else KafkaStage(request.getfixturevalue("two"))


@pytest.fixture(scope="session")
def strimzi_on_kubernetes(api_server: ApiServer) -> ResourceStore:
    """A store on the session's API server with Strimzi's own definitions, and the namespaces of the contract."""
    from kmigrate.adapters.kubernetes import KubernetesStore
    from kmigrate.lab.crds import install
    from kmigrate.lab.runtime.clock import LabClock
    from kmigrate.world import Reporter

    store = KubernetesStore.open("", LabClock(), kubeconfig=str(api_server.plane.admin))
    install(store, Reporter())
    for name in ("a", "b", "kafka", "other"):
        api_server.namespace(name)
    return store


@pytest.fixture
def cleared_kubernetes(strimzi_on_kubernetes: ResourceStore) -> ResourceStore:
    """The same, with nothing in it that an earlier test made."""
    for kind in ("ConfigMap", "KafkaTopic", "KafkaUser", "Secret"):
        for resource in strimzi_on_kubernetes.everywhere(kind):
            if resource.key.namespace in ("a", "b", "kafka", "other"):
                strimzi_on_kubernetes.delete(resource.key)
    return strimzi_on_kubernetes
