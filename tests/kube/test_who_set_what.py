"""On a real API server: what others set stays theirs, and what a Secret holds comes back as it was."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest
from api_server import ApiServer
from mirror_estate import bodies, lane_of

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.adapters.kubernetes.declared import owned
from kmigrate.errors import Conflict
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.manifests.mirror import RUNNING
from kmigrate.model import Json, JsonObject, part
from kmigrate.steps.resources import find
from kmigrate.world import Key, ResourceStore

pytestmark = pytest.mark.kube


@pytest.fixture
def ours(strimzi_on_kubernetes: KubernetesStore) -> KubernetesStore:
    return strimzi_on_kubernetes


@pytest.fixture
def theirs(api_server: ApiServer) -> KubernetesStore:
    return KubernetesStore.open("", LabClock(), kubeconfig=str(api_server.plane.admin), manager="argocd")


@dataclass(frozen=True)
class OnlyResources:
    """As much of a world as it takes to look for what is missing."""

    resources: ResourceStore


def topic(namespace: str, spec: JsonObject, **metadata: Json) -> JsonObject:
    named: JsonObject = {"name": "orders", "namespace": namespace, **metadata}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": named, "spec": spec}


def test_a_field_of_somebody_else_stays_when_ours_change_and_go(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    theirs.apply(topic(namespace, {"replicas": 3}, labels={"theirs": "1"}))
    ours.apply(topic(namespace, {"partitions": 6, "config": {"a": "1"}}, labels={"ours": "1"}))
    changed = ours.apply(topic(namespace, {"partitions": 7}))
    assert changed.spec == {"partitions": 7, "replicas": 3}
    assert changed.metadata["labels"] == {"ours": "1", "theirs": "1"}


def test_what_changed_since_it_was_looked_at_is_looked_at_again(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    first = ours.apply(topic(namespace, {"partitions": 1}, annotations={"mine": "1"}))
    theirs.apply(topic(namespace, {"replicas": 3}))
    second = ours.apply(topic(namespace, {"partitions": 2}))
    assert (second.spec, second.metadata["annotations"]) == ({"partitions": 2, "replicas": 3}, {"mine": "1"})
    with pytest.raises(Conflict, match="was changed"):
        ours.apply({**first.body, "spec": {"partitions": 9}})
    ours.delete(first.key)
    assert ours.get(first.key) is None
    theirs.apply(topic(namespace, {"replicas": 3}))
    assert ours.apply(topic(namespace, {"partitions": 2})).spec == {"partitions": 2, "replicas": 3}


def test_what_came_or_changed_since_all_were_listed_keeps_what_is_of_others(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    first = ours.apply(topic(namespace, {"partitions": 1}, annotations={"mine": "1"}))
    assert ours.list("KafkaTopic", namespace) == (first,)
    theirs.apply(topic(namespace, {"replicas": 3}))
    second = ours.apply(topic(namespace, {"partitions": 2}))
    assert (second.spec, second.metadata["annotations"]) == ({"partitions": 2, "replicas": 3}, {"mine": "1"})
    ours.delete(first.key)
    assert ours.list("KafkaTopic", namespace) == ()
    theirs.apply(topic(namespace, {"replicas": 3}))
    assert ours.apply(topic(namespace, {"partitions": 2})).spec == {"partitions": 2, "replicas": 3}


def test_an_annotation_of_somebody_else_is_removed_when_it_is_named(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    theirs.apply(topic(namespace, {"partitions": 1}, annotations={"stay": "1", "go": "1"}))
    changed = ours.apply(topic(namespace, {"partitions": 1}, annotations={"go": None}))
    assert changed.metadata["annotations"] == {"stay": "1"}
    assert ours.preview(topic(namespace, {"partitions": 1}, annotations={"stay": None})) != changed
    assert ours.get(changed.key) == changed


def test_a_manual_edit_is_shown_with_its_one_field_and_who_made_it(
    api_server: ApiServer, ours: KubernetesStore, namespace: str
) -> None:
    wanted = topic(namespace, {"partitions": 3, "config": {"retention.ms": "1"}})
    ours.apply(wanted)
    place = f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkatopics/orders"
    api_server.ask(f"{place}?fieldManager=kubectl-edit", {"spec": {"config": {"retention.ms": "2"}}}, "PATCH")
    (change,) = find(OnlyResources(ours), [wanted]).changes
    assert change.detail == 'config.retention.ms "2" → "1" (set by kubectl-edit)'


def test_what_a_platform_team_adds_to_the_pods_of_a_mirror_is_nothing_missing_and_stays(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    (made,) = bodies(lane_of("forward"), RUNNING)
    wanted = {**made, "metadata": {**part(made, "metadata"), "namespace": namespace}}
    ready: JsonObject = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    pods: JsonObject = {"pod": {"tolerations": [{"key": "kafka", "operator": "Exists"}]}}
    there = ours.apply(wanted)
    head = {name: made[name] for name in ("apiVersion", "kind")}
    named: JsonObject = {"name": there.key.name, "namespace": namespace}
    changed = theirs.apply({**head, "metadata": named, "spec": {"template": pods}})
    ours.write_status(there.key, {**ready, "observedGeneration": changed.generation})
    world = OnlyResources(ours)
    assert find(world, [wanted]).changes == ()
    assert ours.apply(wanted).spec["template"] == pods
    assert [
        change.detail for change in find(world, [{**wanted, "spec": {**part(made, "spec"), "replicas": 2}}]).changes
    ] == ["replicas 1 → 2"]


def test_what_was_only_read_does_not_become_ours(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    made = theirs.apply(topic(namespace, {"partitions": 3, "config": {"a": "1", "b": "1"}}, labels={"x": "1"}))
    changed = ours.apply({**made.body, "metadata": {**made.metadata, "annotations": {"mine": "1"}}})
    assert owned(changed.body, "kmigrate") == {"f:metadata": {"f:annotations": {"f:mine": {}}}}
    assert theirs.apply(topic(namespace, {"partitions": 4})).spec == {"partitions": 4}


def test_what_was_read_and_changed_is_ours_and_a_conflict_where_it_is_theirs(
    ours: KubernetesStore, theirs: KubernetesStore, namespace: str
) -> None:
    made = theirs.apply(topic(namespace, {"config": {"a": "1"}}))
    changed = ours.apply({**made.body, "spec": {"config": {"a": "1", "b": "2"}}})
    assert owned(changed.body, "kmigrate") == {"f:spec": {"f:config": {"f:b": {}}}}
    with pytest.raises(Conflict, match=r"spec\.config\.a \(argocd\)"):
        ours.apply({**changed.body, "spec": {"config": {"a": "2", "b": "2"}}})


def test_a_status_is_set_apart_and_makes_nothing_else_ours(ours: KubernetesStore, namespace: str) -> None:
    made = ours.apply(topic(namespace, {"partitions": 3}))
    written = ours.write_status(made.key, {"topicId": "x", "observedGeneration": 1})
    assert written is not None
    assert owned(written.body, "kmigrate") == {"f:spec": {"f:partitions": {}}}
    again = ours.write_status(made.key, {"topicId": "x", "observedGeneration": 1})
    assert again == written
    replaced = ours.write_status(made.key, {"topicName": "y"})
    assert replaced is not None
    assert replaced.status == {"topicName": "y"}


def test_a_secret_is_text_here_and_base64_there(api_server: ApiServer, ours: KubernetesStore, namespace: str) -> None:
    text = 'pässword "quoted"\n'
    metadata: JsonObject = {"name": "s", "namespace": namespace}
    ours.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": text}})
    wire = api_server.ask(f"/api/v1/namespaces/{namespace}/secrets/s")
    assert wire["data"] == {"password": base64.b64encode(text.encode()).decode()}
    there = ours.get(Key("Secret", namespace, "s"))
    assert there is not None
    assert there.data == {"password": text}
    assert [each.data for each in ours.list("Secret", namespace)] == [{"password": text}]


def test_bytes_that_are_no_text_go_back_as_they_came(
    api_server: ApiServer, ours: KubernetesStore, namespace: str
) -> None:
    """The operator puts a PKCS12 file into the Secret of a user who signs in with a certificate."""
    everything = base64.b64encode(bytes(range(256))).decode()
    metadata: JsonObject = {"name": "user", "namespace": namespace}
    place = f"/api/v1/namespaces/{namespace}/secrets"
    api_server.ask(place, {"metadata": metadata, "data": {"user.p12": everything, "user.password": "eA=="}})
    there = ours.get(Key("Secret", namespace, "user"))
    assert there is not None
    assert there.data["user.password"] == "x"
    ours.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "copy"}, "data": there.data})
    assert api_server.ask(f"{place}/copy")["data"] == {"user.p12": everything, "user.password": "eA=="}


def test_a_large_number_comes_in_pages_by_name(ours: KubernetesStore, namespace: str) -> None:
    names = [f"n-{number:04}" for number in range(510)]
    for name in names:
        metadata: JsonObject = {"name": name, "namespace": namespace}
        ours.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    assert [each.key.name for each in ours.list("ConfigMap", namespace)] == names
    assert [each.key.name for each in ours.everywhere("ConfigMap") if each.key.namespace == namespace] == names
