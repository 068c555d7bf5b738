"""A real control plane: who may speak to it, what stays of it, and that it ends with its owner."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import stat
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from api_server import ApiServer, running

from kmigrate.lab.kubernetes import version

pytestmark = pytest.mark.kube


def test_it_is_the_version_of_its_module_and_ready(api_server: ApiServer) -> None:
    assert api_server.ask("/version")["gitVersion"] == version()
    assert api_server.plane.alive()


def test_it_listens_on_the_loopback_address_only(api_server: ApiServer) -> None:
    pids = [api_server.machine.pid(name) for name in api_server.machine.names()]
    listening = [each for pid in pids for each in psutil.Process(pid).net_connections() if each.status == "LISTEN"]
    assert len(listening) == 3
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}


def test_nobody_is_let_in_without_a_certificate(api_server: ApiServer) -> None:
    context = ssl.create_default_context(cafile=str(api_server.folder / "ca.pem"))
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(api_server.plane.server + "/api", context=context, timeout=10)
    refused.value.close()


def test_etcd_takes_nobody_who_has_a_certificate_of_kubernetes(api_server: ApiServer) -> None:
    address = next(line for line in api_server_arguments(api_server) if line.startswith("--etcd-servers="))
    context = ssl.create_default_context(cafile=str(api_server.folder / "etcd-ca.pem"))
    context.load_cert_chain(api_server.folder / "admin.pem")
    with pytest.raises(OSError):
        urllib.request.urlopen(address.partition("=")[2] + "/health", context=context, timeout=10)


def api_server_arguments(api_server: ApiServer) -> list[str]:
    return psutil.Process(api_server.machine.pid("kube-apiserver")).cmdline()


def test_a_user_may_do_what_rbac_allows_and_no_more(api_server: ApiServer) -> None:
    path = api_server.plane.kubeconfig("somebody", namespace="kafka")
    config = json.loads(path.read_text())
    assert config["contexts"][0]["context"] == {"cluster": "lab", "user": "somebody", "namespace": "kafka"}
    signed = {
        name: base64.b64decode(config["users"][0]["user"][f"client-{name}-data"]) for name in ("certificate", "key")
    }
    (api_server.folder / "somebody.pem").write_bytes(signed["key"] + signed["certificate"])
    (api_server.folder / "somebody.pem").chmod(0o600)
    for address, answer in (("/version", None), ("/api/v1/namespaces", 403)):
        assert api_server.ask(address, user="somebody").get("code") == answer


def test_every_file_is_its_owners_alone(api_server: ApiServer) -> None:
    api_server.plane.kubeconfig("another")
    secret = [*api_server.folder.glob("*.pem"), *api_server.folder.glob("*.kubeconfig")]
    assert len(secret) > 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(api_server.folder.stat().st_mode) == 0o700


@pytest.mark.usefixtures("go")
def test_what_it_holds_outlives_a_stop_and_nothing_runs_in_between(tmp_path: Path) -> None:
    with running(tmp_path / "plane") as first:
        first.namespace("stays")
        pids = [first.machine.pid(name) for name in first.machine.names()]
        first.plane.kill_api_server()
        assert not first.plane.alive()
        first.plane.start_api_server()
        assert first.ask("/api/v1/namespaces/stays")["kind"] == "Namespace"
    assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)
    with socket.socket() as anybody:
        assert anybody.connect_ex(("127.0.0.1", int(first.plane.server.rpartition(":")[2]))) != 0
    with running(tmp_path / "plane") as second:
        assert second.ask("/api/v1/namespaces/stays")["kind"] == "Namespace"
        assert second.plane.server != first.plane.server
