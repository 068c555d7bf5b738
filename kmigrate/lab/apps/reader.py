"""A consumer that notes what it processed before it commits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kmigrate.lab.apps.audit import AuditFile, Stop
from kmigrate.lab.apps.records import Seen
from kmigrate.lab.apps.settings import Config, Settings
from kmigrate.lab.apps.writer import error_of

LOOK_S = 0.2
REPLY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an application reads and how; `batch` records at most, at most every `every_s` seconds."""

    app: str
    group: str
    topic: str
    isolation: str = "read_committed"
    reset: str = "earliest"
    batch: int = 500
    every_s: float = 0.0
    extra: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def incremental(self) -> bool:
        """Whether partitions are added and taken one by one (KIP-848) instead of all at once."""
        return self.extra.get("group.protocol") == "consumer"

    def config(self, settings: Settings) -> Config:
        """What librdkafka is told: manual commits, small queues, a session of 6 s where the client may say so."""
        config = settings.client(self.app) | {
            "group.id": self.group,
            "enable.auto.commit": False,
            "isolation.level": self.isolation,
            "auto.offset.reset": self.reset,
            "queued.min.messages": 2000,
            "queued.max.messages.kbytes": 2048,
            "fetch.message.max.bytes": 262144,
        }
        if not self.incremental:
            config |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000}
        return config | dict(self.extra)


class Reader:
    """One member of a group; every assigned partition gets an explicit committed position before it is read."""

    def __init__(self, settings: Settings, reading: Reading, audit: AuditFile) -> None:
        self._reading = reading
        self._audit = audit
        config: dict[str, object] = {**reading.config(settings), "error_cb": self._fault}
        self._consumer = Consumer(config)
        self._consumer.subscribe([reading.topic], on_assign=self._assigned, on_revoke=self._revoked)
        self._partitions: set[str] = set()

    @property
    def consumer(self) -> Consumer:
        """The client itself, for its group metadata."""
        return self._consumer

    def poll(self) -> list[Seen]:
        """The next batch, empty when nothing came for a tenth of a second; raises KafkaException on a fatal error."""
        batch: list[Seen] = []
        for message in self._consumer.consume(self._reading.batch, LOOK_S):
            if error := message.error():
                self._fault(error)
            else:
                batch.append(Seen.of(message))
        self._audit.alive(len(self._partitions))
        return batch

    def note(self, batch: Sequence[Seen], **more: int) -> None:
        """Write down that these records were processed, before their positions are committed."""
        for seen in batch:
            self._audit.add(
                "processed",
                topic=seen.topic,
                partition=seen.partition,
                offset=seen.offset,
                id=seen.id,
                key=seen.key,
                seq=seen.seq,
                **more,
            )
        self._audit.flush()

    def commit(self, batch: Sequence[Seen]) -> None:
        """Commit the positions behind a batch; a failure is noted, the next commit covers it."""
        positions = positions_after(batch)
        try:
            self._consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as failure:
            self._fault(error_of(failure))
            return
        self._audit.add("committed", offsets=_named(positions))
        self._audit.flush()
        self._audit.well()

    def rewind(self) -> None:
        """Go back to the committed positions, after a batch whose outcome is not known."""
        positions = self._consumer.committed(self._consumer.assignment(), timeout=REPLY_S)
        for stands in positions:
            self._consumer.seek(stands)
        self._audit.add("assigned", positions=_named(positions))
        self._audit.flush()

    def close(self) -> None:
        """Leave the group; everything processed was committed before."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        positions = consumer.committed(partitions, timeout=REPLY_S)
        fresh = [self._first(consumer, stands) for stands in positions if stands.offset < 0]
        if fresh:
            consumer.commit(offsets=fresh, asynchronous=False)
        known = [stands for stands in positions if stands.offset >= 0] + fresh
        starts = [TopicPartition(stands.topic, stands.partition, stands.offset) for stands in known]
        self._partitions |= set(_named(starts))
        self._audit.add("assigned", positions=_named(starts))
        self._audit.flush()
        if self._reading.incremental:
            consumer.incremental_assign(starts)
        else:
            consumer.assign(starts)
        self._audit.well()

    def _first(self, consumer: Consumer, stands: TopicPartition) -> TopicPartition:
        low, high = consumer.get_watermark_offsets(stands, timeout=REPLY_S, cached=False)
        return TopicPartition(stands.topic, stands.partition, low if self._reading.reset == "earliest" else high)

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._partitions -= set(_named(partitions))
        self._audit.add("revoked", partitions=sorted(_named(partitions)))
        self._audit.flush()

    def _fault(self, error: KafkaError) -> None:
        self._audit.error(error.name(), error.str())
        # A fatal error comes as an exception, or as a message that has lost its mark.
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise KafkaException(error)


def positions_after(batch: Sequence[Seen]) -> list[TopicPartition]:
    """The positions to commit once the batch is processed."""
    behind: dict[tuple[str, int], int] = {}
    for seen in batch:
        behind[seen.topic, seen.partition] = seen.offset + 1
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in behind.items()]


def _named(partitions: Sequence[TopicPartition]) -> dict[str, int]:
    return {f"{entry.topic}/{entry.partition}": entry.offset for entry in partitions}


def run_reader(folder: Path, reading: Reading) -> int:
    """Process and commit until SIGTERM; 0 after a clean end, 1 when the client cannot go on."""
    stop = Stop()
    settings = Settings.read(folder)
    audit = AuditFile(folder, settings.bootstrap)
    audit.add(
        "started",
        app=reading.app,
        run=audit.run,
        reads=[reading.topic],
        writes=[],
        group=reading.group,
        isolation=reading.isolation,
    )
    audit.flush()
    reader = Reader(settings, reading, audit)
    try:
        while not stop:
            began = time.monotonic()
            if batch := reader.poll():
                reader.note(batch)
                reader.commit(batch)
            stop.wait_until(began + reading.every_s)
    except KafkaException as failure:
        audit.error(error_of(failure).name(), error_of(failure).str())
        audit.close("failed")
        return 1
    reader.close()
    audit.close("asked")
    return 0
