"""Reading a cluster: topics, ends of logs, records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import ConfigEntry, ConfigResource, ConfigSource, OffsetSpec, ResourceType

from kmigrate.adapters.kafka import rights as acls
from kmigrate.adapters.kafka import telling, workers
from kmigrate.adapters.kafka.connection import TIMEOUT_S, Connection
from kmigrate.adapters.kafka.passages import PassageReader
from kmigrate.adapters.kafka.reading import Reading, RunReading
from kmigrate.adapters.retry import patiently
from kmigrate.model import FullRecord, KeyedRows, OffsetRange, Partition, Record, Right, Run, Stretch, Topic

T = TypeVar("T")

_NOT_TO_BE_SEEN = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
)
_ACCEPTS = ("max.message.bytes", "message.timestamp.after.max.ms", "message.timestamp.before.max.ms")
_KAFKAS_OWN = ("__consumer_offsets", "__transaction_state", "__share_group_state")


class KafkaCluster:
    """Reads a cluster (world.Cluster)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._passages = PassageReader(connection)

    @patiently
    def id(self) -> str:
        """The cluster id."""
        return str(
            self._connection.result(self._connection.admin().describe_cluster(), "describing the cluster").cluster_id
        )

    @patiently
    def brokers(self) -> tuple[str, ...]:
        """The address that every broker advertises, sorted."""
        asked = self._connection.admin().describe_cluster()
        nodes = self._connection.result(asked, "describing the cluster").nodes or []
        return tuple(sorted(f"{node.host}:{node.port}" for node in nodes))

    def all_topics(self) -> Mapping[str, Topic]:
        """Every topic we may describe, without Kafka's own."""
        admin = self._connection.admin()
        try:
            seen = admin.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise self._connection.failure(error, "listing topics") from error
        return self.topics(name for name in seen if name not in _KAFKAS_OWN)

    @patiently
    def rights(self) -> tuple[Right, ...]:
        """Every ACL, sorted."""
        found: tuple[Right, ...] = acls.rights(self._connection)
        return found

    @patiently
    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        """The named topics that exist and may be seen, with the settings made on the topic itself."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        admin = self._connection.admin()
        seen = admin.describe_topics(TopicCollection(wanted), request_timeout=TIMEOUT_S)
        told = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted])
        configs = {resource.name: future for resource, future in told.items()}
        found = {}
        for name in wanted:
            if not (_lacks(seen[name], _NOT_TO_BE_SEEN) or _lacks(configs[name], (KafkaError.UNKNOWN_TOPIC_OR_PART,))):
                partitions = self._connection.result(seen[name], f"looking for {name}").partitions
                found[name] = _topic(name, len(partitions), self._connection.result(configs[name], f"reading {name}"))
        return found

    @patiently
    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        """Log start and end per partition."""
        wanted = list(partitions)
        starts = self._asked({p: OffsetSpec.earliest() for p in wanted}, committed=committed)
        ends = self._asked({p: OffsetSpec.latest() for p in wanted}, committed=committed)()
        return {p: OffsetRange(start=start, end=ends[p]) for p, start in starts().items()}

    @patiently
    def ends(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, int]:
        """Log end per partition."""
        return self._offsets({p: OffsetSpec.latest() for p in partitions}, committed=committed)

    @patiently
    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """First offset at or after each time; the end where there is none."""
        found = self._offsets({p: OffsetSpec.for_timestamp(ms) for p, ms in times.items()}, committed=True)
        none = [p for p, offset in found.items() if offset < 0]
        ends = self._offsets({p: OffsetSpec.latest() for p in none}, committed=True)
        return {**found, **ends}

    @patiently
    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        """Every visible record within each range, in order."""
        return Reading(self._connection, ranges, committed=committed, timed=timed).whole()

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        """Begin to read, in a process of its own where that pays; what is given back waits for it."""
        return self._passages.records(ranges, partial(self.read, timed=timed), timed=timed)

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        """Begin to read runs, in a process of its own where that pays; what is given back waits for them."""
        return self._passages.runs(ranges, partial(self._runs, timed=timed), timed=timed)

    @patiently
    def _runs(self, ranges: Mapping[Partition, OffsetRange], *, timed: bool) -> Mapping[Partition, Run]:
        return RunReading(self._connection, ranges, timed=timed).runs()

    def stream(self, ranges: Mapping[Partition, OffsetRange]) -> Iterator[tuple[Partition, tuple[Record, ...]]]:
        """The committed records of each range in small batches, each range ended by an empty one."""
        return Reading(self._connection, ranges).batches()

    def stretches(
        self, ranges: Mapping[Partition, OffsetRange], records: int
    ) -> Generator[tuple[Partition, Stretch], None, None]:
        """The committed records of each range in stretches of so many, read with all cores where that pays."""
        return workers.stretches(self._connection, ranges, records)

    def keyed(
        self, ranges: Mapping[Partition, OffsetRange], parts: int
    ) -> Generator[tuple[Partition, KeyedRows], None, None]:
        """The committed records of each range that have a key, as rows, read with all cores where that pays."""
        return workers.keyed(self._connection, ranges, parts)

    @patiently
    def records_in_full(self, places: Iterable[tuple[Partition, int]]) -> Mapping[tuple[Partition, int], FullRecord]:
        """The committed records at those offsets, with their contents."""
        wanted = sorted(set(places))
        logs = self.ranges({partition for partition, _ in wanted})
        there = [(p, offset) for p, offset in wanted if logs[p].start <= offset < logs[p].end]
        return telling.in_full(self._connection, there)

    def _offsets(self, wanted: Mapping[Partition, OffsetSpec], *, committed: bool) -> dict[Partition, int]:
        return self._asked(wanted, committed=committed)()

    def _asked(self, wanted: Mapping[Partition, OffsetSpec], *, committed: bool) -> Callable[[], dict[Partition, int]]:
        """Ask, and give what waits for the answer, so that more can be asked meanwhile."""
        if not wanted:
            return dict
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        asked = self._connection.admin().list_offsets(
            {TopicPartition(p.topic, p.number): spec for p, spec in wanted.items()},
            isolation_level=level,
            request_timeout=TIMEOUT_S,
        )
        return lambda: {
            Partition(tp.topic, tp.partition): int(
                self._connection.result(future, f"offsets of {tp.topic}/{tp.partition}").offset
            )
            for tp, future in asked.items()
        }


def _lacks(asked: Future[T], codes: Collection[int]) -> bool:
    """Whether a topic is told to be missing by one of these; any other failure is for whoever takes the result."""
    try:
        error = asked.exception(TIMEOUT_S)
    except TimeoutError:
        return False
    return isinstance(error, KafkaException) and error.args[0].code() in codes


def _topic(name: str, partitions: int, config: Mapping[str, ConfigEntry]) -> Topic:
    own = {
        key: str(entry.value)
        for key, entry in config.items()
        if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
    }
    accepts = {key: str(entry.value) for key, entry in config.items() if key in _ACCEPTS}
    return Topic(name=name, partitions=partitions, config=own, accepts=accepts)
