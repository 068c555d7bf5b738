"""A real source cluster of one broker: who may sign in, who may do what, and that it ends with its owner."""

import contextlib
import os
import secrets
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from kmigrate.errors import StillUnderWay
from kmigrate.lab import control
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.kafka import PLAIN, KafkaCluster, sasl_config
from kmigrate.lab.runtime.logs import PortTaken
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.source import CLIENT, RELAY, source_layout
from kmigrate.lab.status import status, survivors
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

pytestmark = pytest.mark.kafka

EVERYTHING = (
    ResourceType.ANY,
    None,
    ResourcePatternType.ANY,
    None,
    None,
    AclOperation.ANY,
    AclPermissionType.ANY,
)
USERS = {"sa-writer": 'pass"word\\with €', "sa-nobody": secrets.token_urlsafe()}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, clock, reporter = tmp_path_factory.mktemp("lab"), LabClock(), Reporter()
    machine, ports = Machine(), Ports()
    try:
        yield Bench(
            folder=folder,
            machine=machine,
            ports=ports,
            jvm=prepare(clock, reporter),
            certificates=make_certificates(folder, "source"),
            clock=clock,
            reporter=reporter,
        )
    finally:
        machine.close()
        ports.close()


@pytest.fixture(scope="module")
def source(bench: Bench) -> KafkaCluster:
    cluster = KafkaCluster(source_layout(bench, brokers=1, users=USERS, folder=bench.folder / "source"), bench)
    cluster.start()
    admin = AdminClient({**cluster.layout.admin_config(), "log_level": 0})
    admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(30)
    right = AclBinding(
        ResourceType.TOPIC,
        "orders",
        ResourcePatternType.LITERAL,
        "User:sa-writer",
        "*",
        AclOperation.WRITE,
        AclPermissionType.ALLOW,
    )
    admin.create_acls([right])[right].result(30)

    def look() -> Ready[None] | NotYet:
        """The controller has answered; the broker's own authorizer follows a moment later."""
        return Ready(None) if admin.describe_acls(AclBindingFilter(*EVERYTHING)).result(30) else NotYet("no ACL yet")

    wait_until(look, what="ACL", clock=bench.clock, reporter=Reporter(), deadline_ms=30_000)
    return cluster


def login(source: KafkaCluster, user: str, password: str | None = None, listener: str = CLIENT) -> dict[str, object]:
    layout = source.layout
    account = sasl_config(PLAIN, user, USERS[user] if password is None else password, layout.certificates.ca)
    return {**account, "bootstrap.servers": layout.bootstrap(listener), "log_level": 0}


def outcome(settings: dict[str, object]) -> KafkaError | None:
    """What the broker says to one record for `orders`."""
    seen: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        seen.append(error)

    producer = Producer({**settings, "message.timeout.ms": 20_000})
    producer.produce("orders", b"x", on_delivery=delivered)
    assert producer.flush(30) == 0
    return seen[0]


def test_a_user_signs_in_with_a_difficult_password_and_does_what_an_acl_allows(source: KafkaCluster) -> None:
    assert outcome(login(source, "sa-writer")) is None


def test_a_principal_without_acl_is_denied(source: KafkaCluster) -> None:
    error = outcome(login(source, "sa-nobody"))
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    admin = AdminClient(login(source, "sa-nobody"))
    assert admin.list_topics(timeout=20).topics == {}
    with pytest.raises(KafkaException) as caught:
        admin.create_topics([NewTopic("mine", 1, 1)])["mine"].result(20)
    assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_wrong_password_is_refused(source: KafkaCluster, bench: Bench) -> None:
    seen: list[int] = []
    settings = {**login(source, "sa-writer", "wrong"), "error_cb": lambda error: seen.append(error.code())}
    admin = AdminClient(settings)

    def look() -> Ready[None] | NotYet:
        admin.poll(0.1)
        return Ready(None) if KafkaError._AUTHENTICATION in seen else NotYet(str(seen))

    wait_until(look, what="refusal", clock=bench.clock, reporter=Reporter(), deadline_ms=30_000)


def test_the_labs_own_super_user_cannot_sign_in_where_clients_do(source: KafkaCluster) -> None:
    layout = source.layout
    settings = {
        **layout.admin_config(),
        "bootstrap.servers": layout.bootstrap(CLIENT),
        "log_level": 0,
        "error_cb": lambda _: None,
    }
    with pytest.raises(KafkaException):
        AdminClient(settings).list_topics(timeout=3)


