"""The ledger topic on a real cluster.

A line a transaction would cost 33 ms, most of it waiting for the markers of the one before (measured: librdkafka 2.16,
one broker; 1 ms within an open one). So a transaction stays open while lines come one after the other, and is committed
once none came for a while. A line counts from when the brokers have it: whoever reads takes uncommitted ones too, and
the next writer writes those again that its own beginning aborted, before a cleaner could take them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kmigrate.adapters.claims import CLAIM, LINE, Fenced, Holder, Kept, read_kept
from kmigrate.adapters.kafka import Connection
from kmigrate.adapters.kafka.connection import failure
from kmigrate.adapters.tail import Tail, look_for
from kmigrate.errors import JournalError, KmigrateError, PlatformError, Transient

_CALL_S = 15.0
_DELIVERY_MS = 20_000
_TRANSACTION_MS = 60_000
_IDLE_S = 3.0
_MOST_BYTES = 16_777_216
_SILENT = logging.Logger("kmigrate.ledger")  # librdkafka prints fatal errors; we raise them
_SILENT.addHandler(logging.NullHandler())
_OTHERS = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


class KafkaLedgerTopic:
    """One partition of a topic that is there (adapters.claims.LedgerTopic); committed after `idle_s` without a line."""

    def __init__(self, connection: Connection, topic: str, transactional_id: str, *, idle_s: float = _IDLE_S) -> None:
        self._connection, self._topic, self._id, self._idle_s = connection, topic, transactional_id, idle_s
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._open = False
        self._idle: threading.Timer | None = None
        self._failed: KmigrateError | None = None

    def read(self) -> Kept:
        """Read the whole topic, uncommitted records too."""
        return self._read(committed=False)

    def fence(self) -> Kept:
        """Take over the transactional id, read everything, and write again what an earlier writer could not commit."""
        self._producer = Producer(
            {
                **self._connection.login.settings(),
                "transactional.id": self._id,
                "transaction.timeout.ms": _TRANSACTION_MS,
                "delivery.timeout.ms": _DELIVERY_MS,
                "message.max.bytes": _MOST_BYTES,
                "linger.ms": 0,
                "logger": _SILENT,
            }
        )
        with self._said("claiming the migration"):
            # connected to nobody yet, librdkafka looks for the coordinator half a second later
            self._producer.list_topics(self._topic, _CALL_S)
            self._producer.init_transactions(_CALL_S)
        kept, committed = self.read(), self._read(committed=True)
        for number in sorted(kept.lines.keys() - committed.lines.keys()):
            self._write(_key(number), kept.lines[number])
        self._commit()
        self._raise_failed()
        return kept

    def claim(self, holder: Holder) -> None:
        """Write the claim in a transaction of its own."""
        self._commit()
        self._write(CLAIM, holder.written())
        self._commit()
        self._raise_failed()

    def append(self, number: int, line: str) -> None:
        """Write within the open transaction; it is committed once nothing came for a while."""
        self._write(_key(number), line)
        self._rest()

    def close(self) -> None:
        """Commit what is open."""
        if self._idle is not None:
            self._idle.cancel()
        self._commit()
        self._producer = None

    def _rest(self) -> None:
        """Commit when nothing more comes: a transaction that stays open for a minute is ended by the brokers."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(self._idle_s, self._commit)
        self._idle.daemon = True
        self._idle.start()

    def _write(self, key: bytes, value: str) -> None:
        self._raise_failed()
        assert self._producer is not None, "nobody writes before the migration is claimed"
        undelivered: list[KafkaError] = []

        def heard(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                undelivered.append(error)

        with self._lock, self._said("writing to the ledger"):
            if not self._open:
                self._producer.begin_transaction()
                self._open = True
            self._producer.produce(self._topic, key=key, value=value.encode(), partition=0, on_delivery=heard)
            left = self._producer.flush(_CALL_S)
        if undelivered:
            self._failed = self._told(undelivered[0], "writing to the ledger")
        elif left:
            self._failed = Transient(f"target: writing to the ledger: no answer in {_CALL_S:.0f} s")
        self._raise_failed()

    def _commit(self) -> None:
        """Also called by the timer, where nobody would hear an error: the next line tells it."""
        with self._lock:
            if self._open and self._producer is not None and self._failed is None:
                self._open = False
                with suppress(JournalError, PlatformError), self._said("committing to the ledger"):
                    self._producer.commit_transaction(_CALL_S)

    def _raise_failed(self) -> None:
        if self._failed is not None:
            raise self._failed

    @contextmanager
    def _said(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (KafkaException, SystemError) as error:
            # a fatal error is raised while callbacks still run: the first one called turns it into a SystemError
            told = error if isinstance(error, KafkaException) else error.__cause__
            if not isinstance(told, KafkaException):
                raise
            self._failed = self._told(told.args[0], doing)
            raise self._failed from error

    def _told(self, error: KafkaError, doing: str) -> KmigrateError:
        if error.code() in _OTHERS:
            return Fenced(f"target: {doing}: {error.str()}")
        told = failure(error, f"target: {doing}", self._connection.login)
        return Transient(told.message, hint=told.hint)

    def _read(self, *, committed: bool) -> Kept:
        seen = look_for(self._connection, self._topic)
        if seen is None:
            raise Transient(f"target: the ledger topic {self._topic} is not there")
        with closing(Tail(self._connection, self._topic, seen.beginning(), committed=committed)) as tail:
            return read_kept((message.key(), message.value()) for message in tail.news())


def _key(number: int) -> bytes:
    return LINE + f"{number:010d}".encode()
