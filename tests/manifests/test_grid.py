"""Strimzi's own schemas take every resource of the grid, and refuse each of its fields misspelt."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from grid import LARGEST, SIGN_INS, ZONES, Cell, cell, grid, misspellings

from kmigrate.adapters.crd_schema import CrdSchema, defines
from kmigrate.lab import crds
from kmigrate.world import Reporter

KUBERNETES_OWN = {"Namespace", "StorageClass", "ConfigMap"}
CELLS = tuple(grid())


@pytest.fixture(scope="module")
def schemas() -> Mapping[str, CrdSchema]:
    return {defines(crd): CrdSchema.of(crd) for crd in crds.definitions(Reporter())}


def test_the_grid_has_every_kind_that_is_rendered() -> None:
    kinds = {str(body["kind"]) for each in CELLS for body in each.resources}
    assert kinds == KUBERNETES_OWN | {
        "Kafka",
        "KafkaBridge",
        "KafkaConnect",
        "KafkaConnector",
        "KafkaMirrorMaker2",
        "KafkaNodePool",
        "KafkaTopic",
        "KafkaUser",
    }
    assert len(CELLS) == len({str(each) for each in CELLS}) == 7 * len(SIGN_INS) * len(LARGEST) * len(ZONES)


@pytest.mark.parametrize("each", CELLS, ids=str)
def test_every_resource_of_the_grid_is_taken(each: Cell, schemas: Mapping[str, CrdSchema]) -> None:
    seen = set()
    for body in each.resources:
        kind, metadata = str(body["kind"]), body["metadata"]
        assert isinstance(metadata, Mapping)
        seen.add((kind, metadata.get("namespace"), metadata["name"]))
        if kind not in KUBERNETES_OWN:
            assert schemas[kind].problems(body) == (), metadata
    assert len(seen) == len(each.resources)


@pytest.mark.parametrize("kind", ["loadbalancer", "tlsroute", "shared", "nodeport", "ingress"])
def test_each_field_misspelt_is_refused_by_its_name(kind: str, schemas: Mapping[str, CrdSchema]) -> None:
    tried = set()
    for body in cell(kind, "tls", "20 MiB", "three zones").resources:
        for name, wrong in misspellings(body) if body["kind"] in schemas else ():
            tried.add((body["kind"], name))
            problems = schemas[str(body["kind"])].problems(wrong)
            assert any(f"{name}: unknown field" in problem for problem in problems), (body["kind"], name, problems)
    assert len({kind for kind, _ in tried}) == 8
    assert len(tried) > 130
