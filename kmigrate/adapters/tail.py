"""What came into a topic of the mirror since it was looked at last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)

from kmigrate.adapters.kafka import Connection, KafkaCluster
from kmigrate.adapters.kafka.connection import failure
from kmigrate.errors import Transient
from kmigrate.manifests.internal import READS
from kmigrate.model import Partition

_QUIET_S = 15.0
_DENIED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


class Tail:
    """One consumer that stands where the last look ended; opened on a topic that is there, and closed by its owner.

    `ends` holds by partition the offset at which the next look begins; -2, librdkafka's word for the beginning, may
    stand there before the first one.
    """

    def __init__(
        self, connection: Connection, topic: str, begins: Mapping[int, int], *, committed: bool = True
    ) -> None:
        self.topic = topic
        self._login = connection.login
        self.ends = dict(begins)
        self._committed = committed
        self._cluster = KafkaCluster(connection)
        self._consumer = Consumer(
            {
                **connection.login.settings(),
                "group.id": READS,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
            }
        )
        self._stands = False

    def news(self) -> Iterator[Message]:
        """What came since the last look, up to where every partition ends now; Transient when that cannot be read.

        The ends are asked for first: most looks find nothing new, and to hear that from a fetch takes its whole wait.
        A look that is left off in the middle goes on there the next time.
        """
        late = self._late()
        while late:
            message = self._next()
            number, offset = int(message.partition() or 0), int(message.offset() or 0)
            # behind the last record there may be marks of transactions, of which only an end tells
            self.ends[number] = offset if message.error() is not None else offset + 1
            if message.error() is None:
                yield message
            if number in late and self.ends[number] >= late[number]:
                del late[number]

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _stand(self) -> None:
        """Stand where the first look begins, by numbers alone.

        A new consumer does not know yet who leads a partition, and librdkafka then asks for the beginning half a second
        later, which every command would spend several times over.
        """
        unknown = [Partition(self.topic, number) for number, at in self.ends.items() if at == OFFSET_BEGINNING]
        logs = self._cluster.ranges(unknown, committed=self._committed)
        self.ends |= {partition.number: log.start for partition, log in logs.items()}
        self._consumer.assign([TopicPartition(self.topic, number, at) for number, at in self.ends.items()])
        self._stands = True

    def _late(self) -> dict[int, int]:
        """Where the partitions end that were not read up to there; raises Transient for one that has become shorter."""
        if not self._stands:
            self._stand()
        places = [Partition(self.topic, number) for number in self.ends]
        ends = {p.number: end for p, end in self._cluster.ends(places, committed=self._committed).items()}
        for number, end in ends.items():
            if end < self.ends[number]:
                raise Transient(f"reading {self.topic}/{number}: it ends at {end}, was read to {self.ends[number]}")
        return {number: end for number, end in ends.items() if end > self.ends[number]}

    def _next(self) -> Message:
        """A record, or the end of a partition."""
        message = self._consumer.poll(_QUIET_S)
        if message is None:
            raise Transient(f"reading {self.topic}: no answer for {_QUIET_S:.0f} s")
        error = message.error()
        if error is not None and error.code() in _DENIED:
            raise failure(error, f"{self._login.name}: reading {self.topic}", self._login)
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise Transient(f"reading {self.topic}: {error.str()}")
        return message


@dataclass(frozen=True, slots=True)
class Seen:
    """A topic that is there: its id, which a topic of the same name made later does not have, and its partitions."""

    id: str
    partitions: int

    def beginning(self) -> dict[int, int]:
        """Where to begin when it was never looked at."""
        return dict.fromkeys(range(self.partitions), OFFSET_BEGINNING)


def look_for(connection: Connection, topic: str) -> Seen | None:
    """The topic, or None where there is none; raises Transient when nobody can say."""
    return _seen(connection, [topic]).get(topic)


def missing(connection: Connection, topics: Iterable[str]) -> tuple[str, ...]:
    """Those of the topics that are not there; raises Transient when nobody can say."""
    wanted = tuple(topics)
    there = _seen(connection, wanted)
    return tuple(topic for topic in wanted if topic not in there)


def _seen(connection: Connection, topics: Sequence[str]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    asked = connection.admin().describe_topics(TopicCollection(list(topics)), request_timeout=_QUIET_S)
    for topic, future in asked.items():
        try:
            told = future.result(_QUIET_S)
        except KafkaException as error:
            if error.args[0].code() in _DENIED:
                raise connection.failure(error, f"looking for {topic}") from error
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Transient(f"looking for {topic}: {error}") from error
        else:
            found[topic] = Seen(id=str(told.topic_id), partitions=len(told.partitions))
    return found
