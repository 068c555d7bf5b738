"""Groups while their coordinator is on its way, which ends librdkafka's process: who is in them, where they stand."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kmigrate.adapters.kafka import describing, offsets
from kmigrate.adapters.kafka.coordinators import Coordinators, Told
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.retry import steadily
from kmigrate.errors import Transient
from kmigrate.lab.runtime.pki import Certificates, make_certificates
from kmigrate.model import Group, GroupKind, GroupState, Partition

_HANDSHAKE, _AUTHENTICATE, _OFFSET_FETCH, _FIND_COORDINATOR = 17, 36, 9, 10
_OFFSET_COMMIT, _DESCRIBE_GROUPS, _VERSIONS, _CONSUMER_GROUPS, _DELETE_GROUPS = 8, 15, 18, 69, 42
_UNKNOWN_MEMBER_ID = 25
_NOT_COORDINATOR, _COORDINATOR_NOT_AVAILABLE, _GROUP_AUTHORIZATION_FAILED, _GROUP_ID_NOT_FOUND = 16, 15, 30, 69
HELD = {"g": {Partition("t", 300): 7}}


@dataclass
class Broker:
    """Answers what a broker answers; `refusals` are the errors of the next positions asked for, 0 hangs up."""

    certificates: Certificates
    refusals: list[int]
    asked: list[int] = field(default_factory=list)
    groups: tuple[str, ...] = ("g",)
    state: bytes = b"Stable"
    knows_consumer_groups: bool = True
    second: int = 0
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
        if api == _VERSIONS:
            return struct.pack(">hihhh", 0, 1, _CONSUMER_GROUPS if self.knows_consumer_groups else 1, 0, 1)
        error = self.refusals.pop(0) if self.refusals else None
        return None if error == 0 else self._about_groups(api, error or 0)

    def _about_groups(self, api: int, error: int) -> bytes:
        if api == _DESCRIBE_GROUPS:
            return _described(error, self.state)
        if api == _CONSUMER_GROUPS:
            return _described_consumers(error or self.second)
        if api == _OFFSET_COMMIT:
            return struct.pack(">bi", 0, 0) + b"\2\2t\2" + struct.pack(">ih", 300, error) + b"\0\0\0"
        if api == _DELETE_GROUPS:
            return struct.pack(">bi", 0, 0) + b"\2\2g" + struct.pack(">h", error) + b"\0\0"
        if error:
            return _told(["g"], b"\1", error)
        partition = struct.pack(">iqiBhb", 300, 7, -1, 0, 0, 0)
        return _told(self.groups, b"\2\2t\2" + partition + b"\0", 0)


def _told(groups: Sequence[str], topics: bytes, error: int) -> bytes:
    """OffsetFetch, version 8: the same of each group."""
    every = b"".join(b"\2" + group.encode() + topics + struct.pack(">hb", error, 0) for group in groups)
    return struct.pack(">biB", 0, 0, len(groups) + 1) + every + b"\0"


def _described(error: int, state: bytes) -> bytes:
    """DescribeGroups, version 5: group `g` with one member, or with none where it is Dead."""
    member = b"\2m\0\7member\2h\3md\4ass\0"
    members = b"\1" if state == b"Dead" else b"\2" + member
    told = b"\2g" + bytes([len(state) + 1]) + state + b"\1\1" + members + struct.pack(">i", -1) + b"\0"
    return struct.pack(">bi", 0, 0) + b"\2" + struct.pack(">h", error) + told + b"\0"


def _described_consumers(error: int) -> bytes:
    """ConsumerGroupDescribe, version 0: the same of a group of KIP-848, which reads partitions 1 and 2 of `t`."""
    assigned = b"\2" + b"u" * 16 + b"\2t\3" + struct.pack(">ii", 1, 2) + b"\0\0"
    member = b"\2m\0\0" + struct.pack(">i", 3) + b"\7member\2h\2\2t\0" + assigned + assigned + b"\0"
    told = b"\2g\7Stable" + struct.pack(">ii", 4, 4) + b"\1" + b"\2" + member + struct.pack(">i", -1) + b"\0"
    return struct.pack(">bi", 0, 0) + b"\2" + struct.pack(">h", error) + b"\0" + told + b"\0"


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
def at(broker: Broker) -> Iterator[Coordinators]:
    login = Login(
        name="source",
        bootstrap=f"127.0.0.1:{broker.port}",
        mechanism="PLAIN",
        username="kmigrate",
        password="secret",
        ca=broker.certificates.ca.read_text(),
    )
    asking = Coordinators(login)
    yield asking
    asking.close()


def test_a_coordinator_that_moved_is_looked_for_again(broker: Broker, at: Coordinators) -> None:
    assert offsets.committed(at, {"g": None}) == HELD
    assert offsets.committed(at, {"g": None}) == HELD
    assert broker.asked == [_HANDSHAKE, _AUTHENTICATE, _FIND_COORDINATOR, _OFFSET_FETCH, _OFFSET_FETCH]
    broker.asked.clear()
    broker.refusals = [_NOT_COORDINATOR, _COORDINATOR_NOT_AVAILABLE]
    assert steadily(offsets.committed)(at, {"g": [Partition("t", 300)]}) == HELD
    assert broker.asked == [_OFFSET_FETCH, *[_FIND_COORDINATOR, _OFFSET_FETCH] * 2]


def test_a_connection_that_broke_is_made_again(broker: Broker, at: Coordinators) -> None:
    offsets.committed(at, {"g": None})
    broker.refusals = [0]
    with pytest.raises(Transient):
        offsets.committed(at, {"g": None})
    assert offsets.committed(at, {"g": None}) == HELD


def test_a_coordinator_is_asked_once_for_all_of_its_groups(broker: Broker, at: Coordinators) -> None:
    broker.groups = ("g", "h")
    assert offsets.committed(at, {"g": None, "h": None}) == {**HELD, "h": HELD["g"]}
    assert broker.asked[2:] == [_FIND_COORDINATOR, _FIND_COORDINATOR, _OFFSET_FETCH]


def test_a_group_that_is_not_there_holds_nothing(broker: Broker, at: Coordinators) -> None:
    broker.refusals = [_GROUP_ID_NOT_FOUND]
    assert offsets.committed(at, {"g": None}) == {"g": {}}


def test_a_refusal_is_no_reason_to_ask_again(broker: Broker, at: Coordinators) -> None:
    broker.refusals = [_GROUP_AUTHORIZATION_FAILED]
    with pytest.raises(Told) as told:
        offsets.committed(at, {"g": None})
    assert told.value.code == _GROUP_AUTHORIZATION_FAILED


def test_a_classic_group_is_told_with_its_members(broker: Broker, at: Coordinators) -> None:
    wanted = Group(name="g", state=GroupState.STABLE, members=("member",), kind=GroupKind.CLASSIC)
    assert describing.describe(at, ["g"]) == {"g": wanted}
    assert broker.asked[2:] == [_FIND_COORDINATOR, _DESCRIBE_GROUPS]


def test_what_is_no_classic_group_is_asked_for_once_more(broker: Broker, at: Coordinators) -> None:
    broker.state = b"Dead"
    wanted = Group(name="g", state=GroupState.STABLE, members=("member",), kind=GroupKind.CONSUMER)
    assert [describing.describe(at, ["g"]) for _ in range(2)] == [{"g": wanted}] * 2
    first = [_FIND_COORDINATOR, _DESCRIBE_GROUPS, _VERSIONS, _CONSUMER_GROUPS]
    assert broker.asked[2:] == [*first, _DESCRIBE_GROUPS, _CONSUMER_GROUPS]


def test_a_broker_that_knows_no_other_groups_is_not_asked_for_them(broker: Broker, at: Coordinators) -> None:
    broker.state, broker.knows_consumer_groups = b"Dead", False
    assert describing.describe(at, ["g"])["g"].state is GroupState.DEAD
    assert _CONSUMER_GROUPS not in broker.asked


@pytest.mark.parametrize(
    ("code", "state", "stopped"),
    [(_GROUP_ID_NOT_FOUND, GroupState.DEAD, True), (35, GroupState.DEAD, True), (29, GroupState.UNKNOWN, False)],
)
def test_a_cluster_without_kip_848_and_members_that_read_what_is_hidden(
    broker: Broker, at: Coordinators, code: int, state: GroupState, stopped: bool
) -> None:
    broker.state, broker.second = b"Dead", code
    seen = describing.describe(at, ["g"])["g"]
    assert (seen.state, seen.stopped) == (state, stopped)


@pytest.mark.parametrize("refusal", [_NOT_COORDINATOR, 0])
def test_a_group_is_told_though_its_coordinator_moved_or_died(broker: Broker, at: Coordinators, refusal: int) -> None:
    describing.describe(at, ["g"])
    broker.refusals = [refusal]
    assert steadily(describing.describe)(at, ["g"])["g"].members == ("member",)
    assert broker.asked.count(_FIND_COORDINATOR) == 2


def test_positions_are_written_and_what_refuses_them_is_told(broker: Broker, at: Coordinators) -> None:
    offsets.commit(at, "g", {Partition("t", 300): 7})
    broker.refusals = [_UNKNOWN_MEMBER_ID]
    with pytest.raises(Told, match=str(_UNKNOWN_MEMBER_ID)):
        offsets.commit(at, "g", {Partition("t", 300): 7})
    broker.refusals = [_NOT_COORDINATOR]
    with pytest.raises(Transient):
        offsets.commit(at, "g", {Partition("t", 300): 7})


def test_a_group_is_removed_and_one_that_is_not_there_is_fine(broker: Broker, at: Coordinators) -> None:
    broker.refusals = [_GROUP_ID_NOT_FOUND, _GROUP_AUTHORIZATION_FAILED]
    describing.delete(at, "g")
    with pytest.raises(Told):
        describing.delete(at, "g")
    describing.delete(at, "g")
