"""The mirror, looked at through Connect's own offsets topic and the status its operator writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.mirror_status import once, trouble
from kmigrate.errors import Transient
from kmigrate.manifests.lanes import FORWARD
from kmigrate.model import Lane, Partition
from kmigrate.positions import SyncIndex, read_sync
from kmigrate.world import ResourceStore

_QUIET_S = 15.0


@dataclass(slots=True)
class ConnectMirror:
    """Reads the word of Connect and of the operator (world.Mirror).

    Connect writes one record per partition and commit into the connector's offsets topic, in the transaction of the
    data: key `["<connector>", {"cluster", "partition", "topic"}]`, value `{"offset": N}`, N the last source offset
    copied (`lab.md`). Only what came since the last look is read again.
    """

    store: ResourceStore
    namespace: str
    target: Callable[[], Connection]
    _tails: dict[str, Consumer] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)
    _copied: dict[str, dict[Partition, int]] = field(default_factory=dict)
    _syncs: dict[str, dict[Partition, SyncIndex]] = field(default_factory=dict)

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition."""
        known = self._copied.setdefault(lane.name, {})
        for message in self._news(FORWARD.connector_offsets(lane)):
            read = _read(message, lane.connector)
            if read is not None and read[1] is None:
                known.pop(read[0], None)
            elif read is not None and read[1] is not None:
                known[read[0]] = read[1]
        return dict(known)

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        """Every offset sync the lane ever told; only what came since the last call is read."""
        topic = FORWARD.offset_syncs(lane)
        known = self._syncs.setdefault(topic, {})
        for message in self._news(topic):
            read = read_sync(_raw(message.key()), _raw(message.value()))
            if read is not None:
                known.setdefault(read[0], SyncIndex()).add(read[1])
        return known

    def once(self, lane: Lane) -> bool:
        """Whether the lane writes exactly once, by its resource."""
        return once(self.store, self.namespace, lane)

    def tasks(self, lane: Lane) -> int:
        """How many tasks of the lane run, by the newest word in Connect's status topic."""
        for message in self._news(FORWARD.status, needed=True):
            key = message.key()
            name = key.decode() if isinstance(key, bytes) else str(key)
            value = message.value()
            self._states[name] = str(json.loads(value).get("state")) if value is not None else ""
        ours = f"status-task-{lane.connector}-"
        return sum(
            state == "RUNNING" and name.startswith(ours) and name.removeprefix(ours).isdecimal()
            for name, state in self._states.items()
        )

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong with the lane."""
        return trouble(self.store, self.namespace, lane)

    def close(self) -> None:
        """Close what was opened."""
        for consumer in self._tails.values():
            consumer.close()

    def _news(self, topic: str, *, needed: bool = False) -> Iterator[Message]:
        """What came since the last look, up to the end of every partition; nothing while the topic is not there.

        Raises Transient for a `needed` topic that is not there: then nothing can be said, not even that nothing runs.
        """
        consumer = self._tails.get(topic) or self._open(topic)
        if consumer is None and needed:
            raise Transient(f"the target has no topic {topic}")
        if consumer is None:
            return
        ends: dict[int, int] = {}
        try:
            while len(ends) < len(consumer.assignment()):
                message = consumer.poll(_QUIET_S)
                if message is None:
                    raise Transient(f"reading {topic}: no answer for {_QUIET_S:.0f} s")
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends[int(message.partition() or 0)] = int(message.offset() or 0)
                else:
                    raise Transient(f"reading {topic}: {error.str()}")
        finally:
            for number, end in ends.items():  # or the end of a partition where nothing comes is not told again
                consumer.seek(TopicPartition(topic, number, end))

    def _open(self, topic: str) -> Consumer | None:
        consumer = Consumer(
            {
                **self.target().login.settings(),
                "group.id": "kmigrate-reads-without-a-group",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
            }
        )
        try:
            partitions = _partitions(consumer, topic)
        except Transient:
            consumer.close()
            raise
        if not partitions:
            consumer.close()
            return None
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        self._tails[topic] = consumer
        return consumer


def _partitions(consumer: Consumer, topic: str) -> Sequence[int]:
    try:
        found = consumer.list_topics(topic, timeout=_QUIET_S).topics[topic]
    except KafkaException as error:
        raise Transient(f"looking for {topic}: {error}") from error
    if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return ()
    if found.error is not None:
        raise Transient(f"looking for {topic}: {found.error.str()}")
    return tuple(found.partitions)


def _read(message: Message, connector: str) -> tuple[Partition, int | None] | None:
    """The partition and last copied offset a record tells, None for a removed one; None for records of other kinds."""
    key, value = message.key(), message.value()
    if key is None:
        return None
    name, where = json.loads(key)
    if name != connector:
        return None
    told = json.loads(value) if value is not None else None
    return Partition(str(where["topic"]), int(where["partition"])), int(told["offset"]) if told else None


def _raw(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
