"""Whether a resource is as asked, by what Strimzi's operators write into its status (`strimzi.md` §3)."""

from __future__ import annotations

import pytest

from kmigrate.model import Json, JsonObject
from kmigrate.probes.resources import is_there, unready
from kmigrate.world import FIELD_MANAGER, Key, Resource

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


@pytest.mark.parametrize(
    ("waited", "look"),
    [
        ("Service resource shop-kafka-external-0 in namespace kafka to be addressable", "describe service shop-kafka-"),
        ("Pods resource shop-broker-0 in namespace kafka to be ready", "describe pod shop-broker-0"),
        ("Pods resource shop-broker-0 in namespace kafka to be ready", "kubectl -n kafka get pvc"),
    ],
)
def test_what_the_operator_waited_for_in_vain_is_told_with_where_to_look(waited: str, look: str) -> None:
    message = f"Exceeded timeout of 300000ms while waiting for {waited}"
    told = unready(
        seen("Kafka", {"type": "NotReady", "status": "True", "reason": "TimeoutException", "message": message})
    )
    assert told.startswith(f"TimeoutException: {message}; ")
    assert look in told


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


def mirror(*managers: tuple[str, JsonObject], **spec: Json) -> Resource:
    """A mirror that runs, by who set which fields of it."""
    entries: list[Json] = [{"manager": name, "fieldsV1": {"f:spec": fields}} for name, fields in managers]
    metadata: JsonObject = {"name": "mirror", "namespace": "kafka", "managedFields": entries}
    body: JsonObject = {
        "kind": "KafkaMirrorMaker2",
        "metadata": metadata,
        "spec": {"replicas": 1, **spec},
        "status": {"observedGeneration": 1, "conditions": [READY]},
    }
    return Resource(key=Key("KafkaMirrorMaker2", "kafka", "mirror"), body=body, generation=1, version="7")


def wanted(**spec: Json) -> JsonObject:
    metadata: JsonObject = {"name": "mirror", "namespace": "kafka"}
    return {"kind": "KafkaMirrorMaker2", "metadata": metadata, "spec": {"replicas": 1, **spec}}


OURS: JsonObject = {"f:replicas": {}, "f:resources": {"f:limits": {"f:memory": {}}}}
LIMITS: JsonObject = {"limits": {"memory": "2Gi"}}


def test_what_a_platform_team_adds_to_pods_stays_theirs() -> None:
    theirs: JsonObject = {"f:template": {"f:pod": {"f:tolerations": {}}}, "f:resources": {"f:requests": {}}}
    pods: JsonObject = {"pod": {"tolerations": [{"key": "kafka", "operator": "Exists"}]}}
    more: JsonObject = {**LIMITS, "requests": {"cpu": "1"}}
    found = mirror((FIELD_MANAGER, OURS), ("argocd", theirs), template=pods, resources=more)
    assert is_there(found, wanted(resources=LIMITS))
    assert not is_there(found, wanted(resources={"limits": {"memory": "4Gi"}}))
    assert not is_there(found, wanted(resources={**LIMITS, "claims": []}))


def test_what_we_set_and_want_no_more_is_not_theirs() -> None:
    assert not is_there(mirror((FIELD_MANAGER, OURS), resources=LIMITS), wanted())
    both = mirror((FIELD_MANAGER, OURS), ("argocd", {"f:resources": {"f:limits": {}}}), resources=LIMITS)
    assert not is_there(both, wanted())


def test_what_somebody_adds_to_the_settings_is_never_as_wanted() -> None:
    theirs: JsonObject = {"f:config": {"f:transforms": {}}}
    assert not is_there(mirror((FIELD_MANAGER, OURS), ("argocd", theirs), config={"transforms": "drop"}), wanted())


def test_a_store_that_keeps_nobodys_name_leaves_nothing_to_others() -> None:
    assert is_there(mirror(), wanted())
    assert not is_there(mirror(resources=LIMITS), wanted())
