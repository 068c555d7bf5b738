"""Producers that note what they hand over and what became of it."""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kmigrate.lab.apps.audit import AuditFile, Stop
from kmigrate.lab.apps.records import Draft
from kmigrate.lab.apps.settings import Config

CALL_S = 0.5
HANGS_S = 15
RENEW_S = 1.0
NEVER_SENT = (KafkaError._PURGE_QUEUE, KafkaError._QUEUE_FULL)


def error_of(failure: KafkaException) -> KafkaError:
    """The Kafka error inside an exception of confluent_kafka."""
    error = failure.args[0]
    return error if isinstance(error, KafkaError) else KafkaError(KafkaError._FAIL)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Notes the delivery report of one record; a broker's no is certain, a local time-out is not."""

    audit: AuditFile
    id: str
    tx: int | None
    failures: list[KafkaError]

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        """Write the report down, as librdkafka makes it."""
        more = {} if self.tx is None else {"tx": self.tx}
        topic, partition, offset = message.topic() or "", message.partition(), message.offset()
        if error is None:
            # Within a transaction the commit is what counts, and one line for it is enough.
            if self.tx is None:
                self.audit.add("acked", topic=topic, id=self.id, partition=partition, offset=offset)
            self.audit.well()
            return
        self.failures.append(error)
        certain = error.code() > 0 or error.code() in NEVER_SENT
        self.audit.add("refused" if certain else "unknown", topic=topic, id=self.id, code=error.name(), **more)
        self.audit.error(error.name(), error.str())


class Writer:
    """Sends drafts with one idempotent producer; makes a new one when the old one cannot go on."""

    def __init__(self, config: Config, topic: str, audit: AuditFile) -> None:
        self._config = config
        self._topic = topic
        self._audit = audit
        self._failures: list[KafkaError] = []
        self._broken = False
        self._renewed = time.monotonic()
        self._producer = Producer({**config, "error_cb": self._fault})

    def send(self, drafts: Iterable[Draft], tx: int | None = None) -> None:
        """Write the drafts down, then hand them over in order."""
        if self._broken:
            self._renew()
        held = list(drafts)
        self._failures.clear()
        more = {} if tx is None else {"tx": tx}
        for draft in held:
            self._audit.add("produced", topic=self._topic, id=draft.id, key=draft.key, seq=draft.seq, **more)
        self._audit.flush()
        for draft in held:
            self._hand_over(draft, tx)

    def settle(self, timeout_s: float) -> int:
        """Wait for delivery reports; how many records are still without one."""
        return self._reports(lambda: self._producer.flush(timeout_s))

    def look(self) -> None:
        """Take the delivery reports that are there."""
        self._reports(lambda: self._producer.poll(0))

    def close(self) -> None:
        """Give up what has no report after a moment; it is noted as refused or unknown."""
        if self.settle(CALL_S):
            self._give_up()

    def _reports(self, call: Callable[[], int]) -> int:
        # librdkafka raises a fatal error out of whatever call comes next; the reports of the others still come.
        try:
            left = call()
        except KafkaException as failure:
            self._fault(error_of(failure))
            left = len(self._producer)
        self._audit.flush()
        return left

    def _give_up(self) -> None:
        self._producer.purge()
        self.settle(CALL_S)

    def _hand_over(self, draft: Draft, tx: int | None) -> None:
        delivery = Delivery(self._audit, draft.id, tx, self._failures)
        try:
            self._producer.produce(
                self._topic,
                value=draft.value,
                key=draft.key,
                partition=draft.partition,
                on_delivery=delivery,
                timestamp=draft.timestamp,
                headers=draft.headers,
            )
        except BufferError:
            self._refuse(draft, tx, KafkaError(KafkaError._QUEUE_FULL))
            self._producer.poll(0)
        except KafkaException as failure:
            self._refuse(draft, tx, error_of(failure))
            self._broken |= error_of(failure).fatal() or error_of(failure).code() == KafkaError._FATAL

    def _refuse(self, draft: Draft, tx: int | None, error: KafkaError) -> None:
        self._failures.append(error)
        more = {} if tx is None else {"tx": tx}
        self._audit.add("refused", topic=self._topic, id=draft.id, code=error.name(), **more)
        self._audit.error(error.name(), error.str())

    def _renew(self) -> None:
        """Replace a broken producer, at most once a second: what broke the last one may last."""
        if time.monotonic() < self._renewed + RENEW_S:
            return
        self._give_up()
        self._producer = Producer({**self._config, "error_cb": self._fault})
        self._renewed = time.monotonic()
        self._broken = False

    def _fault(self, error: KafkaError) -> None:
        self._broken |= error.fatal()
        self._audit.error(error.name(), error.str())


