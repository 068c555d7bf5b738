"""Writers and readers with real clients, and whole logs by record identity."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from two_clusters import READER, WRITER, OneCluster

from kmigrate.errors import Transient

COMMITTED, UNCOMMITTED = "read_committed", "read_uncommitted"
_BATCH = 20
_PATIENCE_S = 30.0
_OUTAGE_S = 90.0
"""How long a writer bears a broker that was killed and comes back."""

# a broker that was killed and comes back does not know yet what a client knows of it
_COMING_BACK = (KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION)

Identity = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A record in a log: where it lies, and what makes it the same record on the other side."""

    offset: int
    identity: Identity


Log = dict[int, tuple[Seen, ...]]


def whole_log(cluster: OneCluster, topic: str, isolation: str = COMMITTED) -> Log:
    """Every record visible now, by partition, in order."""
    consumer = Consumer(
        {
            **cluster.client(READER),
            "group.id": "reads-without-a-group",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        partitions = len(consumer.list_topics(topic, timeout=_PATIENCE_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        return _read_to_ends(consumer, partitions)
    finally:
        consumer.close()


def _read_to_ends(consumer: Consumer, partitions: int) -> Log:
    found: dict[int, list[Seen]] = {number: [] for number in range(partitions)}
    open_ones = set(found)
    while open_ones:
        message = consumer.poll(_PATIENCE_S)
        assert message is not None, f"no record and no end of {sorted(open_ones)}"
        number, error = int(message.partition() or 0), message.error()
        if error is None:
            found[number].append(seen(message))
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error.str()
            open_ones.discard(number)
    return {number: tuple(records) for number, records in found.items()}


def seen(message: Message) -> Seen:
    _, time_ms = message.timestamp()
    sent = message.headers() or []
    headers = tuple((name, _bytes(value)) for name, value in (sent.items() if isinstance(sent, dict) else sent))
    return Seen(int(message.offset() or 0), (time_ms, _bytes(message.key()), _bytes(message.value()), headers))


def _bytes(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part


def identities(log: Log) -> dict[int, list[Identity]]:
    """The log without its offsets: equal on both sides when nothing is lost, doubled or out of order."""
    return {number: [record.identity for record in records] for number, records in log.items()}


def values(log: Log) -> dict[int, list[bytes]]:
    return {number: [record.identity[2] or b"" for record in records] for number, records in log.items()}


def count(log: Mapping[int, Sequence[object]]) -> int:
    return sum(len(records) for records in log.values())


def uncommitted(cluster: OneCluster, topic: str) -> int:
    """Records that only a read_uncommitted reader is given: of aborted transactions, and of open ones."""
    return count(whole_log(cluster, topic, UNCOMMITTED)) - count(whole_log(cluster, topic))


def doubled(log: Mapping[int, Iterable[bytes]]) -> int:
    """Records that stand there once more than they should; every value is written once."""
    return sum(times - 1 for records in log.values() for times in Counter(records).values())


def ends(cluster: OneCluster, topic: str, partitions: int, isolation: str = COMMITTED) -> dict[int, int]:
    """End offset by partition: the last stable offset, or the high watermark for UNCOMMITTED."""
    return Ends(cluster, topic, partitions).at(isolation)


class Ends:
    """Ends of a topic, asked with a warm client."""

    def __init__(self, cluster: OneCluster, topic: str, partitions: int) -> None:
        self.cluster = cluster
        self._admin = AdminClient(cluster.client(READER))
        self._wanted = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(partitions)}

    def at(self, isolation: str = COMMITTED) -> dict[int, int]:
        level = IsolationLevel.READ_COMMITTED if isolation == COMMITTED else IsolationLevel.READ_UNCOMMITTED
        asked = self._admin.list_offsets(self._wanted, isolation_level=level, request_timeout=_PATIENCE_S)
        try:
            return {tp.partition: int(future.result(_PATIENCE_S).offset) for tp, future in asked.items()}
        except KafkaException as error:
            if error.args[0].code() not in _COMING_BACK:
                raise
            raise Transient(f"{self.cluster} is coming back: {error}") from error

    def is_open(self) -> bool:
        """Whether a transaction is open that has written something."""
        stable = self.at(COMMITTED)
        return any(high > stable[number] for number, high in self.at(UNCOMMITTED).items())


def write(cluster: OneCluster, topic: str, records: Mapping[int, Sequence[bytes]], user: str = WRITER) -> None:
    """Write these values, in order, and wait until every one is acknowledged."""
    producer = Producer({**cluster.client(user), "enable.idempotence": True, "linger.ms": 0})
    refused: list[str] = []
    for number, chosen in records.items():
        for value in chosen:
            producer.produce(
                topic,
                value,
                key=value[-1:],
                partition=number,
                on_delivery=lambda e, _: refused.append(str(e)) if e else None,
            )
    assert producer.flush(_PATIENCE_S) == 0
    assert not refused, refused


def numbered(prefix: str, partitions: Iterable[int], each: int) -> dict[int, list[bytes]]:
    """Values that occur nowhere else."""
    return {number: [f"{prefix}-{number}-{n}".encode() for n in range(each)] for number in partitions}


@dataclass(slots=True, kw_only=True)
class Writer:
    """Writes to every partition in turn until it is stopped; `written` keeps what counts, by partition, in order.

    Plain: what was acknowledged. With a `transactional_id`: what was committed; each tenth transaction is aborted.
    With `twins` every tenth record is written twice, equal in time, key, value and headers.
    """

    cluster: OneCluster
    topic: str
    partitions: int
    prefix: str = "live"
    rate: int = 400
    transactional_id: str = ""
    twins: bool = False
    written: dict[int, list[bytes]] = field(default_factory=dict)
    failure: BaseException | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _sent: int = 0
    _part: dict[int, list[bytes]] = field(default_factory=dict)
    _refused: list[str] = field(default_factory=list)

    def start(self) -> Writer:
        self.written = {number: [] for number in range(self.partitions)}
        self._thread = threading.Thread(target=self._run, name=f"writer of {self.topic}")
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it, with everything acknowledged; raises what went wrong in it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_OUTAGE_S)
        if self.failure is not None:
            raise self.failure

    def await_written(self, more: int) -> None:
        """Wait until that many more records count."""
        goal, end = self.total + more, time.monotonic() + _PATIENCE_S
        while self.total < goal and self.failure is None:
            assert time.monotonic() < end, f"{self.topic}: {self.total} of {goal} records written"
            self._stopped.wait(0.01)

    @property
    def total(self) -> int:
        return count(self.written)

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:
            self.failure = error

    def _write(self) -> None:
        settings = {**self.cluster.client(WRITER), "enable.idempotence": True, "linger.ms": 2}
        if self.transactional_id:
            settings["transactional.id"] = self.transactional_id
        producer = Producer(settings)
        if self.transactional_id:
            producer.init_transactions(_PATIENCE_S)
        turn = 0
        while not self._stopped.wait(_BATCH / self.rate):
            turn += 1
            self._one_batch(producer, abort=bool(self.transactional_id) and turn % 10 == 0)
        assert producer.flush(_PATIENCE_S) == 0

    def _one_batch(self, producer: Producer, *, abort: bool) -> None:
        self._part = {number: [] for number in range(self.partitions)}
        if self.transactional_id:
            producer.begin_transaction()
        for _ in range(_BATCH):
            self._produce(producer)
        assert producer.flush(_OUTAGE_S) == 0
        assert not self._refused, self._refused
        if abort:
            _bearing_outages(producer.abort_transaction)
            return
        if self.transactional_id:
            _bearing_outages(producer.commit_transaction)
        for number, records in self._part.items():
            self.written[number].extend(records)

    def _produce(self, producer: Producer) -> None:
        n, now = self._sent, time.time_ns() // 1_000_000
        self._sent += 1
        number = n % self.partitions
        for _ in range(2 if self.twins and n % 10 == 0 else 1):
            producer.produce(
                self.topic,
                f"{self.prefix}-{n}",
                key=None if n % 7 == 0 else f"key-{n % 13}",
                partition=number,
                timestamp=now,
                headers=[("n", str(n % 5).encode())],
                on_delivery=self._delivered,
            )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refused.append(error.name())
        else:
            self._part[int(message.partition() or 0)].append(_bytes(message.value()) or b"")


def _bearing_outages(end: Callable[[float], object]) -> None:
    """Ask for the end of a transaction again as long as the same request may still be answered."""
    deadline = time.monotonic() + _OUTAGE_S
    while True:
        try:
            end(_PATIENCE_S)
        except KafkaException as failure:
            if not failure.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return


def read_with_group(
    cluster: OneCluster, topic: str, group: str, *, at_least: int | None, isolation: str = COMMITTED
) -> dict[int, list[bytes]]:
    """Read with a consumer group from where it stands, commit, leave the group.

    Until every partition has given something and `at_least` records came; with None until the end of every partition.
    """
    consumer = Consumer(
        {
            **cluster.client(READER),
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        partitions = len(consumer.list_topics(topic, timeout=_PATIENCE_S).topics[topic].partitions)
        consumer.subscribe([topic])
        found = _consume(consumer, partitions, at_least)
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return found


def _consume(consumer: Consumer, partitions: int, at_least: int | None) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {number: [] for number in range(partitions)}
    finished: set[int] = set()
    while len(finished) < partitions if at_least is None else count(found) < at_least or not all(found.values()):
        message = consumer.poll(_PATIENCE_S)
        assert message is not None, f"no record and no end; so far {count(found)} records"
        number, error = int(message.partition() or 0), message.error()
        if error is None:
            found[number].append(_bytes(message.value()) or b"")
            finished.discard(number)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error.str()
            finished.add(number)
    return found
