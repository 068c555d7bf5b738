"""Positions of groups, asked of their coordinators and written there: OffsetFetch and OffsetCommit, versions 8."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import groupby

from confluent_kafka import KafkaError

from kmigrate.adapters.kafka.coordinators import Coordinators
from kmigrate.adapters.kafka.wire import Answer, compact, listed
from kmigrate.model import Partition

_OFFSET_COMMIT, _OFFSET_FETCH = 8, 9
_NO_GENERATION, _NO_EPOCH = -1, -1


def committed(
    at: Coordinators, wanted: Mapping[str, Sequence[Partition] | None], *, stable: bool = True
) -> dict[str, dict[Partition, int]]:
    """Committed offsets by group, below zero where there is none; of all partitions for None. Empty if not there.

    Each coordinator is asked once for all of its groups (KIP-709). With `stable` (KIP-447) a transaction that is
    about to move one makes it worth asking again. Raises Transient when it is, Told when the broker refuses.
    """

    def fetch(coordinator: str, groups: Sequence[str]) -> dict[str, dict[Partition, int]]:
        body = _asked({group: wanted[group] for group in groups}, stable=stable)
        return _read(at, at.ask(coordinator, _OFFSET_FETCH, 8, body, flexible=True))

    return {group: held for part in at.ask_each(wanted, fetch) for group, held in part.items()}


def commit(at: Coordinators, group: str, positions: Mapping[Partition, int]) -> None:
    """Write the positions of a group as nobody's member: its coordinator takes that of an Empty group only.

    Raises Transient when it is worth trying again, Told with what the coordinator answered about the first partition
    that it refused.
    """

    def write(coordinator: str, _: Sequence[str]) -> None:
        body = compact(group) + struct.pack(">i", _NO_GENERATION) + compact("") + b"\0" + _written(positions) + b"\0"
        answer = at.ask(coordinator, _OFFSET_COMMIT, 8, body, flexible=True)
        answer.number(4)
        for _topic in range(answer.count() - 1):
            topic = answer.compact()
            for _partition in range(answer.count() - 1):
                partition = Partition(topic, answer.number(4))
                at.good(answer.number(2), f"writing {partition} of group {group}")
                answer.skip_tags()
            answer.skip_tags()

    at.ask_each([group], write)


def _read(at: Coordinators, answer: Answer) -> dict[str, dict[Partition, int]]:
    answer.number(4)
    return dict(_read_group(at, answer) for _ in range(answer.count() - 1))


def _read_group(at: Coordinators, answer: Answer) -> tuple[str, dict[Partition, int]]:
    group = answer.compact()
    doing = f"positions of group {group}"
    found: dict[Partition, int] = {}
    for _ in range(answer.count() - 1):
        topic = answer.compact()
        for _ in range(answer.count() - 1):
            partition, offset, _epoch = Partition(topic, answer.number(4)), answer.number(8), answer.number(4)
            answer.compact()
            at.good(answer.number(2), f"{doing} in {partition}")
            answer.skip_tags()
            found[partition] = offset
        answer.skip_tags()
    error = answer.number(2)
    answer.skip_tags()
    if error != KafkaError.GROUP_ID_NOT_FOUND:
        at.good(error, doing)
    return group, found


def _asked(wanted: Mapping[str, Sequence[Partition] | None], *, stable: bool) -> bytes:
    """OffsetFetch: groups, each with its topics or null for all of them."""
    groups = [compact(group) + _topics(of) + b"\0" for group, of in wanted.items()]
    return listed(groups) + (b"\1\0" if stable else b"\0\0")


def _topics(partitions: Sequence[Partition] | None) -> bytes:
    if partitions is None:
        return b"\0"
    return _by_topic({p: struct.pack(">i", p.number) for p in partitions})


def _written(positions: Mapping[Partition, int]) -> bytes:
    """OffsetCommit: each position without the epoch of a leader and without a word about it."""
    return _by_topic({p: struct.pack(">iqi", p.number, at, _NO_EPOCH) + b"\0\0" for p, at in positions.items()})


def _by_topic(told: Mapping[Partition, bytes]) -> bytes:
    topics = groupby(sorted(told), key=lambda p: p.topic)
    return listed([compact(topic) + listed([told[p] for p in each]) + b"\0" for topic, each in topics])
