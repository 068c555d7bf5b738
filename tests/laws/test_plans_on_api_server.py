"""A real API server takes every resource of every plan: those that a walk in memory leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from law_watch import estate_of
from laws import AFTER, Walk

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.model import JsonObject
from kmigrate.planfile import load
from kmigrate.world import Resource

pytestmark = pytest.mark.kube

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
KEPT = ("name", "namespace", "labels", "annotations")


def wish(resource: Resource) -> JsonObject:
    """The resource as it was asked for, without what its store and its operator wrote."""
    metadata = {name: value for name, value in resource.metadata.items() if name in KEPT}
    parts = {name: value for name, value in resource.body.items() if name not in ("metadata", "status")}
    return {**parts, "metadata": metadata}


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_all_that_a_plan_leaves_is_taken(path: Path, strimzi_on_kubernetes: KubernetesStore) -> None:
    walk = Walk(estate_of(load(path)))
    kinds = set[str]()
    stays = bool(walk.plan.stays)
    for command in walk.commands():
        if stays and command in AFTER:
            break  # nobody leaves a source on which somebody lives
        walk.type(command)
        for resource in walk.estate.store.all():
            if resource.key.kind != "CustomResourceDefinition" and resource.key.namespace in ("", "kafka"):
                kinds.add(strimzi_on_kubernetes.preview(wish(resource)).key.kind)
    assert {"KafkaTopic", "KafkaUser", "KafkaMirrorMaker2"} <= kinds
