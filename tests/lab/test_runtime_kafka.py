"""Starting nodes and workers when Java misbehaves: a shell script plays Java. And Connect's REST client."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from kmigrate.errors import Interrupted, PlatformError, StillUnderWay, Transient
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.connect import ConnectRest, Worker, start_worker
from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.kafka import KafkaCluster
from kmigrate.lab.runtime.layout import ClusterLayout
from kmigrate.lab.runtime.pki import Certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.source import source_layout
from kmigrate.world import Reporter

JAVA = """#!/bin/sh
for last; do :; done
case "$*" in
*StorageTool*)
    {format}
    home=$(dirname "$last")/node-1
    mkdir -p "$home"
    echo checkpoint >"$home/bootstrap.checkpoint"
    printf 'version=1\\nnode.id=1\\ndirectory.id=first\\n' >"$home/meta.properties" ;;
*)
    {run} ;;
esac
"""
RUNS = "echo 'Kafka Server started'; echo 'Finished starting connectors and tasks'; exec sleep 1000"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    machine, ports = Machine(), Ports()
    yield Bench(
        folder=tmp_path,
        machine=machine,
        ports=ports,
        jvm=Jvm(java=tmp_path / "java", classpath=()),
        certificates=Certificates(ca=tmp_path / "ca", server=tmp_path / "server"),
        clock=LabClock(),
        reporter=Reporter(),
    )
    machine.close()
    ports.close()


def java(bench: Bench, run: str = RUNS, formats: str = "") -> None:
    bench.jvm.java.write_text(JAVA.format(run=run, format=formats or ":"))
    bench.jvm.java.chmod(0o755)


def cluster(bench: Bench, brokers: int = 1) -> KafkaCluster:
    layout: ClusterLayout = source_layout(bench, brokers=brokers, users={"a": "b"}, folder=bench.folder / "source")
    return KafkaCluster(layout, bench)


def test_a_cluster_is_formatted_once_and_the_other_nodes_get_copies_of_their_own(bench: Bench) -> None:
    java(bench)
    made = cluster(bench, 3)
    made.start()
    assert made.alive()
    homes = [bench.folder / "source" / f"node-{number}" for number in (1, 2, 3)]
    assert [(home / "bootstrap.checkpoint").read_text() for home in homes] == ["checkpoint\n"] * 3
    ids = [(home / "meta.properties").read_text().split() for home in homes]
    assert [line[1] for line in ids] == ["node.id=1", "node.id=2", "node.id=3"]
    assert len({line[2] for line in ids}) == 3
    assert bench.machine.names() == ("source-1", "source-2", "source-3")
    made.stop()
    assert not made.alive()


def test_a_broker_killed_while_it_starts_is_told(bench: Bench) -> None:
    java(bench, run="kill -KILL $$")
    with pytest.raises(
        PlatformError, match=r"source-1 ended by itself \(killed by signal 9\): it wrote nothing"
    ) as caught:
        cluster(bench).start()
    assert "node-1.log" in caught.value.hint


def test_a_format_that_fails_is_told_with_its_last_error(bench: Bench) -> None:
    java(bench, formats="echo 'ERROR bad cluster id'; exit 1")
    with pytest.raises(PlatformError, match=r"source-format ended by itself \(exit code 1\): ERROR bad cluster id"):
        cluster(bench).start()
    assert bench.machine.names() == ()


def test_the_words_of_an_earlier_start_do_not_count(bench: Bench) -> None:
    java(bench)
    made = cluster(bench)
    made.start()
    made.stop()
    java(bench, run="exit 5")
    with pytest.raises(PlatformError, match="exit code 5"):
        made.start_node(1)


def test_a_start_is_interrupted_at_once(bench: Bench) -> None:
    java(bench, run="exec sleep 1000")
    assert isinstance(bench.clock, LabClock)
    threading.Timer(0.3, bench.clock.stop).start()
    with pytest.raises(Interrupted):
        cluster(bench).start()


def test_a_worker_that_never_finishes_starting_is_still_under_way(bench: Bench) -> None:
    java(bench, run="exec sleep 1000")
    worker = Worker(name="connect-1", folder=bench.folder / "connect", properties={"group.id": "x"})
    with pytest.raises(StillUnderWay, match="connect-1"):
        start_worker(worker, bench, deadline_ms=200)
    settings = bench.folder / "connect" / "connect-1.properties"
    assert (settings.read_text(), settings.stat().st_mode & 0o777) == ("group.id=x\n", 0o600)


def test_a_worker_that_started_runs(bench: Bench) -> None:
    java(bench)
    start_worker(Worker(name="connect-1", folder=bench.folder / "connect", properties={}), bench)
    assert bench.machine.alive("connect-1")


@dataclass
class Connect:
    url: str = ""
    answer: tuple[int, str] = (200, "")
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@pytest.fixture
def connect() -> Iterator[Connect]:
    state = Connect()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            state.asked.append((self.command, self.path, body))
            code, text = state.answer
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}/"
        yield state
        server.shutdown()
        thread.join()


def test_every_verb_sends_json_and_gives_the_answer(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    connect.answer = (200, json.dumps({"state": "ok"}))
    rest = ConnectRest(connect.url)
    answers = [rest.get("/a"), rest.put("/a"), rest.post("/a", {"x": 1}), rest.patch("/a", [1]), rest.delete("/a")]
    assert answers == [{"state": "ok"}] * 5
    verbs = [("GET", ""), ("PUT", ""), ("POST", '{"x": 1}'), ("PATCH", "[1]"), ("DELETE", "")]
    assert connect.asked == [(verb, "/a", body) for verb, body in verbs]


def test_an_empty_answer_and_a_missing_thing_are_none(connect: Connect) -> None:
    connect.answer = (204, "")
    assert ConnectRest(connect.url).put("/connectors/x/stop") is None
    connect.answer = (404, '{"message": "not found"}')
    assert ConnectRest(connect.url).get("/connectors/x") is None
    assert ConnectRest(connect.url).delete("/connectors/x") is None


@pytest.mark.parametrize(
    ("code", "kind"), [(400, PlatformError), (404, PlatformError), (409, Transient), (500, Transient)]
)
def test_a_refusal_carries_connects_own_words(code: int, kind: type[PlatformError], connect: Connect) -> None:
    connect.answer = (code, '{"error_code": 1, "message": "no, because"}')
    with pytest.raises(PlatformError, match=rf"PUT {connect.url}connectors/x: {code} no, because") as caught:
        ConnectRest(connect.url).put("/connectors/x")
    assert type(caught.value) is kind


def test_a_worker_that_is_not_there_is_worth_trying_again() -> None:
    with pytest.raises(Transient, match="refused"):
        ConnectRest("http://127.0.0.1:1").get("/connectors")
