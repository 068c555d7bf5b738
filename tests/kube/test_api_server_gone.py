"""An API server that goes away in the middle: what may be asked twice is, and watches miss nothing."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from api_server import ApiServer, running

from kmigrate.adapters.kubernetes import KubernetesStore
from kmigrate.adapters.kubernetes.connection import Call, Connection, Lost
from kmigrate.adapters.kubernetes.kinds import kind_of
from kmigrate.adapters.kubernetes.opening import connect
from kmigrate.adapters.kubernetes.refusals import Subject
from kmigrate.adapters.kubernetes.watching import events
from kmigrate.errors import Conflict, PlatformError, Transient
from kmigrate.lab.kubernetes.kubeconfig import write_kubeconfig
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.pki import Authority
from kmigrate.model import JsonObject
from kmigrate.world import Event, Key

pytestmark = pytest.mark.kube


@pytest.fixture(scope="module")
def mortal(go: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of this module's own, that may be killed."""
    with running(tmp_path_factory.mktemp("mortal")) as server:
        server.namespace("kafka")
        yield server


@pytest.fixture
def store(mortal: ApiServer) -> Iterator[KubernetesStore]:
    opened = KubernetesStore.open("", LabClock(), kubeconfig=str(mortal.plane.admin))
    yield opened
    opened.close()


def settings(name: str, **data: str) -> JsonObject:
    metadata: JsonObject = {"name": name, "namespace": "kafka"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def told(event: Event) -> tuple[str, str, object]:
    return event.type, event.resource.key.name, event.resource.data.get("n")


class Door(socketserver.ThreadingTCPServer):
    """Lets through to the API server, but for the next `shut` connections, which it closes unheard."""

    daemon_threads = True

    def __init__(self, forward: int) -> None:
        self.shut = 0

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                door = self.server
                assert isinstance(door, Door)
                if door.shut:
                    door.shut -= 1
                    return
                with socket.create_connection(("127.0.0.1", forward)) as far:
                    back = threading.Thread(target=pump, args=(far, self.request))
                    back.start()
                    pump(self.request, far)
                    back.join()

        super().__init__(("127.0.0.1", 0), Handler)


def pump(giver: socket.socket, taker: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := giver.recv(65_536):
            taker.sendall(block)
    for end in (giver, taker):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def test_a_request_that_is_not_heard_is_made_again(mortal: ApiServer, tmp_path: Path) -> None:
    with Door(int(mortal.plane.server.rpartition(":")[2])) as door:
        listening = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02})
        listening.start()
        text = mortal.plane.admin.read_text().replace(
            mortal.plane.server, f"https://127.0.0.1:{door.server_address[1]}"
        )
        (tmp_path / "kubeconfig").write_text(text)
        door.shut = 2
        store = KubernetesStore.open("", LabClock(), kubeconfig=str(tmp_path / "kubeconfig"))
        assert door.shut == 0
        assert store.apply(settings("heard-at-last", n="1")).data == {"n": "1"}
        store.close()
        door.shutdown()
        listening.join()


def test_a_certificate_that_is_not_of_our_authority_is_told_at_once(mortal: ApiServer, tmp_path: Path) -> None:
    authority = Authority("another").certificate
    stranger = Authority("another").issue("admin")
    path = tmp_path / "kubeconfig"
    server = mortal.plane.server
    write_kubeconfig(path, server=server, authority=authority, user="admin", issued=stranger, namespace="default")
    with pytest.raises(PlatformError, match=r"cannot be spoken to: .*CERTIFICATE_VERIFY_FAILED") as refused:
        KubernetesStore.open("", LabClock(), kubeconfig=str(path))
    assert not isinstance(refused.value, Transient)


def test_one_that_stays_away_is_named_with_its_address(mortal: ApiServer, store: KubernetesStore) -> None:
    mortal.plane.kill_api_server()
    try:
        with pytest.raises(Transient, match=f"ConfigMap kafka/x: {mortal.plane.server} .context lab. does not answer"):
            store.get(Key("ConfigMap", "kafka", "x"))
    finally:
        mortal.plane.start_api_server()


