"""Questions to one chosen broker, none of which changes anything. librdkafka cannot choose a broker (`lab.md`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from kmigrate.adapters.kafka.login import Login, granting
from kmigrate.errors import Blocked, PlatformError, Transient

_TIMEOUT_S = 10.0
_MOST_BYTES = 64 * 1024 * 1024
_METADATA, _HANDSHAKE, _AUTHENTICATE, _DESCRIBE_ACLS = 3, 17, 36, 29
_GROUP_OR_TOPIC = {2: "topic", 3: "group"}
_READ_OR_WRITE = {3: "Read", 4: "Write"}
_DENY, _ANY, _LITERAL = 2, 1, 3
# a cluster without an authorizer denies nobody
_CLUSTER_AUTHORIZATION_FAILED, _SECURITY_DISABLED = 31, 54
_NOT_TOLD = -(2**31)
FIND_COORDINATOR = 10

Denied = tuple[str, str, str, str]
"""Principal, resource, name, operation."""


Asking: TypeAlias = Callable[[str, Login], AbstractContextManager[ssl.SSLSocket]]
"""Gives a connection to the broker at `host:port`, signed in, for as long as something is asked."""


@contextmanager
def asking(broker: str, login: Login) -> Iterator[ssl.SSLSocket]:
    """A connection to the broker at `host:port`, closed again; raises Transient or PlatformError, never OSError."""
    try:
        with signed_in(broker, login) as line:
            yield line
    except OSError as error:
        raise lost(broker, login, error) from error


def denied_at(broker: str, login: Login, over: Asking = asking) -> frozenset[Denied]:
    """The literal denials, from any host, that the broker at `host:port` itself answers.

    Raises Transient when it does not answer, PlatformError when it refuses us, Blocked when we may not list them.
    """
    with over(broker, login) as line:
        answer = ask(line, _DESCRIBE_ACLS, 1, struct.pack(">bhbhhbb", _ANY, -1, _ANY, -1, -1, _ANY, _DENY))
        return read_answer(answer, broker, login)


def told_on_cluster(broker: str, login: Login) -> int | None:
    """What the broker at `host:port` says that we may do to the cluster, a bit each (KIP-430); None where it does not.

    0 is no right at all, which librdkafka does not tell from no answer. Raises as `denied_at`, but for Blocked.
    """
    with asking(broker, login) as line:
        nothing_but_the_cluster = struct.pack(">ibbb", 0, 0, 1, 0)
        return _told_on_cluster(ask(line, _METADATA, 8, nothing_but_the_cluster))


def _told_on_cluster(answer: Answer) -> int | None:
    answer.number(4)
    for _ in range(answer.number(4)):
        answer.number(4), answer.text(), answer.number(4), answer.text()
    answer.text(), answer.number(4)
    assert not answer.number(4), "no topic was asked for"
    told = answer.number(4)
    return None if told == _NOT_TOLD else told


def lost(broker: str, login: Login, error: OSError) -> PlatformError:
    """What it means that a broker could not be asked."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = f"{login.name}: {broker}: certificate verify failed: {error.verify_message}"
        return PlatformError(told, hint="correct the CA in the plan file, or the broker's certificate")
    if isinstance(error, socket.gaierror):
        host = broker.rpartition(":")[0]
        hint = (
            f"the name {host} has no address here: see whether it is spelt right, whether whoever writes such names "
            "(ExternalDNS) has written it yet, and whether this machine asks the DNS that knows it"
        )
        return Transient(f"{login.name}: {broker} is not found: {error.strerror}", hint=hint)
    hint = f"check that {broker} can be reached from here, and that it speaks SASL_SSL"
    return Transient(f"{login.name}: asking broker {broker}: {error}", hint=hint)


def signed_in(broker: str, login: Login, timeout_s: float = _TIMEOUT_S) -> ssl.SSLSocket:
    """A connection to the broker at `host:port`. Raises OSError, or PlatformError when it refuses us."""
    host, _, port = broker.rpartition(":")
    context = ssl.create_default_context(cadata=login.ca or None)
    plain = socket.create_connection((host, int(port)), timeout_s)
    try:
        line = context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
    try:
        _sign_in(line, login)
    except BaseException:
        line.close()
        raise
    return line