class TransactionLostError(Exception):
    """The transaction did not commit, or nobody can say; the producer is ready for the next one."""


class TransactionalWriter(Writer):
    """Sends drafts in transactions, numbered 1, 2, 3 … within a run of the application."""

    def __init__(self, config: Config, topic: str, audit: AuditFile, stop: Stop) -> None:
        super().__init__(config, topic, audit)
        self._stop = stop
        self._ready = False
        self._tx = 0

    def ready(self) -> bool:
        """Whether transactions may begin: what an earlier run or producer left open is ended by now."""
        if self._broken:
            self._ready = False
            self._renew()
        if not self._ready and not self._broken:
            try:
                self._producer.init_transactions(CALL_S)
            except KafkaException as failure:
                if not error_of(failure).retriable():
                    self._lose(error_of(failure))
                return False
            self._ready = True
        return self._ready

    def begin(self) -> int | None:
        """Open a transaction; its number, or None when the cluster does not let us yet."""
        if not self.ready():
            return None
        try:
            self._producer.begin_transaction()
        except KafkaException as failure:
            self._lose(error_of(failure))
            return None
        self._tx += 1
        return self._tx

    def commit(self, positions: Sequence[TopicPartition] = (), consumer: Consumer | None = None) -> None:
        """Commit, with the consumer's positions if given; raises TransactionLostError when it did not commit."""
        committing = False
        try:
            if consumer is not None:
                self._hand_in(positions, consumer)
            # librdkafka commits a transaction all of whose records were refused for want of a right, without a word.
            if self.settle(CALL_S * 10) == 0 and not self._failures:
                committing = True
                self._commit()
        except KafkaException as failure:
            self._end_badly(error_of(failure), unknown=committing)
        if not committing:
            self._end_badly(self._failures[0] if self._failures else KafkaError(KafkaError._TIMED_OUT), unknown=False)
        offsets = {f"{entry.topic}/{entry.partition}": entry.offset for entry in positions}
        self._audit.add("committed", tx=self._tx, offsets=offsets)
        self._audit.flush()
        self._audit.well()

    def abort(self) -> None:
        """Let the broker see the records, then take them back; raises TransactionLostError when it cannot be said."""
        # Without the flush the broker has seen nothing and answers INVALID_TXN_STATE.
        self.settle(CALL_S * 10)
        try:
            self._producer.abort_transaction(CALL_S * 10)
        except KafkaException as failure:
            self._lose(error_of(failure))
        # A transaction that was never asked to commit cannot become visible, whatever abort answered.
        self._audit.add("aborted", tx=self._tx)
        self._audit.flush()

    def _hand_in(self, positions: Sequence[TopicPartition], consumer: Consumer) -> None:
        # The call ignores its time-out once the group's coordinator went away (librdkafka issue 5456, open in 2.16):
        # it can hang for ever. Then the process ends, and the next one ends the transaction.
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        try:
            metadata = consumer.consumer_group_metadata()
            self._producer.send_offsets_to_transaction(list(positions), metadata, CALL_S * 10)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(CALL_S)
            except KafkaException as failure:
                if not error_of(failure).retriable() or self._stop:
                    raise
            else:
                return

    def _end_badly(self, error: KafkaError, *, unknown: bool) -> None:
        certain = not unknown or error.txn_requires_abort()
        if error.fatal() or not certain:
            self._lose(error)
        else:
            self._audit.error(error.name(), error.str())
            try:
                self._producer.abort_transaction(CALL_S * 4)
            except KafkaException as failure:
                self._lose(error_of(failure))
        self._audit.add("aborted" if certain else "unknown", tx=self._tx)
        self._audit.flush()
        raise TransactionLostError(error.str())

    def _lose(self, error: KafkaError) -> None:
        """Start over with a new producer, which fences this one and aborts what it left open."""
        self._audit.error(error.name(), error.str())
        self._broken = True


def producer_config(config: Config, transactional_id: str = "") -> Config:
    """Idempotent (KIP-98), Java's partitioner, 20 ms linger; transactions of at most a minute when an id is given."""
    config = config | {
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": 20,
        "message.timeout.ms": 30_000,
    }
    if transactional_id:
        config |= {"transactional.id": transactional_id, "transaction.timeout.ms": 60_000}
    return config
