"""What an API server may say that one on this machine does not: too many requests, its own failures, no JSON at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.adapters.kubernetes.kinds import kind_of
from kmigrate.adapters.kubernetes.refusals import Stale, Subject, refused
from kmigrate.errors import Blocked, Invalid, KmigrateError, PlatformError, Transient, UsageError
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.world import Key

ORDERS = Subject(kind=kind_of("KafkaTopic"), namespace="kafka", name="orders")
CONTEXTS = ("prod", "test")


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (429, "too many requests, please try again later", Transient),
        (500, 'failed calling webhook "x.test": context deadline exceeded', Transient),
        (503, "apiserver is shutting down", Transient),
        (504, "etcdserver: request timed out", Transient),
        (500, "failed to create typed patch object (kafka/orders; v1, Kind=X): .spec.x: field not declared", Invalid),
        (413, "Request entity too large: limit is 3145728", Invalid),
        (403, 'pods "x" is forbidden: exceeded quota: small', Invalid),
        (401, "Unauthorized", Blocked),
        (409, "the object has been modified; please apply your changes to the latest version", Stale),
        (405, "the server does not allow this method on the requested resource", PlatformError),
    ],
)
def test_an_answer_is_one_of_our_errors_with_the_resource_and_a_way_out(
    code: int, message: str, kind: type[KmigrateError]
) -> None:
    error = refused(ORDERS, code, json.dumps({"kind": "Status", "code": code, "message": message}))
    assert type(error) is kind
    assert error.hint
    assert code == 401 or "KafkaTopic kafka/orders" in error.message


@contextmanager
def an_api_server(folder: Path, answers: list[tuple[int, str]]) -> Iterator[Path]:
    """A kubeconfig of two contexts with a server that gives these answers, the last again and again."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, text = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield a_kubeconfig(folder, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_kubeconfig(folder: Path, server: str, current: str = "prod") -> Path:
    named = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in CONTEXTS]
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": named,
        "current-context": current,
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return folder / "kubeconfig"


def version(minor: int) -> tuple[int, str]:
    return 200, json.dumps({"gitVersion": f"v1.{minor}.4-eks-abc", "major": "1", "minor": f"{minor}+"})


def opened(kubeconfig: Path, context: str = "") -> KubernetesStore:
    return KubernetesStore.open(context, LabClock(), kubeconfig=str(kubeconfig))


@pytest.mark.parametrize(("minor", "way"), [(29, "upgrade the cluster"), (37, "look for a newer kmigrate")])
def test_a_kubernetes_that_is_not_known_is_refused(minor: int, way: str, tmp_path: Path) -> None:
    with (
        an_api_server(tmp_path, [version(minor)]) as kubeconfig,
        pytest.raises(Blocked, match=rf"is Kubernetes v1\.{minor}\.4-eks-abc; .* know 1\.30 to 1\.36") as refused_it,
    ):
        opened(kubeconfig)
    assert way in refused_it.value.hint


@pytest.mark.parametrize("minor", [30, 36])
def test_a_kubernetes_that_is_known_is_taken(minor: int, tmp_path: Path) -> None:
    with an_api_server(tmp_path, [version(minor)]) as kubeconfig:
        opened(kubeconfig, "test").close()


def test_what_is_worth_it_is_tried_again(tmp_path: Path) -> None:
    busy = 429, json.dumps({"kind": "Status", "code": 429, "message": "too many requests"})
    topic = 200, json.dumps({"metadata": {"name": "orders", "namespace": "kafka", "resourceVersion": "7"}})
    answers = [version(36), busy, (503, "shutting down"), topic]
    with an_api_server(tmp_path, answers) as kubeconfig:
        store = opened(kubeconfig)
        found = store.get(Key("KafkaTopic", "kafka", "orders"))
        store.close()
    assert found is not None
    assert (found.version, len(answers)) == ("7", 1)


def test_something_else_than_an_api_server_is_told(tmp_path: Path) -> None:
    with (
        an_api_server(tmp_path, [(200, "<html>a proxy</html>")]) as kubeconfig,
        pytest.raises(PlatformError, match="answers no JSON: '<html>a proxy"),
    ):
        opened(kubeconfig)


def test_an_unknown_context_is_told_with_those_there_are(tmp_path: Path) -> None:
    for context, current in (("staging", "prod"), ("", ""), ("", "gone")):
        kubeconfig = a_kubeconfig(tmp_path, "http://127.0.0.1:1", current)
        with pytest.raises(UsageError) as refused_it:
            opened(kubeconfig, context)
        assert refused_it.value.hint == "set target.kubernetes.context to one of: prod, test"


def test_a_kubeconfig_that_is_not_there_or_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no kubeconfig with a context at .*nothing"):
        opened(tmp_path / "nothing")
    for text in ("", "{", "- a list", "contexts: 7"):
        (tmp_path / "broken").write_text(text)
        with pytest.raises(UsageError, match="broken"):
            opened(tmp_path / "broken")


def test_the_environment_says_where_the_kubeconfig_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(a_kubeconfig(tmp_path, "http://127.0.0.1:1", "")))
    with pytest.raises(UsageError, match=str(tmp_path / "kubeconfig")):
        KubernetesStore.open("", LabClock())
