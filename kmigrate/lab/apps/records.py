"""What a record of the shop looks like, and how its identity is read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import Message

Headers = list[tuple[str, str | bytes | None]]

RUN_STRIDE = 1_000  # numbers of a later run are always higher: nobody makes 1,000 records in a millisecond
KEYS = 48
TWIN_EVERY = 19  # one draft of 19 is sent twice: 2 of 20 records are twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record before it is sent; `partition` is -1 when the key decides."""

    id: str
    seq: int
    key: str | None
    value: bytes | None
    headers: Headers
    timestamp: int
    partition: int = -1


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as a reader got it."""

    topic: str
    partition: int
    offset: int
    id: str
    key: str | None
    seq: int
    value: bytes | None

    @classmethod
    def of(cls, message: Message) -> Seen:
        """Take what an application needs out of librdkafka's message."""
        headers = message.headers()
        pairs = headers if isinstance(headers, list) else []
        found = {name: value for name, value in pairs if isinstance(value, bytes)}
        key = message.key()
        return cls(
            message.topic() or "",
            _number(message.partition()),
            _number(message.offset()),
            found.get("id", b"").decode(),
            None if key is None else key.decode(),
            int(found.get("seq", b"-1")),
            message.value(),
        )


def _number(value: int | None) -> int:
    return -1 if value is None else value


@dataclass(slots=True)
class Drafts:
    """An endless run of records of one writer: some without key, without value, with an empty value, and twins."""

    writer: str
    run: int
    partitions: int
    _made: int = field(default=0, init=False)

    def make(self, count: int, timestamp: int) -> Iterator[Draft]:
        """At least `count` records, at most one more; twins follow each other."""
        sent = 0
        while sent < count:
            copies = 2 if self._made % TWIN_EVERY == 7 else 1
            draft = self._one(timestamp, copies)
            for _ in range(copies):
                yield draft
            sent += copies

    def _one(self, timestamp: int, copies: int) -> Draft:
        number = self._made
        self._made += 1
        keyless = number % 16 == 3
        seq = self.run * RUN_STRIDE + number
        identity = f"{self.writer}-{self.run}-{number}" + ("x2" if copies == 2 else "")
        headers: Headers = [("id", identity.encode()), ("seq", str(seq).encode())]
        if number % 8 == 5:
            headers += [("trace", bytes((0, 255, number % 251))), ("trace", None)]
        return Draft(
            id=identity,
            seq=seq,
            key=None if keyless else f"{self.writer}/{(number * 31) % KEYS}",
            value=_value(number, identity),
            headers=headers,
            timestamp=timestamp,
            partition=number % self.partitions if keyless else -1,
        )


def _value(number: int, identity: str) -> bytes | None:
    if number % 21 == 4:
        return None
    if number % 33 == 6:
        return b""
    return f'{{"order":"{identity}","items":[{number % 7},{number % 11}],"note":"{"." * 120}"}}'.encode()