class Answer:
    """Takes the fields of an answer one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """A signed number of so many bytes."""
        return int.from_bytes(self.take(size), "big", signed=True)

    def text(self) -> str:
        """A string; empty for null."""
        return self.take(max(self.number(2), 0)).decode(errors="replace")

    def count(self) -> int:
        """An unsigned number of variable length (KIP-482)."""
        total, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            total |= (byte & 0x7F) << shift
            if byte < 0x80:
                return total
            shift += 7

    def compact(self) -> str:
        """A string of the flexible versions; empty for null."""
        return self.take(max(self.count() - 1, 0)).decode(errors="replace")

    def skip_tags(self) -> None:
        """Tagged fields, none of which we know."""
        for _ in range(self.count()):
            self.count()
            self.take(self.count())

    def take(self, size: int) -> bytes:
        """So many bytes."""
        self._at += size
        if self._at > len(self._data):
            raise ConnectionError("the broker's answer is too short")
        return self._data[self._at - size : self._at]


def ask(line: ssl.SSLSocket, api: int, version: int, body: bytes, *, flexible: bool = False) -> Answer:
    """Send a request and wait for its answer; the flexible versions have tagged fields in both headers."""
    message = struct.pack(">hhi", api, version, 1) + text("kmigrate") + (b"\0" if flexible else b"") + body
    line.sendall(struct.pack(">i", len(message)) + message)
    size = int.from_bytes(_exactly(line, 4), "big")
    if size > _MOST_BYTES:  # whoever speaks HTTP there would have us make room for more than a gigabyte
        raise ConnectionError(f"an answer of {size} bytes: no broker listens there")
    answer = Answer(_exactly(line, size))
    answer.number(4)
    if flexible:
        answer.skip_tags()
    return answer


def asked_coordinator(name: str, kind: int) -> bytes:
    """FindCoordinator (version 1) for a group (`kind` 0) or a transactional id (1)."""
    return text(name) + struct.pack(">b", kind)


def told_coordinator(answer: Answer) -> tuple[int, str]:
    """What it was answered: Kafka's error, 0 for none, and then the address `host:port`."""
    answer.number(4)
    error = answer.number(2)
    answer.text()
    if error:
        return error, ""
    answer.number(4)
    return 0, f"{answer.text()}:{answer.number(4)}"


def _exactly(line: ssl.SSLSocket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = line.recv(size - len(got))
        if not more:
            raise ConnectionError("the broker closed the connection")
        got += more
    return got


def text(told: str) -> bytes:
    """A string as the older versions write it."""
    return struct.pack(">h", len(told.encode())) + told.encode()


def compact(told: str) -> bytes:
    """A string as the flexible versions write it (KIP-482)."""
    return count(len(told.encode()) + 1) + told.encode()


def listed(items: Collection[bytes]) -> bytes:
    """A list as the flexible versions write it."""
    return count(len(items) + 1) + b"".join(items)


def count(number: int) -> bytes:
    """An unsigned number of variable length; of a list it is one more than its length."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _sign_in(line: ssl.SSLSocket, login: Login) -> None:
    if ask(line, _HANDSHAKE, 1, text(login.mechanism)).number(2):
        raise PlatformError(f"{login.name}: a broker does not take {login.mechanism}", hint="look at its listeners")
    if login.mechanism == "PLAIN":
        _say(line, f"\0{login.username}\0{login.password}".encode(), login)
        return
    user = login.username.replace("=", "=3D").replace(",", "=2C")
    first = f"n={user},r={secrets.token_hex(16)}"
    challenge = _say(line, f"n,,{first}".encode(), login).decode()
    _say(line, _scram_answer(first, challenge, login), login)


def _scram_answer(first: str, challenge: str, login: Login) -> bytes:
    """The client's final message of SCRAM (RFC 5802)."""
    told = dict(part.split("=", 1) for part in challenge.split(","))
    kind = login.mechanism.removeprefix("SCRAM-").replace("-", "").lower()
    salted = hashlib.pbkdf2_hmac(kind, login.password.encode(), base64.b64decode(told["s"]), int(told["i"]))
    key = hmac.digest(salted, b"Client Key", kind)
    final = f"c=biws,r={told['r']}"
    sign = hmac.digest(hashlib.new(kind, key).digest(), f"{first},{challenge},{final}".encode(), kind)
    proof = bytes(a ^ b for a, b in zip(key, sign, strict=True))
    return f"{final},p={base64.b64encode(proof).decode()}".encode()


def _say(line: ssl.SSLSocket, token: bytes, login: Login) -> bytes:
    answer = ask(line, _AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
    error, told = answer.number(2), answer.text()
    if error:
        raise PlatformError(
            f"{login.name}: wrong password for {login.username}: {told}",
            hint=f"check the credentials of {login.username} in the plan file",
        )
    return answer.take(answer.number(4))


def read_answer(answer: Answer, broker: str, login: Login) -> frozenset[Denied]:
    """The denials in an answer to DescribeAcls; raises as `denied_at`, ConnectionError for what is no such answer."""
    answer.number(4)
    error, told = answer.number(2), answer.text()
    if error == _CLUSTER_AUTHORIZATION_FAILED:
        raise Blocked(
            f"{login.name}: listing ACLs: User:{login.username} lacks Describe on the cluster",
            hint=f"grant it: {granting(login, '--operation Describe --cluster')}",
        )
    if error and error != _SECURITY_DISABLED:
        raise PlatformError(
            f"{login.name}: {broker} does not list its ACLs: error {error} {told}", hint="look at the broker's log"
        )
    found: set[Denied] = set()
    for _ in range(answer.number(4)):
        kind, name, pattern = answer.number(1), answer.text(), answer.number(1)
        for _ in range(answer.number(4)):
            principal, host, operation, _type = answer.text(), answer.text(), answer.number(1), answer.number(1)
            if pattern == _LITERAL and host == "*" and kind in _GROUP_OR_TOPIC and operation in _READ_OR_WRITE:
                found.add((principal, _GROUP_OR_TOPIC[kind], name, _READ_OR_WRITE[operation]))
    return frozenset(found)
