"""What a group would be given again, and what it would never get, from a position on the target.

Copies come in the order of their originals. Between twins, which nothing tells apart, the later original is taken: of
two records with one key compaction removes the earlier.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from confluent_kafka import Consumer, KafkaException, TopicPartition

from redelivery.workload import Log, content_of

_QUIET_S = 30.0
_TAKE_S = 0.1  # `consume` waits so long although it has some


@dataclass(slots=True)
class Copies:
    """The target's committed records of one partition: their offsets and times, and the identity of each original."""

    offsets: array[int]
    times: array[int]
    originals: array[int]

    def judge(self, chosen: int, read: int) -> tuple[int, int]:
        """Records given twice, and records lost, to a group that has read the first `read` originals."""
        begins, right = bisect_left(self.offsets, chosen), bisect_left(self.originals, read)
        return max(0, right - begins), max(0, begins - right)

    def is_marker(self, offset: int, timestamp: int) -> bool:
        """Whether `offset` was chosen for a time, and means neither a record nor the place after one of that time."""
        at = bisect_left(self.offsets, offset)
        here = at < len(self.offsets) and self.offsets[at] == offset
        after = at > 0 and self.offsets[at - 1] == offset - 1 and self.times[at - 1] == timestamp
        return not here and not after

    def as_late_as(self, timestamp: int) -> int:
        """Where translation by timestamps would put a group on a log that holds the same records and no markers."""
        for offset, at in zip(self.offsets, self.times, strict=True):
            if at >= timestamp:
                return offset + (at == timestamp)
        return self.offsets[-1] + 1


def copies(client: Mapping[str, str], topic: str, logs: Iterable[Log], *, whole: bool) -> list[Copies]:
    """Read a topic of the target and find every copy's original; `whole`: none may be missing.

    Raises AssertionError when the copies are not the originals in their order: then there is no truth to hold to.
    """
    found: list[Copies] = []
    for number, log in enumerate(logs):
        offsets, times, contents = _read(client, topic, number)
        originals = _originals(log, contents)
        assert all(a < b for a, b in pairwise(originals)), f"{topic}/{number} is out of order"
        assert not whole or list(originals) == list(range(len(log))), f"{topic}/{number} is not copied whole"
        found.append(Copies(offsets, times, originals))
    return found


def _originals(log: Log, contents: array[int]) -> array[int]:
    where: dict[int, list[int]] = defaultdict(list)
    for number, content in enumerate(log.contents):
        where[content].append(number)
    return array("q", reversed([where[content].pop() for content in reversed(contents)]))


def _read(client: Mapping[str, str], topic: str, number: int) -> tuple[array[int], array[int], array[int]]:
    consumer = Consumer(
        {
            **client,
            "group.id": "redelivered-truth",
            "enable.auto.commit": "false",
            "isolation.level": "read_committed",
            "enable.partition.eof": "true",
        }
    )
    offsets, times, contents = array("q"), array("q"), array("q")
    try:
        consumer.assign([TopicPartition(topic, number, 0)])
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_S:
            batch = consumer.consume(10_000, _TAKE_S)
            quiet_since = time.monotonic() if batch else quiet_since
            for message in batch:
                error, value = message.error(), message.value()
                if error is not None and error.code() != error._PARTITION_EOF:
                    raise KafkaException(error)
                if error is not None:
                    return offsets, times, contents
                assert isinstance(value, bytes)
                offsets.append(message.offset() or 0)
                times.append(message.timestamp()[1])
                contents.append(content_of(value))
        raise TimeoutError(f"reading {topic}/{number}: no answer for {_QUIET_S:.0f} s")
    finally:
        consumer.close()