def test_a_watch_goes_on_after_the_api_server_was_killed_and_tells_each_change_once(
    mortal: ApiServer, store: KubernetesStore
) -> None:
    store.apply(settings("watched", n="0"))
    watching = store.watch(["ConfigMap"], "kafka", 60_000)
    seen = []
    for event in watching:
        if event.resource.key.name != "watched":
            continue
        seen.append(told(event))
        if len(seen) == 1:
            store.apply(settings("watched", n="1"))
        elif len(seen) == 2:
            mortal.plane.kill_api_server()
            mortal.plane.start_api_server()
            store.apply(settings("watched", n="2"))
        elif len(seen) == 3:
            store.delete(event.resource.key)
        else:
            break
    assert seen == [
        ("ADDED", "watched", "0"),
        ("MODIFIED", "watched", "1"),
        ("MODIFIED", "watched", "2"),
        ("DELETED", "watched", "2"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetful(Connection):
    """Says of the first list that it is as old as the cluster: a watch from there is answered 410."""

    lists: list[str] = field(default_factory=list)

    def ask_once(self, call: Call) -> JsonObject:
        answer = Connection.ask_once(self, call)
        self.lists.append(call.target)
        return {**answer, "metadata": {"resourceVersion": "1"}} if len(self.lists) == 1 else answer


def test_a_watch_from_a_version_that_is_forgotten_looks_at_all_again(mortal: ApiServer, store: KubernetesStore) -> None:
    client = connect("", str(mortal.plane.admin)).client
    connection = Forgetful(client=client, context="lab")
    store.apply(settings("forgotten", n="0"))
    seen = []
    for event in events(connection, LabClock(), [Subject(kind=kind_of("ConfigMap"), namespace="kafka")], 5_000):
        if event.resource.key.name == "forgotten":
            seen.append(told(event))
            if len(seen) == 1:
                store.apply(settings("forgotten", n="1"))
    assert seen == [("ADDED", "forgotten", "0"), ("MODIFIED", "forgotten", "1")]
    assert len(connection.lists) == 2
    connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Connection):
    """The first request of that method is heard, and its answer is lost."""

    method: str
    lost: list[str] = field(default_factory=list)

    def ask_once(self, call: Call) -> JsonObject:
        answer = Connection.ask_once(self, call)
        if call.method == self.method and not self.lost:
            self.lost.append(call.target)
            raise Lost("cut off", hint="again")
        return answer


@pytest.fixture
def cut(mortal: ApiServer) -> Iterator[Callable[[str], tuple[KubernetesStore, Cut]]]:
    client = connect("", str(mortal.plane.admin)).client

    def cutting(method: str) -> tuple[KubernetesStore, Cut]:
        connection = Cut(client=client, context="lab", method=method)
        return KubernetesStore(connection, LabClock()), connection

    yield cutting
    client.close()


def test_a_delete_whose_answer_was_lost_is_done(
    store: KubernetesStore, cut: Callable[[str], tuple[KubernetesStore, Cut]]
) -> None:
    made = store.apply(settings("deleted"))
    cutting, connection = cut("DELETE")
    assert cutting.delete(made.key) is True
    assert len(connection.lost) == 1
    assert store.get(made.key) is None
    assert cutting.delete(made.key) is False


def test_a_conditional_change_whose_answer_was_lost_is_our_own_and_no_conflict(
    store: KubernetesStore, cut: Callable[[str], tuple[KubernetesStore, Cut]]
) -> None:
    for change in ({"n": "1"}, {"n": "2"}):
        made = store.apply(settings("cut", n="0"))
        cutting, connection = cut("PATCH")
        changed = cutting.apply({**made.body, "data": change})
        assert len(connection.lost) == 1
        assert (changed.data, store.get(made.key)) == (change, changed)


def test_somebody_elses_change_after_a_lost_answer_is_a_conflict(
    store: KubernetesStore, cut: Callable[[str], tuple[KubernetesStore, Cut]]
) -> None:
    made = store.apply(settings("raced", n="0"))
    store.apply(settings("raced", n="theirs"))
    cutting, connection = cut("GET")
    with pytest.raises(Conflict, match="was changed"):
        cutting.apply({**made.body, "data": {"n": "ours"}})
    assert len(connection.lost) == 1
    there = store.get(made.key)
    assert there is not None
    assert there.data == {"n": "theirs"}


def test_a_watch_that_nobody_listens_to_any_more_ends_its_threads(mortal: ApiServer, store: KubernetesStore) -> None:
    for name in ("heard", "heard-too"):
        store.apply(settings(name, n="0"))
    before = set(threading.enumerate())
    watching = store.watch(["ConfigMap", "Secret"], "kafka", 60_000)
    seen = 0
    for event in watching:
        seen += event.resource.key.name.startswith("heard")
        if event.type == "MODIFIED":
            break
        if seen == 2:
            store.apply(settings("heard", n="1"))
    listening = [thread for thread in threading.enumerate() if thread not in before]
    assert [thread.name.split()[:2] for thread in listening] == [["watch", "configmaps"], ["watch", "secrets"]]
    del watching
    for thread in listening:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in listening)
