"""What is declared to server-side apply: ours, what changes, and nothing of what was only read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kmigrate.adapters.kubernetes.declared import declared, encoded, owned, resource_of, settled, unwanted
from kmigrate.adapters.kubernetes.kinds import kind_of
from kmigrate.model import Json, JsonObject

US = "kmigrate"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=8,
)
SPECS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def topic(spec: JsonObject, **metadata: Json) -> JsonObject:
    named: JsonObject = {"name": "orders", "namespace": "kafka", **metadata}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": named, "spec": spec}


def live(spec: JsonObject, ours: JsonObject, **metadata: Json) -> JsonObject:
    entry: JsonObject = {"manager": US, "operation": "Apply", "fieldsV1": ours}
    status: JsonObject = {"manager": US, "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}}
    return topic(spec, resourceVersion="7", uid="u", generation=2, managedFields=[status, entry], **metadata)


def test_what_the_server_keeps_is_not_declared() -> None:
    body = {**topic({"partitions": 1}, uid="u", generation=3, managedFields=[{}]), "status": {"topicId": "x"}}
    assert declared(body, None, US) == topic({"partitions": 1})


def test_labels_and_annotations_that_we_set_are_named_again_and_those_of_others_not() -> None:
    ours: JsonObject = {"f:metadata": {"f:labels": {"f:a": {}, "f:gone": {}}}}
    there = live({}, ours, labels={"a": "1", "theirs": "1", "gone": "1"})
    wish = declared(topic({}, labels={"b": "2", "gone": None}), there, US)
    assert wish["metadata"] == {"name": "orders", "namespace": "kafka", "labels": {"a": "1", "b": "2"}}
    assert unwanted(topic({}, labels={"b": "2", "gone": None})) == {"labels": {"gone": None}}


def test_a_body_that_is_written_anew_declares_all_that_it_says() -> None:
    there = live({"partitions": 3, "replicas": 3}, {})
    assert declared(topic({"partitions": 3}), there, US)["spec"] == {"partitions": 3}


def test_a_body_that_was_read_declares_what_changes_and_what_is_ours() -> None:
    ours: JsonObject = {"f:spec": {"f:config": {"f:ours": {}}}}
    there = live({"partitions": 3, "config": {"ours": "1", "theirs": "1"}, "list": [1]}, ours)
    changed = {**there, "spec": {"partitions": 3, "config": {"ours": "1", "theirs": "1", "new": "1"}, "list": [2]}}
    wish = declared(changed, there, US)
    assert wish["spec"] == {"config": {"ours": "1", "new": "1"}, "list": [2]}
    assert wish["metadata"] == {"name": "orders", "namespace": "kafka", "resourceVersion": "7"}


@given(SPECS)
def test_a_body_that_was_read_and_not_changed_declares_nothing(spec: JsonObject) -> None:
    there = live(spec, {})
    assert "spec" not in declared(there, there, US)


@given(SPECS, SPECS)
def test_what_is_declared_of_a_changed_body_is_of_that_body_and_has_every_change(
    before: JsonObject, after: JsonObject
) -> None:
    there = live(before, {})
    wish = declared({**there, "spec": after}, there, US)
    assert settled(wish, {**there, "spec": after})
    if settled(wish, there):
        assert settled({"spec": after}, there) or after == {}


def test_whose_fields_are_whose_is_read_from_our_own_entry_only() -> None:
    assert owned(live({}, {"f:spec": {}}), US) == {"f:spec": {}}
    assert owned(live({}, {"f:spec": {}}), "argocd") == {}


def test_a_kind_that_kubernetes_does_not_count_stays_at_its_first_generation() -> None:
    found: JsonObject = {"metadata": {"name": "s", "namespace": "kafka", "resourceVersion": "9"}}
    resource = resource_of(kind_of("ConfigMap"), found)
    assert (resource.generation, resource.version, resource.body["apiVersion"]) == (1, "9", "v1")


@given(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=9), max_size=3))
def test_whatever_a_secret_holds_goes_back_as_it_came(data: dict[str, bytes]) -> None:
    import base64

    wire: JsonObject = {name: base64.b64encode(value).decode() for name, value in data.items()}
    metadata: JsonObject = {"name": "s", "namespace": "kafka", "resourceVersion": "9"}
    resource = resource_of(kind_of("Secret"), {"metadata": metadata, "data": wire})
    assert encoded(resource.body)["data"] == wire
