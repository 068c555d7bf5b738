"""Asking the coordinators of groups without librdkafka, which a restart of a broker can end the process in.

librdkafka 2.16.0 takes an admin client's OffsetFetch for a consumer's: answered NOT_COORDINATOR or
COORDINATOR_NOT_AVAILABLE it looks for a group that is not there (`rd_kafka_handle_OffsetFetch`, `rd_kafka_cgrp_op`)
and dies of SIGSEGV. Where every broker was away for a moment (KIP-899), the coordinator that an admin client remembers
is a broker that it has given up: what it asks of a group is not answered any more, and the answer that comes after the
deadline ends the process (librdkafka issue 4605: `rd_kafka_enq_once_del_source_return: eonce->refcnt > 0`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from confluent_kafka import KafkaError

from kmigrate.adapters.kafka.lines import Lines
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.wire import FIND_COORDINATOR, Answer, ask, asked_coordinator, told_coordinator
from kmigrate.errors import Transient

T = TypeVar("T")

_API_VERSIONS, _GROUP = 18, 0

# of no use to the caller: the coordinator loads, is away, is another one, could not write in time, has not heard of a
# topic yet, or a transaction is about to move an offset; librdkafka calls no error retriable that we make ourselves
_ASK_AGAIN = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
)


class Told(Exception):
    """A broker answered with an error; `code` is Kafka's."""

    def __init__(self, code: int, doing: str) -> None:
        super().__init__(code)
        self.code = code
        self.doing = doing


class Coordinators:
    """Asks coordinators over connections that stay open; both are looked for again after a failure."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._lines = Lines()
        self._addresses: dict[str, str] = {}
        self._versions: dict[str, dict[int, tuple[int, int]]] = {}
        self._lock = threading.Lock()

    def ask_each(self, groups: Iterable[str], asking: Callable[[str, Sequence[str]], T]) -> list[T]:
        """Have each coordinator (`host:port`) asked once for all of its groups.

        A coordinator that was of no use is looked for again by whoever asks next. Raises Transient when it is worth
        that, Told when a broker refuses.
        """
        with self._lock:
            by_coordinator: dict[str, list[str]] = {}
            for group in groups:
                by_coordinator.setdefault(self._coordinator(group), []).append(group)
            return [self._of_use(coordinator, of, asking) for coordinator, of in by_coordinator.items()]

    def ask(self, broker: str, api: int, version: int, body: bytes, *, flexible: bool = False) -> Answer:
        """Ask a broker at `host:port`."""
        with self._lines.asking(broker, self.login) as line:
            return ask(line, api, version, body, flexible=flexible)

    def knows(self, broker: str, api: int, version: int) -> bool:
        """Whether the broker takes that version of a request; brokers hang up on what they do not know."""
        if broker not in self._versions:
            answer = self.ask(broker, _API_VERSIONS, 0, b"")
            self.good(answer.number(2), "versions of requests")
            read = [(answer.number(2), answer.number(2), answer.number(2)) for _ in range(answer.number(4))]
            self._versions[broker] = {key: (least, most) for key, least, most in read}
        least, most = self._versions[broker].get(api, (0, -1))
        return least <= version <= most

    def good(self, code: int, doing: str) -> None:
        """Raise for a code of Kafka's that is not 0."""
        if code in _ASK_AGAIN:
            raise Transient(f"{self.login.name}: {doing}: {KafkaError(code).str()}")
        if code:
            raise Told(code, doing)

    def sign_in(self) -> None:
        """Sign in at the first address that answers: librdkafka waits long and does not say what is wrong.

        Raises Unreachable when nobody answers within 10 s, or 4 s for each of several addresses; PlatformError for a
        wrong password or certificate.
        """
        addresses = self.login.bootstrap.split(",")
        failed: Transient | None = None
        for broker in addresses:
            try:
                with self._lines.asking(broker, self.login, 10.0 if len(addresses) == 1 else 4.0):
                    return
            except Transient as error:
                failed = error
        raise failed or Transient(f"{self.login.name}: no address to connect to")

    def close(self) -> None:
        """Close what was opened."""
        self._lines.close()

    def _of_use(self, coordinator: str, groups: Sequence[str], asking: Callable[[str, Sequence[str]], T]) -> T:
        try:
            return asking(coordinator, groups)
        except Transient as error:
            for group in groups:
                self._addresses.pop(group, None)
            self._versions.pop(coordinator, None)
            # another broker may be the coordinator by now, so this one's silence is worth asking again
            raise Transient(error.message, hint=error.hint) from error

    def _coordinator(self, group: str) -> str:
        """The address of who keeps the group, as it was told last."""
        if group not in self._addresses:
            self._addresses[group] = self._look_for(group)
        return self._addresses[group]

    def _look_for(self, group: str) -> str:
        failed: Transient | None = None
        for broker in self.login.bootstrap.split(","):
            try:
                answer = self.ask(broker.strip(), FIND_COORDINATOR, 1, asked_coordinator(group, _GROUP))
            except Transient as error:
                failed = error
                continue
            code, address = told_coordinator(answer)
            self.good(code, f"looking for the coordinator of group {group}")
            return address
        raise failed or Transient(f"{self.login.name}: no address to ask for the coordinator of group {group}")
