"""What kmigrate may do on a real API server is asked beforehand, and told right by right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from api_server import ApiServer

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.manifests.roles import Grant, grants, roles
from kmigrate.model import JsonObject, Migration
from kmigrate.planfile import load
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

pytestmark = pytest.mark.kube
BACK = load(Path(__file__).parents[2] / "plans" / "mirror-back.yaml")


@pytest.fixture
def said(namespace: str) -> Migration:
    """The plan, in a namespace of its own."""
    return replace(BACK, target=replace(BACK.target, namespace=namespace))


def lacking(api_server: ApiServer, said: Migration, rules: list[JsonObject], wanted: tuple[Grant, ...]) -> None:
    """Wait until somebody with these rules lacks just the wanted: RBAC takes a moment to hear of a new role."""
    place = said.target.namespace
    kubeconfig = api_server.user("asker", *rules, namespace=place)
    store = KubernetesStore.open("", LabClock(), kubeconfig=str(kubeconfig))

    def look() -> Ready[None] | NotYet:
        seen = store.lacking(grants(said))
        return Ready(None) if seen == wanted else NotYet(f"lacking {seen}")

    try:
        wait_until(look, what="rights", clock=LabClock(), reporter=Reporter(), deadline_ms=15_000)
    finally:
        store.close()


@pytest.mark.usefixtures("strimzi_on_kubernetes")
def test_the_roles_that_are_printed_are_enough_and_each_rule_of_them_is_missed(
    api_server: ApiServer, said: Migration
) -> None:
    (role,) = roles(said)
    rules = role["rules"]
    assert isinstance(rules, list)
    lacking(api_server, said, [], grants(said))
    lacking(api_server, said, rules, ())
    for rule in rules:
        less = [each for each in rules if each is not rule]
        lacking(api_server, said, less, tuple(each for each in grants(said) if _gives(rule, each)))


def _gives(rule: JsonObject, grant: Grant) -> bool:
    """Whether it is this rule that gives the right: there is one for each kind and each set of names."""
    return (rule["resources"], rule.get("resourceNames", [])) == ([grant.resource], list(grant.names))
