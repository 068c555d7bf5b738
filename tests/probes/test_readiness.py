"""Whether a resource is as asked, by what Strimzi's operators write into its status (`strimzi.md` §3)."""

from __future__ import annotations

import pytest

from kmigrate.model import Json
from kmigrate.probes.resources import unready
from kmigrate.world import Key, Resource

READY: Json = {"type": "Ready", "status": "True"}
CREATING: Json = {
    "type": "NotReady",
    "status": "True",
    "reason": "Creating",
    "message": "Kafka cluster is being deployed",
}
WARNING: Json = {"type": "Warning", "status": "True", "reason": "KafkaStorage", "message": "one broker only"}
NOT_SUPPORTED: Json = {"type": "Ready", "status": "False", "reason": "NotSupported", "message": "Decreasing partitions"}
PAUSED: Json = {"type": "ReconciliationPaused", "status": "True"}
UNMANAGED: Json = {"type": "Unmanaged", "status": "True"}
FAILED_TASK: Json = {"name": "a->b.MirrorSourceConnector", "tasks": [{"id": 0, "state": "FAILED"}]}
KINDS = ("Kafka", "KafkaConnect", "KafkaConnector", "KafkaMirrorMaker2", "KafkaTopic", "KafkaUser")


def seen(kind: str, *conditions: Json, observed: int | None = 2, **more: Json) -> Resource:
    status: dict[str, Json] = {"conditions": list(conditions), **more}
    if observed is not None:
        status["observedGeneration"] = observed
    return Resource(key=Key(kind, "kafka", "x"), body={"kind": kind, "status": status}, generation=2, version="7")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_as_asked_when_it_is_ready_at_its_generation(kind: str) -> None:
    assert unready(seen(kind, READY, WARNING)) == ""
    assert unready(seen(kind)) == "no Ready condition yet"
    assert unready(seen(kind, WARNING)) == "no Ready condition yet"


@pytest.mark.parametrize("kind", [*KINDS, "KafkaNodePool"])
def test_a_status_of_an_older_generation_says_nothing(kind: str) -> None:
    for observed in (1, None):
        assert unready(seen(kind, READY, observed=observed)) == "the operator has not looked at the last change yet"


@pytest.mark.parametrize("kind", KINDS)
def test_not_ready_is_told_with_its_reason_whichever_way_the_operator_writes_it(kind: str) -> None:
    assert unready(seen(kind, CREATING)) == "Creating: Kafka cluster is being deployed"
    assert unready(seen(kind, WARNING, NOT_SUPPORTED)) == "NotSupported: Decreasing partitions"
    assert unready(seen(kind, READY, CREATING)) == "Creating: Kafka cluster is being deployed"


@pytest.mark.parametrize(("condition", "annotation"), [(PAUSED, "pause-reconciliation"), (UNMANAGED, "managed")])
def test_what_its_operator_leaves_alone_is_not_as_asked_whatever_else_is_written(
    condition: Json, annotation: str
) -> None:
    for observed in (1, 2):
        assert f"strimzi.io/{annotation}" in unready(seen("KafkaTopic", condition, READY, observed=observed))


def test_a_pool_of_nodes_has_no_ready_of_its_own() -> None:
    assert unready(seen("KafkaNodePool")) == ""
    assert unready(seen("KafkaNodePool", WARNING)) == ""


def test_failed_tasks_leave_a_mirror_ready_and_the_lane_is_looked_at_instead() -> None:
    assert unready(seen("KafkaMirrorMaker2", READY, connectors=[FAILED_TASK])) == ""


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "StorageClass"])
def test_what_no_operator_sees_to_is_as_asked_once_it_is_stored(kind: str) -> None:
    assert unready(seen(kind, observed=None)) == ""
