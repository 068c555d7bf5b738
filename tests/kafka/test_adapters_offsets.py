"""Positions of groups while their coordinator is on its way, which ends librdkafka's process."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.offsets import Offsets, Told
from kmigrate.adapters.retry import steadily
from kmigrate.errors import Transient
from kmigrate.lab.runtime.pki import Certificates, make_certificates
from kmigrate.model import Partition

_HANDSHAKE, _AUTHENTICATE, _OFFSET_FETCH, _FIND_COORDINATOR = 17, 36, 9, 10
_NOT_COORDINATOR, _COORDINATOR_NOT_AVAILABLE, _GROUP_AUTHORIZATION_FAILED, _GROUP_ID_NOT_FOUND = 16, 15, 30, 69
HELD = {"g": {Partition("t", 300): 7}}


@dataclass
class Broker:
    """Answers what a broker answers; `refusals` are the errors of the next positions asked for, 0 hangs up."""

    certificates: Certificates
    refusals: list[int]
    asked: list[int] = field(default_factory=list)
    groups: tuple[str, ...] = ("g",)
    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self.server.getsockname()[1])

    def serve(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.server)
        while True:
            try:
                plain, _ = self.server.accept()
            except OSError:
                return
            with context.wrap_socket(plain, server_side=True) as line, line.makefile("rb") as sent:
                while head := sent.read(4):
                    api = struct.unpack(">h", sent.read(int.from_bytes(head, "big"))[:2])[0]
                    self.asked.append(api)
                    answer = self._answer(api)
                    if answer is None:
                        break
                    line.sendall(struct.pack(">ii", len(answer) + 4, 1) + answer)

    def _answer(self, api: int) -> bytes | None:
        if api == _HANDSHAKE:
            return struct.pack(">hi", 0, 0)
        if api == _AUTHENTICATE:
            return struct.pack(">hhi", 0, -1, 0)
        if api == _FIND_COORDINATOR:
            return struct.pack(">ihhih", 0, 0, -1, 1, 9) + b"127.0.0.1" + struct.pack(">i", self.port)
        error = self.refusals.pop(0) if self.refusals else None
        if error is not None:
            return _told(["g"], b"\1", error) if error else None
        partition = struct.pack(">iqiBhb", 300, 7, -1, 0, 0, 0)
        return _told(self.groups, b"\2\2t\2" + partition + b"\0", 0)


def _told(groups: Sequence[str], topics: bytes, error: int) -> bytes:
    """OffsetFetch, version 8: the same of each group."""
    every = b"".join(b"\2" + group.encode() + topics + struct.pack(">hb", error, 0) for group in groups)
    return struct.pack(">biB", 0, 0, len(groups) + 1) + every + b"\0"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(certificates=make_certificates(tmp_path, "one"), refusals=[])
    thread = threading.Thread(target=one.serve)
    thread.start()
    yield one
    one.server.shutdown(socket.SHUT_RDWR)
    one.server.close()
    thread.join(10)


@pytest.fixture
def offsets(broker: Broker) -> Iterator[Offsets]:
    login = Login(
        name="source",
        bootstrap=f"127.0.0.1:{broker.port}",
        mechanism="PLAIN",
        username="kmigrate",
        password="secret",
        ca=broker.certificates.ca.read_text(),
    )
    asking = Offsets(login)
    yield asking
    asking.close()


def test_a_coordinator_that_moved_is_looked_for_again(broker: Broker, offsets: Offsets) -> None:
    assert offsets.committed({"g": None}) == HELD
    assert offsets.committed({"g": None}) == HELD
    assert broker.asked == [_HANDSHAKE, _AUTHENTICATE, _FIND_COORDINATOR, _OFFSET_FETCH, _OFFSET_FETCH]
    broker.asked.clear()
    broker.refusals = [_NOT_COORDINATOR, _COORDINATOR_NOT_AVAILABLE]
    assert steadily(offsets.committed)({"g": [Partition("t", 300)]}) == HELD
    assert broker.asked == [_OFFSET_FETCH, *[_FIND_COORDINATOR, _OFFSET_FETCH] * 2]


def test_a_connection_that_broke_is_made_again(broker: Broker, offsets: Offsets) -> None:
    offsets.committed({"g": None})
    broker.refusals = [0]
    with pytest.raises(Transient):
        offsets.committed({"g": None})
    assert offsets.committed({"g": None}) == HELD


def test_a_coordinator_is_asked_once_for_all_of_its_groups(broker: Broker, offsets: Offsets) -> None:
    broker.groups = ("g", "h")
    assert offsets.committed({"g": None, "h": None}) == {**HELD, "h": HELD["g"]}
    assert broker.asked[2:] == [_FIND_COORDINATOR, _FIND_COORDINATOR, _OFFSET_FETCH]


def test_a_group_that_is_not_there_holds_nothing(broker: Broker, offsets: Offsets) -> None:
    broker.refusals = [_GROUP_ID_NOT_FOUND]
    assert offsets.committed({"g": None}) == {"g": {}}


def test_a_refusal_is_no_reason_to_ask_again(broker: Broker, offsets: Offsets) -> None:
    broker.refusals = [_GROUP_AUTHORIZATION_FAILED]
    with pytest.raises(Told) as told:
        offsets.committed({"g": None})
    assert told.value.code == _GROUP_AUTHORIZATION_FAILED
