"""Who set a field: read from what an API server keeps of it."""

from __future__ import annotations

from kmigrate.model import Json
from kmigrate.probes.set_by import set_by
from kmigrate.world import FIELD_MANAGER, Key, Resource


def entry(manager: str, fields: Json) -> Json:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields}


def resource(*entries: Json) -> Resource:
    body: dict[str, Json] = {"metadata": {"managedFields": list(entries)}} if entries else {"metadata": {}}
    return Resource(key=Key("KafkaTopic", "kafka", "orders"), body=body, generation=1, version="7")


OURS = entry(FIELD_MANAGER, {"f:spec": {"f:partitions": {}, "f:config": {"f:retention.ms": {}}}})
THEIRS = entry("kubectl-edit", {"f:spec": {"f:config": {"f:retention.ms": {}}, "f:acls": {}}})


def test_all_but_us_who_set_a_field_are_named() -> None:
    seen = resource(OURS, THEIRS, entry("argocd", {"f:spec": {"f:config": {"f:retention.ms": {}}}}))
    assert set_by(seen, "spec", "config", "retention.ms") == ("argocd", "kubectl-edit")
    assert set_by(seen, "spec", "partitions") == ()
    assert set_by(seen, "spec", "config") == ("argocd", "kubectl-edit")
    assert set_by(seen, "spec", "nothing") == ()


def test_what_is_set_as_a_whole_is_set_all_the_way_down() -> None:
    assert set_by(resource(THEIRS), "spec", "acls", "host") == ("kubectl-edit",)


def test_a_store_that_does_not_keep_it_knows_nobody() -> None:
    assert set_by(resource(), "spec") == ()