def test_a_topic_that_nobody_made_is_not_made_by_writing(source: KafkaCluster) -> None:
    admin = AdminClient({**source.layout.admin_config(), "log_level": 0})
    admin.list_topics("never-made", timeout=20)
    assert "never-made" not in admin.list_topics(timeout=20).topics


def pump(giver: socket.socket, taker: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := giver.recv(65536):
            taker.sendall(block)
    for end in (giver, taker):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Relay(socketserver.ThreadingTCPServer):
    """A TCP relay as a fault injector would be: listens on the advertised port, forwards to the bound one."""

    allow_reuse_address = True

    def __init__(self, listen: int, forward: int) -> None:
        self.passed = 0

        class Handler(socketserver.BaseRequestHandler):
            def handle(handler) -> None:
                self.passed += 1
                with socket.create_connection(("127.0.0.1", forward)) as far:
                    back = threading.Thread(target=pump, args=(far, handler.request))
                    back.start()
                    pump(handler.request, far)
                    back.join()

        super().__init__(("127.0.0.1", listen), Handler)


def test_clients_of_the_relay_listener_go_through_the_relay(source: KafkaCluster) -> None:
    (listener,) = [one for one in source.layout.nodes[0].listeners if one.name == RELAY]
    with Relay(listener.advertised_port, listener.port) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        assert outcome(login(source, "sa-writer", listener=RELAY)) is None
        assert relay.passed >= 1
        relay.shutdown()
        thread.join()
    assert source.layout.bootstrap(RELAY) == f"127.0.0.1:{listener.advertised_port}"


def test_a_killed_broker_comes_back_on_its_port_with_its_records(source: KafkaCluster) -> None:
    admin = AdminClient({**source.layout.admin_config(), "log_level": 0, "error_cb": lambda _: None})
    before = admin.describe_cluster().result(20).cluster_id
    source.kill_node(1)
    assert not source.alive()
    source.start_node(1)
    assert admin.describe_cluster().result(30).cluster_id == before == source.layout.cluster_id
    assert outcome(login(source, "sa-writer")) is None


def test_no_secret_is_on_a_command_line_or_readable_by_others(source: KafkaCluster, bench: Bench) -> None:
    pid = bench.machine.pid("source-1")
    argv = " ".join(psutil.Process(pid).cmdline())
    words = [source.layout.admin_password, *USERS.values()]
    assert not [word for word in words if word in argv]
    held = [path for path in bench.folder.rglob("*.properties") if source.layout.admin_password in path.read_text()]
    assert [path.stat().st_mode & 0o777 for path in held] == [0o600]


def test_a_port_taken_in_the_middle_is_one_sentence(bench: Bench) -> None:
    layout = source_layout(bench, brokers=1, users=USERS, folder=bench.folder / "second")
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", layout.nodes[0].listeners[0].port))
        thief.listen()
        cluster = KafkaCluster(layout, bench)
        bench.machine.stop("source-1")
        with pytest.raises(PortTaken, match=r"source-1 did not start: a port was taken by another program"):
            cluster.start()


OWNER = """
import sys, time
from pathlib import Path
from kmigrate.lab import control
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.world import Reporter
control.up(LabFolder(Path(sys.argv[1])), brokers=1, users=("sa-a",), empty=True, clock=LabClock(),
           reporter=Reporter(), stay=False)
print("up", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("victim", ["supervisor", "starter"])
def test_a_killed_supervisor_or_starter_leaves_no_kafka_behind(victim: str, tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "lab")
    starter = subprocess.Popen((sys.executable, "-c", OWNER, str(folder.root)), stdout=subprocess.PIPE)
    assert starter.stdout is not None
    with starter.stdout:
        assert starter.stdout.readline() == b"up\n"
        seen = status(folder)
        assert [process.name for process in seen.processes if process.alive] == ["supervisor", "source-1"]
        if victim == "supervisor":
            assert seen.pid is not None
            os.kill(seen.pid, signal.SIGKILL)
        starter.send_signal(signal.SIGKILL if victim == "starter" else signal.SIGTERM)
        starter.wait()

    def look() -> Ready[None] | NotYet:
        left = survivors(folder)
        return NotYet(str(left)) if left else Ready(None)

    try:
        wait_until(look, what="lab", clock=LabClock(), reporter=Reporter(), deadline_ms=30_000)
    except StillUnderWay:
        control.down(folder, clock=LabClock(), reporter=Reporter())
        raise
    assert control.down(folder, clock=LabClock(), reporter=Reporter()) is True
    assert not folder.root.exists()
