"""The least rights in Kubernetes: who may do what with which resources, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kmigrate.manifests.rights import PHASES
from kmigrate.manifests.roles import bindings, grants, roles
from kmigrate.model import Auth, JsonObject, Migration, SecretRef
from kmigrate.planfile import load

PLANS = Path(__file__).parents[2] / "plans"
ON_EKS = load(PLANS / "strimzi.yaml")
BACK = load(PLANS / "mirror-back.yaml")
LOOKING = {"get", "list"}


def verbs(said: Migration, *phases: str) -> dict[str, set[str]]:
    """By kind, what may be done in the namespace of the target."""
    found: dict[str, set[str]] = {}
    for each in grants(said, phases or PHASES):
        if each.namespace:
            found.setdefault(each.resource, set()).update(each.verbs)
    return found


def rules(role: JsonObject) -> list[JsonObject]:
    listed = role["rules"]
    assert isinstance(listed, list)
    return listed


def test_who_only_looks_may_change_nothing() -> None:
    for said in (ON_EKS, BACK):
        assert set().union(*verbs(said, "assess").values()) == LOOKING


def test_a_reader_moves_with_rights_to_its_users_alone() -> None:
    changed = {kind: asked - LOOKING for kind, asked in verbs(ON_EKS, "cutover").items() if asked - LOOKING}
    assert changed == {"kafkausers": {"patch"}}


def test_a_writer_moves_with_lanes_and_their_offsets_besides() -> None:
    changed = {kind: asked - LOOKING for kind, asked in verbs(BACK, "cutover").items() if asked - LOOKING}
    assert changed == {
        "kafkausers": {"patch"},
        "kafkamirrormaker2s": {"patch"},
        "kafkaconnectors": {"patch"},
        "configmaps": {"create", "patch", "delete"},
    }


def test_nothing_is_removed_but_by_going_back_and_lists_of_offsets_in_a_move() -> None:
    removing = {phase: {kind for kind, asked in verbs(BACK, phase).items() if "delete" in asked} for phase in PHASES}
    assert {phase: kinds for phase, kinds in removing.items() if kinds} == {
        "cutover": {"configmaps"},
        "rollback": {
            *("configmaps", "kafkaconnectors", "kafkaconnects", "kafkamirrormaker2s"),
            *("kafkatopics", "kafkausers", "secrets"),
        },
    }


def test_no_secret_is_read_that_is_not_named() -> None:
    readable = [each for each in grants(BACK) if each.resource == "secrets" and "get" in each.verbs]
    (one,) = readable
    assert one.names
    assert "shop-cluster-ca-cert" in one.names
    assert not [each for each in grants(BACK) if each.resource == "secrets" and "list" in each.verbs]


def test_a_secret_of_another_namespace_is_read_there_alone() -> None:
    reference = SecretRef(name="cc", key="password", namespace="web")
    said = replace(BACK, source=replace(BACK.source, auth=Auth(type="plain", username="key", password=reference)))
    elsewhere = [each for each in grants(said) if each.namespace == "web"]
    assert [(each.resource, each.verbs, each.names) for each in elsewhere] == [("secrets", ("get",), ("cc",))]


def test_a_cluster_role_is_for_what_lies_outside_of_a_namespace() -> None:
    outside, inside = roles(ON_EKS)
    assert (outside["kind"], inside["kind"]) == ("ClusterRole", "Role")
    assert [rule["resources"] for rule in rules(outside)] == [["kafkas"], ["storageclasses"]]
    assert [role["kind"] for role in roles(BACK)] == ["Role"]


def test_each_kind_and_each_set_of_names_has_one_rule() -> None:
    for role in (*roles(ON_EKS), *roles(BACK)):
        things = [(str(rule["resources"]), str(rule.get("resourceNames"))) for rule in rules(role)]
        assert len(things) == len(set(things)) > 0


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_needs_no_more_than_all_of_them(phase: str) -> None:
    for said in (ON_EKS, BACK):
        for kind, asked in verbs(said, phase).items():
            assert asked <= verbs(said)[kind]


def test_bindings_give_each_role_to_the_user() -> None:
    given = bindings(ON_EKS, "kmigrate")
    assert [(each["kind"], each["roleRef"]) for each in given] == [
        (f"{role['kind']}Binding", {**_reference(role)}) for role in roles(ON_EKS)
    ]


def _reference(role: JsonObject) -> JsonObject:
    metadata = role["metadata"]
    assert isinstance(metadata, dict)
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": metadata["name"]}
