"""What a real API server refuses comes as one of our errors: the resource, whose rule it is, what to type next."""

from __future__ import annotations

import json
import shlex
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from api_server import ApiServer, parsed

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.errors import Blocked, Conflict, Invalid, UsageError
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.pki import Authority
from kmigrate.model import JsonObject, part
from kmigrate.world import Key, Resource, revise

pytestmark = pytest.mark.kube


@pytest.fixture
def store(strimzi_on_kubernetes: KubernetesStore) -> KubernetesStore:
    return strimzi_on_kubernetes


def as_user(kubeconfig: Path, manager: str = "kmigrate") -> KubernetesStore:
    return KubernetesStore.open("", LabClock(), kubeconfig=str(kubeconfig), manager=manager)


def topic(namespace: str, partitions: int = 1) -> JsonObject:
    named: JsonObject = {"name": "orders", "namespace": namespace}
    spec: JsonObject = {"partitions": partitions}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": named, "spec": spec}


def config_map(namespace: str, **data: str) -> JsonObject:
    metadata: JsonObject = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def refusal(mine: KubernetesStore, namespace: str) -> Blocked | None:
    """What the first refused of all that a store does is told as."""
    key = Key("KafkaTopic", namespace, "orders")
    try:
        mine.apply(topic(namespace))
        mine.list("KafkaTopic", namespace)
        list(mine.watch(["KafkaTopic"], namespace, 50))
        mine.write_status(key, {"topicId": "x"})
        mine.delete(key)
    except Blocked as refused:
        return refused
    return None


@pytest.mark.usefixtures("strimzi_on_kubernetes")
def test_each_right_that_is_missing_is_told_as_the_rule_to_add(api_server: ApiServer, namespace: str) -> None:
    rules: list[dict[str, list[str]]] = []
    while True:
        refused = refusal(as_user(api_server.user("least", *rules, namespace=namespace)), namespace)
        if refused is None:
            break
        (missing,) = yaml.safe_load(refused.hint.partition("\n")[2])
        resource = missing["resources"][0].replace("kafkatopics", "kafkatopics.kafka.strimzi.io")
        assert f"least may not {missing['verbs'][0]} {resource} in namespace {namespace}" in refused.message
        if missing not in rules:  # RBAC takes a moment to hear of a new role
            rules.append(missing)
    assert [f"{rule['verbs'][0]} {rule['resources'][0]}" for rule in rules] == [
        *("get kafkatopics", "patch kafkatopics", "create kafkatopics", "list kafkatopics", "watch kafkatopics"),
        *("patch kafkatopics/status", "delete kafkatopics"),
    ]


def test_a_right_over_all_namespaces_is_one_of_a_cluster_role(api_server: ApiServer, namespace: str) -> None:
    with pytest.raises(Blocked, match=r"narrow may not list kafkas\.kafka\.strimzi\.io$") as refused:
        as_user(api_server.user("narrow", namespace=namespace)).everywhere("Kafka")
    assert "to a ClusterRole that is bound to narrow" in refused.value.hint


def test_a_field_that_another_manager_set_is_named_with_it_and_stays(
    api_server: ApiServer, store: KubernetesStore, namespace: str
) -> None:
    theirs = as_user(api_server.plane.admin, manager="argocd").apply(topic(namespace, 3))
    for refused in (store.apply, store.preview):
        with pytest.raises(Conflict, match=r"spec\.partitions \(argocd\)"):
            refused(topic(namespace, 6))
    assert store.get(theirs.key) == theirs
    assert store.apply(topic(namespace, 3)).spec == {"partitions": 3}


def test_what_somebody_edited_by_hand_is_named(api_server: ApiServer, store: KubernetesStore, namespace: str) -> None:
    made = store.apply(topic(namespace, 3))
    address = f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkatopics/orders?fieldManager=kubectl-edit"
    api_server.ask(address, {"spec": {"partitions": 4}}, "PATCH")
    with pytest.raises(Conflict, match=r"spec\.partitions \(kubectl-edit\)") as refused:
        store.apply(topic(namespace, 5))
    there = store.get(made.key)
    assert there is not None
    assert there.spec == {"partitions": 4}
    assert "changes no value" in refused.value.hint


