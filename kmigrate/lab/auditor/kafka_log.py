"""The logs of a real cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from kmigrate.lab.auditor.log import LogRecord

BATCH = 2_000
LOOK_S = 0.05  # the end of a partition is told within a batch, so a long look would only wait
STALL_S = 30.0


def client_settings(bootstrap: str, ca: str, login: tuple[str, str, str]) -> dict[str, str]:
    """librdkafka's settings for signing in; `ca` is PEM text, `login` mechanism, user name and password."""
    mechanism, user, password = login
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.pem": ca,
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }


class KafkaLog:
    """Reads with `client`, librdkafka's settings for signing in; the principal needs READ on the topics only.

    One client is kept, since a new one waits half a second for its first record; so one partition is read at a time.
    """

    def __init__(self, client: Mapping[str, str]) -> None:
        self._consumer = Consumer(
            {
                **client,
                "group.id": "auditor",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "log_level": 2,
            }
        )

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; 0 when there is no such topic."""
        found = self._consumer.list_topics(topic, timeout=STALL_S).topics[topic]
        return 0 if found.error else len(found.partitions)

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        """Every committed record up to the last stable offset; raises KafkaException, TimeoutError after a stall."""
        self._consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        moved = time.monotonic()
        while time.monotonic() - moved < STALL_S:
            for message in self._consumer.consume(BATCH, LOOK_S):
                moved = time.monotonic()
                error = message.error()
                if error is None:
                    yield record(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._consumer.unassign()
                    return
                elif error.fatal() or error.code() > 0:
                    raise KafkaException(error)
        raise TimeoutError(f"{topic}/{partition}: nothing came for {STALL_S:.0f} s")

    def close(self) -> None:
        """Let the client go."""
        self._consumer.close()


def record(message: Message) -> LogRecord:
    """Reduce a message; the digest covers time, key, value and headers, and is good within this process only."""
    headers = message.headers()
    pairs = tuple(headers) if isinstance(headers, list) else ()
    found = {name: value for name, value in pairs if isinstance(value, bytes)}
    key, offset = message.key(), message.offset()
    timestamp = message.timestamp()[1]
    return LogRecord(
        -1 if offset is None else offset,
        timestamp,
        found.get("id", b"").decode(),
        None if key is None else key.decode(),
        int(found.get("seq", b"-1")),
        hash((timestamp, key, message.value(), pairs)),
    )
