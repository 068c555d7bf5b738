"""`target` of a plan file: a lab's folder as ever, or the cluster on Kubernetes that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from kmigrate.errors import PlanFileError
from kmigrate.model import (
    Authority,
    Bridge,
    ClusterSpec,
    Gateway,
    Listener,
    Principal,
    Resources,
    SecretRef,
    Storage,
    Target,
)
from kmigrate.planfile import load, plan_schema
from kmigrate.story import story

STRIMZI = Path(__file__).parents[2] / "plans" / "strimzi.yaml"
TEXT = STRIMZI.read_text()
CLUSTER = TEXT[TEXT.index("  cluster:") : TEXT.index("topics:")]


def loaded(folder: Path, cluster: str) -> ClusterSpec:
    file = folder / "kmigrate.yaml"
    file.write_text(TEXT.replace(CLUSTER, f"  cluster: {cluster}\n"))
    spec = load(file).target.spec
    assert spec is not None
    return spec


def mistakes(folder: Path, cluster: str) -> str:
    with pytest.raises(PlanFileError) as caught:
        loaded(folder, cluster)
    return "\n".join(caught.value.mistakes)


def test_a_cluster_on_kubernetes_is_told_whole() -> None:
    target = load(STRIMZI).target
    assert (target.platform, target.store, target.context, target.namespace) == ("strimzi", "", "prod", "kafka")
    assert (target.cluster, target.listener) == ("prod", "scram")
    spec = target.spec
    assert spec is not None
    assert (spec.brokers, spec.controllers, spec.kafka, spec.cruise_control) == (3, 3, "4.3.1", True)
    assert spec.zones == ("eu-central-1a", "eu-central-1b", "eu-central-1c")
    assert spec.storage == Storage(size="500Gi", storage_class="kafka-gp3", create=True, throughput=250)
    assert spec.resources == Resources(cpu="2", memory="16Gi", heap="4g")
    assert spec.listener == Listener(
        name="scram", kind="loadbalancer", port=9095, domain="kafka.example.com", source_ranges=("10.0.0.0/8",)
    )


def test_what_the_design_shows_is_enough(tmp_path: Path) -> None:
    shown = "{name: prod, kafka: 4.3.1, brokers: 3, zones: [a, b, c], storage: {class: gp3, size: 500Gi}, "
    spec = loaded(tmp_path, f"{shown}listener: {{type: loadbalancer, domain: kafka.example.com}}}}")
    assert spec.storage == Storage(size="500Gi", storage_class="gp3")
    assert (spec.exporter, spec.bridge, spec.namespace, spec.authority) == (True, None, False, Authority())


def test_every_key_comes_through(tmp_path: Path) -> None:
    spec = loaded(
        tmp_path,
        "{name: c, brokers: 1, storage: {size: 1Gi, volumes: 2}, config: {num.io.threads: 9}, cruiseControl: false, "
        "listeners: [{name: gw, type: tlsroute, auth: tls, domain: a.b.de, gateway: {name: g, namespace: n}}, "
        "{name: np, type: nodeport, nodePort: 30001}], quotas: {type: kafka, producerByteRate: 7}, exporter: false, "
        "authority: {validityDays: 10, renewalDays: 2}, bridge: {user: ml-features, port: 80}}",
    )
    gateway, nodes = spec.listeners
    assert gateway == Listener(
        name="gw", kind="tlsroute", port=9096, auth="tls", domain="a.b.de", gateway=Gateway(name="g", namespace="n")
    )
    assert (nodes.port, nodes.node_port) == (9097, 30001)
    assert (spec.listener.port, spec.listener.kind) == (9094, "internal")
    assert (spec.quotas, spec.config) == ({"type": "kafka", "producerByteRate": 7}, {"num.io.threads": 9})
    assert (spec.authority, spec.exporter) == (Authority(validity_days=10, renewal_days=2), False)
    assert spec.bridge == Bridge(user="ml-features", port=80)


@pytest.mark.parametrize(("brokers", "asked"), [(1, False), (2, True)])
def test_cruise_control_comes_by_itself_where_it_can_work(brokers: int, asked: bool, tmp_path: Path) -> None:
    spec = loaded(tmp_path, f"{{name: c, brokers: {brokers}, storage: {{size: 1Gi}}}}")
    assert spec.cruise_control is asked


def test_a_namespace_is_made_only_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text(TEXT.replace("namespace: kafka}", "namespace: kafka, create: true}"))
    spec = load(file).target.spec
    assert spec is not None
    assert spec.namespace


def test_a_password_that_is_given_lies_in_the_targets_namespace() -> None:
    (principal,) = load(STRIMZI).applications[0].principals
    assert principal.password == SecretRef(namespace="kafka", name="ml-features-kafka", key="password")


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ("{name: c, storage: {size: 1Gi, class: a, throughput: 200}}", "throughput is of the storage class that"),
        ("{name: c, storage: {size: 1Gi}, zones: [a, b, c], brokers: 2}", "2 brokers for 3 zones"),
        ("{name: c, storage: {size: 1Gi}, listener: {auth: tls}}", "kmigrate signs in there with a password"),
        ("{name: c, storage: {size: 1Gi}, listeners: [{}]}", "a further listener needs a name"),
        ("{name: c, storage: {size: 1Gi}, bridge: {user: x}}", "no application of the plan has the target principal x"),
    ],
)
def test_what_contradicts_itself_is_told(cluster: str, told: str, tmp_path: Path) -> None:
    assert told in mistakes(tmp_path, cluster)


def test_the_published_schema_takes_it_and_refuses_what_is_misspelt() -> None:
    check = Draft202012Validator(plan_schema())
    plan = yaml.safe_load(TEXT)
    assert list(check.iter_errors(plan)) == []
    for changed in ({"brokerz": 3}, {"storage": {"size": "5"}}, {"listener": {"type": "loadbalanser"}}):
        wrong = {**plan, "target": {**plan["target"], "cluster": {**plan["target"]["cluster"], **changed}}}
        assert list(check.iter_errors(wrong)) != [], changed


# ---- what older journals know ----


def test_a_lab_is_told_as_ever() -> None:
    """Units keep the digest of what they are told to be."""
    target = Target(platform="lab", store="s", namespace="n", cluster="c", listener="l")
    assert repr(target) == "Target(platform='lab', store='s', namespace='n', cluster='c', listener='l')"
    principal = Principal(source="User:a", target="a")
    assert repr(principal) == "Principal(source='User:a', target='a', source_auth=None)"


def test_an_edited_cluster_is_another_plan_and_another_context_is_not(tmp_path: Path) -> None:
    def fingerprint(text: str) -> str:
        (tmp_path / "kmigrate.yaml").write_text(text)
        unit = story(load(tmp_path / "kmigrate.yaml")).phase("provision").unit
        assert unit is not None
        return unit.fingerprint

    first = fingerprint(TEXT)
    assert fingerprint(TEXT.replace("context: prod", "context: laptop")) == first
    assert fingerprint(TEXT.replace("brokers: 3", "brokers: 6")) != first