@pytest.mark.parametrize("labels", [{}, {"strimzi.io/cluster": "shop"}])
def test_what_somebody_edited_by_hand_is_let_go_of_by_the_command_that_is_told(
    api_server: ApiServer, store: KubernetesStore, namespace: str, labels: JsonObject
) -> None:
    ours = topic(namespace, 3)
    made = store.apply({**ours, "metadata": {**part(ours, "metadata"), "labels": labels}})
    address = f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkatopics/orders"
    api_server.ask(f"{address}?fieldManager=kubectl-edit", {"spec": {"partitions": 4}}, "PATCH")
    with pytest.raises(Conflict) as refused:
        store.apply(topic(namespace, 5))
    words = shlex.split(refused.value.hint.splitlines()[-1])
    assert words[:5] == ["kubectl", "-n", namespace, "patch", "kafkatopics.kafka.strimzi.io"]
    assert words[5:7] == ["orders", "--type=json"]
    api_server.ask(address, json.loads(words[8]), "PATCH")
    there = store.get(made.key)
    assert there is not None
    assert there.spec == {"partitions": 4}
    assert store.apply(topic(namespace, 5)).spec == {"partitions": 5}
    assert store.apply(topic(namespace, 6)).spec == {"partitions": 6}


def test_a_change_upon_what_somebody_holds_is_tried_once(
    api_server: ApiServer, store: KubernetesStore, namespace: str
) -> None:
    made = store.apply(topic(namespace, 3))
    address = f"/apis/kafka.strimzi.io/v1/namespaces/{namespace}/kafkatopics/orders?fieldManager=kubectl-edit"
    api_server.ask(address, {"spec": {"partitions": 4}}, "PATCH")
    looks: list[Resource] = []

    def read() -> Resource:
        there = store.get(made.key)
        assert there is not None
        looks.append(there)
        return there

    with pytest.raises(Conflict, match="kubectl-edit"):
        revise(store, read, lambda seen: {**seen.body, "spec": {"partitions": 5}})
    assert len(looks) == 1


def test_a_namespace_that_is_not_there_is_named(store: KubernetesStore) -> None:
    with pytest.raises(Blocked, match="there is no namespace nowhere") as refused:
        store.apply(topic("nowhere"))
    assert "kubectl create namespace nowhere" in refused.value.hint
    assert store.get(Key("KafkaTopic", "nowhere", "orders")) is None
    assert store.list("KafkaTopic", "nowhere") == ()


def test_a_namespace_that_is_being_deleted_is_named(
    api_server: ApiServer, store: KubernetesStore, namespace: str
) -> None:
    body = config_map(namespace, a="b")
    held = store.apply({**body, "metadata": {"name": "held", "namespace": namespace, "finalizers": ["a.test/holds"]}})
    api_server.ask(f"/api/v1/namespaces/{namespace}", method="DELETE")
    with pytest.raises(Blocked, match="is being deleted"):
        store.apply(config_map(namespace))
    api_server.ask(f"/api/v1/namespaces/{namespace}/configmaps/held", {"metadata": {"finalizers": None}}, "PATCH")
    assert held.key.name == "held"


def test_a_kind_that_is_not_installed_is_for_a_human_to_install(store: KubernetesStore, namespace: str) -> None:
    for tried in (
        lambda: store.get(Key("PodMonitor", namespace, "x")),
        lambda: store.list("PodMonitor", namespace),
        lambda: list(store.watch(["PodMonitor"], namespace, 50)),
    ):
        with pytest.raises(Blocked, match=r"does not serve monitoring\.coreos\.com/v1 \(nothing of its group is\)"):
            tried()


def test_a_version_that_is_not_served_is_refused_with_the_one_that_is(store: KubernetesStore, namespace: str) -> None:
    with pytest.raises(Invalid, match=r"'kafka\.strimzi\.io/v1beta2' is not served; served: kafka\.strimzi\.io/v1$"):
        store.apply({**topic(namespace), "apiVersion": "kafka.strimzi.io/v1beta2"})


def test_strimzi_before_its_first_version_1_is_refused_with_what_it_serves(
    api_server: ApiServer, store: KubernetesStore, namespace: str
) -> None:
    """Pods' monitors stand for it here: a definition that serves only another version than ours."""
    schema: JsonObject = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names: JsonObject = {"kind": "PrometheusRule", "plural": "prometheusrules"}
    version: JsonObject = {"name": "v1beta2", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec: JsonObject = {"group": "monitoring.coreos.com", "names": names, "scope": "Namespaced", "versions": [version]}
    metadata: JsonObject = {"name": "prometheusrules.monitoring.coreos.com"}
    kind = "CustomResourceDefinition"
    made = store.apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec})
    try:
        with pytest.raises(Blocked, match=r"\(served: monitoring\.coreos\.com/v1beta2\)"):
            store.get(Key("PrometheusRule", namespace, "x"))
    finally:
        store.delete(made.key)


