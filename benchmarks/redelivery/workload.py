"""Topics whose every record is known: what was written where, in which order, and which of it counts.

A record's identity is its number among the committed records of its partition, in the order of their offsets. Its
value begins with its content: the number of the draft. Twins share it, byte for byte and to the millisecond; so does
a record that was aborted and written once more.
"""

from __future__ import annotations

import random
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

PLAIN, TRANSACTIONAL, COMPACTED = "plain", "transactional", "compacted"
KINDS = (PLAIN, TRANSACTIONAL, COMPACTED)
ABORT_EVERY = 10
TWIN_EVERY = 50
CLOCK_BEHIND_MS = 3
_DIGITS = 9
_CALL_S = 60.0
_PACE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is written: records per partition beforehand, keys of the compacted topic, records per transaction."""

    partitions: int
    stock: int
    keys: int
    transaction: int
    value_bytes: int
    rate: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A record before it is written."""

    partition: int
    key: bytes
    value: bytes
    timestamp: int


@dataclass(slots=True)
class Log:
    """The committed records of one partition in order: their offsets on the source, and their contents."""

    offsets: array[int] = field(default_factory=lambda: array("q"))
    contents: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.offsets)

    def read_before(self, position: int) -> int:
        """How many records lie before a position: so many were read by a group that stands there."""
        return bisect_left(self.offsets, position)


def content_of(value: bytes) -> int:
    """The content that a record's value begins with."""
    return int(value[:_DIGITS])


class Drafts:
    """Drafts of one topic, in bursts of the same millisecond, one record a millisecond and partition on average.

    One in fifty is a twin of one of its burst. `plain` is written by two hosts, one of whose clocks is 3 ms behind.
    """

    def __init__(self, kind: str, sizes: Sizes, began_ms: int) -> None:
        self._kind, self._sizes = kind, sizes
        self._random = random.Random(f"{kind}/4")
        self._clocks = [began_ms] * sizes.partitions
        self._made = [0] * sizes.partitions

    def burst(self, partition: int, now_ms: int | None = None) -> list[Draft]:
        """One to eight records of the same moment: the partition's own one, or `now_ms`."""
        size = self._random.randint(1, 8)
        self._clocks[partition] = now_ms or self._clocks[partition] + size
        behind = CLOCK_BEHIND_MS if self._kind == PLAIN and self._random.random() < 0.5 else 0
        made: list[Draft] = []
        for _ in range(size):
            twin = bool(made) and self._random.random() < 1 / TWIN_EVERY * 8 / 7
            draft = self._random.choice(made) if twin else self._new(partition, self._clocks[partition] - behind)
            made.append(draft)
        return made

    def _new(self, partition: int, timestamp: int) -> Draft:
        number = self._made[partition]
        self._made[partition] += 1
        key = self._random.randrange(self._sizes.keys) if self._kind == COMPACTED else number
        value = f"{number:0{_DIGITS}}".encode().ljust(self._sizes.value_bytes, b".")
        return Draft(partition, f"{partition}-{key}".encode(), value, timestamp)


class Writer:
    """Writes one topic and keeps its truth; `stock` beforehand, then `go_on` in a thread until `end`."""

    def __init__(self, kind: str, sizes: Sizes, client: Mapping[str, str]) -> None:
        self.kind = kind
        self.logs = [Log() for _ in range(sizes.partitions)]
        self.aborted = 0
        self._sizes = sizes
        self._drafts = Drafts(kind, sizes, int(time.time() * 1000) - 2 * sizes.stock)
        own = {"transactional.id": f"{kind}-0"} if kind == TRANSACTIONAL else {"enable.idempotence": "true"}
        self._producer = Producer({**client, **own, "linger.ms": "5"})
        self._written: list[tuple[int, int, int]] = []
        self._failed: list[KafkaError] = []
        self._transactions = 0
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._write_on, daemon=True, name=f"writer of {kind}")
        self._broken: BaseException | None = None
        if kind == TRANSACTIONAL:
            self._producer.init_transactions(_CALL_S)

    def stock(self, count: int) -> None:
        """Write `count` records into every partition, as long ago as it takes to write one a millisecond."""
        left = [count] * self._sizes.partitions
        while any(left):
            batch: list[Draft] = []
            for partition in (p for p, missing in enumerate(left) if missing):
                wanted = min(left[partition], self._sizes.transaction // self._sizes.partitions)
                batch += self._some(partition, wanted)
                left[partition] -= wanted
            self._write(batch)

    def go_on(self) -> None:
        """Write on in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop writing on; raises what the thread failed of."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_CALL_S)
        if self._broken is not None:
            raise self._broken

    def positions(self, behind: int) -> dict[int, int]:
        """By partition, where a group stands that has yet to read the last `behind` of all that was written."""
        with self._lock:
            return {number: log.offsets[len(log) - 1 - behind] + 1 for number, log in enumerate(self.logs)}

    def _write_on(self) -> None:
        try:
            while not self._ended.wait(_PACE_S):
                wanted = max(1, round(self._sizes.rate * _PACE_S / self._sizes.partitions))
                began_ms = int((time.time() - _PACE_S) * 1000)
                self._write([d for p in range(self._sizes.partitions) for d in self._some(p, wanted, began_ms)])
        except BaseException as error:
            self._broken = error

    def _some(self, partition: int, count: int, began_ms: int | None = None) -> list[Draft]:
        """So many drafts; with `began_ms` spread over the time it takes to write them."""
        made: list[Draft] = []
        while len(made) < count:
            now = None if began_ms is None else began_ms + round(1000 * _PACE_S * len(made) / count)
            made += self._drafts.burst(partition, now)
        return made[:count]

    def _write(self, batch: Sequence[Draft]) -> None:
        """Write a batch; every tenth transaction is aborted first and written once more, to the byte the same."""
        if self.kind != TRANSACTIONAL:
            self._send(batch)
        else:
            self._transactions += 1
            if self._transactions % ABORT_EVERY == 0:
                self._producer.begin_transaction()
                self.aborted += len(self._send(batch[: len(batch) // 2 + 1]))
                self._producer.abort_transaction(_CALL_S)
                self._written.clear()
            self._producer.begin_transaction()
            self._send(batch)
            self._producer.commit_transaction(_CALL_S)
        with self._lock:
            for partition, offset, content in sorted(self._written):
                self.logs[partition].offsets.append(offset)
                self.logs[partition].contents.append(content)
        self._written.clear()

    def _send(self, batch: Sequence[Draft]) -> Sequence[Draft]:
        for draft in batch:
            self._producer.produce(
                self.kind,
                key=draft.key,
                value=draft.value,
                partition=draft.partition,
                timestamp=draft.timestamp,
                on_delivery=self._told,
            )
        if self._producer.flush(_CALL_S) or self._failed:
            raise KafkaException(self._failed[0] if self._failed else KafkaError(KafkaError._TIMED_OUT))
        return batch

    def _told(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error)
            return
        value = message.value()
        assert isinstance(value, bytes)
        self._written.append((message.partition() or 0, message.offset() or 0, content_of(value)))
