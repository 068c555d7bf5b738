"""A real API server, with Strimzi's definitions and their CEL rules, takes the grid and refuses what is misspelt."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from grid import cell, grid, misspellings

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.errors import Invalid
from kmigrate.model import JsonObject

pytestmark = pytest.mark.kube


def distinct() -> Iterator[JsonObject]:
    """Every resource of the grid once, however many cells have it."""
    told: set[str] = set()
    for body in (body for each in grid() for body in each.resources):
        text = json.dumps(body, sort_keys=True)
        if text not in told:
            told.add(text)
            yield body


def test_every_resource_of_the_grid_is_taken(strimzi_on_kubernetes: KubernetesStore) -> None:
    kinds = set[str]()
    for body in distinct():
        taken = strimzi_on_kubernetes.preview(body)
        kinds.add(taken.key.kind)
        assert strimzi_on_kubernetes.get(taken.key) is None or taken.key.kind == "Namespace"
    assert len(kinds) == 11


def test_each_field_misspelt_is_refused_by_its_name(strimzi_on_kubernetes: KubernetesStore) -> None:
    tried = set[tuple[str, str]]()
    for body in cell("loadbalancer", "tls", "20 MiB", "three zones").resources:
        for name, wrong in misspellings(body) if str(body["kind"]).startswith("Kafka") else ():
            if (str(body["kind"]), name) in tried:
                continue
            tried.add((str(body["kind"]), name))
            with pytest.raises(Invalid) as refused:
                strimzi_on_kubernetes.preview(wrong)
            assert any(name in problem for problem in refused.value.problems), (body["kind"], name)
    assert len({kind for kind, _ in tried}) == 8
    assert len(tried) > 130


def test_what_only_its_rules_forbid_is_refused(strimzi_on_kubernetes: KubernetesStore) -> None:
    """No schema says it: that needs the CEL rules (`strimzi.md` §1.5)."""
    (kafka,) = (body for body in cell("internal", "scram-sha-512", "small", "three zones").resources if _is_kafka(body))
    spec = json.loads(json.dumps(kafka["spec"]))
    spec["kafka"]["rack"] = {"type": "topology-label"}
    with pytest.raises(Invalid, match="topologyKey"):
        strimzi_on_kubernetes.preview({**kafka, "spec": spec})


def _is_kafka(body: JsonObject) -> bool:
    return body["kind"] == "Kafka"