def test_a_kind_that_nobody_knows_is_refused_with_those_we_do(store: KubernetesStore, namespace: str) -> None:
    with pytest.raises(Invalid, match="kind Cassandra is not one that kmigrate stores") as refused:
        store.get(Key("Cassandra", namespace, "x"))
    assert "KafkaTopic" in refused.value.hint


def test_a_resource_that_says_no_namespace_is_refused(store: KubernetesStore) -> None:
    with pytest.raises(Invalid, match=r"metadata\.namespace: it is missing"):
        store.apply(config_map(""))
    made = store.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "of-the-cluster"}})
    assert store.delete(made.key) is True


def test_a_policy_that_refuses_is_named_with_its_reason(
    api_server: ApiServer, store: KubernetesStore, namespace: str
) -> None:
    admission = "/apis/admissionregistration.k8s.io/v1"
    rule: JsonObject = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    spec: JsonObject = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "!has(object.data.forbidden)", "message": "forbidden is forbidden here"}],
    }
    binding: JsonObject = {
        "policyName": "no-forbidden",
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
    }
    places = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    for place, body in zip(places, (spec, binding), strict=True):
        made = api_server.ask(f"{admission}/{place}", {"metadata": {"name": "no-forbidden"}, "spec": body})
        assert made["kind"] != "Status", made
    try:
        refused = until_refused(store, config_map(namespace, forbidden="1"))
    finally:
        for place in places:
            api_server.ask(f"{admission}/{place}/no-forbidden", method="DELETE")
    assert "is refused by policy no-forbidden" in refused.message
    assert refused.problems == ("forbidden is forbidden here",)


def test_a_webhook_that_refuses_is_named_with_its_reason(
    api_server: ApiServer, store: KubernetesStore, namespace: str, tmp_path: Path
) -> None:
    with a_webhook(tmp_path) as (address, authority):
        rule: JsonObject = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
        hook: JsonObject = {
            "name": "no.kmigrate.test",
            "clientConfig": {"url": address, "caBundle": authority},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        }
        place = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        made = api_server.ask(place, {"metadata": {"name": "no"}, "webhooks": [hook]})
        assert made["kind"] == "ValidatingWebhookConfiguration", made
        try:
            refused = until_refused(store, config_map(namespace, a="b"))
        finally:
            api_server.ask(f"{place}/no", method="DELETE")
    assert "is refused by admission webhook no.kmigrate.test" in refused.message
    assert refused.problems == ("not on a Sunday",)


def until_refused(store: KubernetesStore, body: JsonObject) -> Invalid:
    """Admission takes a moment to hear of a new rule."""
    for _ in range(200):
        try:
            store.preview(body)
        except Invalid as refused:
            return refused
        LabClock().sleep(50)
    raise AssertionError("it was never refused")


@contextmanager
def a_webhook(folder: Path) -> Iterator[tuple[str, str]]:
    """An admission webhook that refuses everything; its address, and its authority in base64."""
    import base64
    import json

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parsed(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            assert isinstance(asked, dict)
            answer = {"uid": asked["uid"], "allowed": False, "status": {"message": "not on a Sunday"}}
            self.send_response(200)
            self.end_headers()
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
            self.wfile.write(json.dumps(review).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    authority = Authority("webhook-ca")
    issued = authority.issue("webhook")
    (folder / "webhook.pem").write_text(issued.key + issued.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "webhook.pem")
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/", base64.b64encode(authority.certificate.encode()).decode()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_certificate_of_somebody_else_is_not_let_in(api_server: ApiServer, tmp_path: Path) -> None:
    from kmigrate.lab.kubernetes.kubeconfig import write_kubeconfig

    path, stranger = tmp_path / "stranger.kubeconfig", Authority("stranger").issue("admin", ["system:masters"])
    authority = (api_server.folder / "ca.pem").read_text()
    server = api_server.plane.server
    write_kubeconfig(path, server=server, authority=authority, user="admin", issued=stranger, namespace="default")
    with pytest.raises(Blocked, match="does not accept this credential"):
        as_user(path)


def test_an_unknown_context_is_told_with_those_there_are(api_server: ApiServer) -> None:
    with pytest.raises(UsageError, match="has no context prod") as refused:
        KubernetesStore.open("prod", LabClock(), kubeconfig=str(api_server.plane.admin))
    assert refused.value.hint == "set target.kubernetes.context to one of: lab"
