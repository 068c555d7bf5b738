"""Positions of groups, asked of their coordinators without librdkafka.

librdkafka 2.16.0 takes an admin client's OffsetFetch for a consumer's: answered NOT_COORDINATOR or
COORDINATOR_NOT_AVAILABLE it looks for a group that is not there (`rd_kafka_handle_OffsetFetch`, `rd_kafka_cgrp_op`)
and the process ends with SIGSEGV. Every restart of a broker can do that.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Mapping, Sequence
from itertools import groupby

from confluent_kafka import KafkaError

from kmigrate.adapters.kafka.lines import Lines
from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.wire import (
    FIND_COORDINATOR,
    Answer,
    ask,
    asked_coordinator,
    compact,
    count,
    told_coordinator,
)
from kmigrate.errors import Transient
from kmigrate.model import Partition

_OFFSET_FETCH = 9
_GROUP = 0


class Told(Exception):
    """A broker answered with an error; `code` is Kafka's."""

    def __init__(self, code: int, doing: str) -> None:
        super().__init__(code)
        self.code = code
        self.doing = doing


class Offsets:
    """Asks coordinators over connections that stay open; both are looked for again after a failure."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lines = Lines()
        self._coordinators: dict[str, str] = {}
        self._lock = threading.Lock()

    def committed(
        self, wanted: Mapping[str, Sequence[Partition] | None], *, stable: bool = True
    ) -> dict[str, dict[Partition, int]]:
        """Committed offsets by group, below zero where there is none; of all partitions for None. Empty if not there.

        Each coordinator is asked once for all of its groups (KIP-709). With `stable` (KIP-447) a transaction that is
        about to move one makes it worth asking again. Raises Transient when it is, Told when the broker refuses.
        """
        with self._lock:
            by_coordinator: dict[str, list[str]] = {}
            for group in wanted:
                by_coordinator.setdefault(self._coordinator(group), []).append(group)
            found: dict[str, dict[Partition, int]] = {}
            for coordinator, groups in by_coordinator.items():
                body = _asked({group: wanted[group] for group in groups}, stable=stable)
                try:
                    found |= self._read(self._ask(coordinator, _OFFSET_FETCH, 8, body, flexible=True))
                except Transient:
                    for group in groups:
                        self._coordinators.pop(group, None)
                    raise
            return found

    def sign_in(self) -> None:
        """Sign in at the first address that answers: librdkafka waits long and does not say what is wrong.

        Raises Unreachable when nobody answers within 10 s, or 4 s for each of several addresses; PlatformError for a
        wrong password or certificate.
        """
        addresses = self._login.bootstrap.split(",")
        failed: Transient | None = None
        for broker in addresses:
            try:
                with self._lines.asking(broker, self._login, 10.0 if len(addresses) == 1 else 4.0):
                    return
            except Transient as error:
                failed = error
        raise failed or Transient(f"{self._login.name}: no address to connect to")

    def close(self) -> None:
        """Close what was opened."""
        self._lines.close()

    def _coordinator(self, group: str) -> str:
        """The address of who keeps the group's positions, as it was told last."""
        if group not in self._coordinators:
            self._coordinators[group] = self._look_for(group)
        return self._coordinators[group]

    def _look_for(self, group: str) -> str:
        failed: Transient | None = None
        for broker in self._login.bootstrap.split(","):
            try:
                answer = self._ask(broker.strip(), FIND_COORDINATOR, 1, asked_coordinator(group, _GROUP))
            except Transient as error:
                failed = error
                continue
            code, address = told_coordinator(answer)
            self._good(code, f"looking for the coordinator of group {group}")
            return address
        raise failed or Transient(f"{self._login.name}: no address to ask for the coordinator of group {group}")

    def _read(self, answer: Answer) -> dict[str, dict[Partition, int]]:
        answer.number(4)
        return dict(self._read_group(answer) for _ in range(answer.count() - 1))

    def _read_group(self, answer: Answer) -> tuple[str, dict[Partition, int]]:
        group = answer.compact()
        doing = f"positions of group {group}"
        found: dict[Partition, int] = {}
        for _ in range(answer.count() - 1):
            topic = answer.compact()
            for _ in range(answer.count() - 1):
                partition, offset, _epoch = Partition(topic, answer.number(4)), answer.number(8), answer.number(4)
                answer.compact()
                self._good(answer.number(2), f"{doing} in {partition}")
                answer.skip_tags()
                found[partition] = offset
            answer.skip_tags()
        error = answer.number(2)
        answer.skip_tags()
        if error != KafkaError.GROUP_ID_NOT_FOUND:
            self._good(error, doing)
        return group, found

    def _good(self, code: int, doing: str) -> None:
        if code in _ASK_AGAIN:
            raise Transient(f"{self._login.name}: {doing}: {KafkaError(code).str()}")
        if code:
            raise Told(code, doing)

    def _ask(self, broker: str, api: int, version: int, body: bytes, *, flexible: bool = False) -> Answer:
        with self._lines.asking(broker, self._login) as line:
            return ask(line, api, version, body, flexible=flexible)


# of no use to the caller: the coordinator loads, is away, is another one, or a transaction is about to move an offset
_ASK_AGAIN = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
)


def _asked(wanted: Mapping[str, Sequence[Partition] | None], *, stable: bool) -> bytes:
    """OffsetFetch, version 8: groups, each with its topics or null for all of them."""
    groups = (compact(group) + _topics(of) + b"\0" for group, of in wanted.items())
    return count(len(wanted) + 1) + b"".join(groups) + (b"\1\0" if stable else b"\0\0")


def _topics(partitions: Sequence[Partition] | None) -> bytes:
    if partitions is None:
        return b"\0"
    topics = [(topic, list(each)) for topic, each in groupby(sorted(partitions), key=lambda p: p.topic)]
    listed = (
        compact(topic) + count(len(each) + 1) + b"".join(struct.pack(">i", p.number) for p in each) + b"\0"
        for topic, each in topics
    )
    return count(len(topics) + 1) + b"".join(listed)
