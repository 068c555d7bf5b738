"""The mirror, looked at through Connect's own offsets topic and the status its operator writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Message

from kmigrate.adapters.connect_records import read_offset, read_state
from kmigrate.adapters.kafka import Connection, KafkaCluster
from kmigrate.adapters.kept_syncs import Known, fits, keep, load
from kmigrate.adapters.mirror_status import once, trouble
from kmigrate.adapters.tail import Seen, Tail, look_for, missing
from kmigrate.errors import Transient
from kmigrate.manifests.lanes import names_of, side_written
from kmigrate.model import Lane, Partition, Side
from kmigrate.positions import SyncIndex, read_sync
from kmigrate.world import ResourceStore

_FEW = 1_000
"""So many syncs are rather read again than written down; of a long list as many as a tenth of it."""


@dataclass(slots=True)
class ConnectMirror:
    """Reads the word of Connect and of the operator (world.Mirror).

    Connect writes one record per partition and commit into the connector's offsets topic, in the transaction of the
    data: key `["<connector>", {"cluster", "partition", "topic"}]`, value `{"offset": N}`, N the last source offset
    copied (`lab.md`). That topic lies on the side the lane writes to; the offset syncs and Connect's status topic lie
    on the target, whichever way the lane goes. Only what came since the last look is read again; the offset syncs are
    kept in the folder `kept`, where it exists, so that this holds for the next process as well.
    """

    store: ResourceStore
    namespace: str
    connection: Callable[[Side], Connection]
    kept: Path
    _tails: dict[tuple[Side, str], Tail] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)
    _copied: dict[str, dict[Partition, int]] = field(default_factory=dict)
    _syncs: dict[str, Known] = field(default_factory=dict)

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition."""
        known = self._copied.setdefault(lane.name, {})
        for message in self._news(side_written(lane), names_of(lane).connector_offsets(lane)):
            read = read_offset(_raw(message.key()), _raw(message.value()), lane.connector)
            if read is not None and read[1] is None:
                known.pop(read[0], None)
            elif read is not None and read[1] is not None:
                known[read[0]] = read[1]
        return dict(known)

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        """Every offset sync the lane ever told; only what came since the last look is read, also by another process."""
        topic = names_of(lane).offset_syncs(lane)
        if topic not in self._syncs and not self._begin(topic):
            return {}
        known, tail, read = self._syncs[topic], self._tails[Side.TARGET, topic], 0
        for message in tail.news():
            read += 1
            told = read_sync(_raw(message.key()), _raw(message.value()))
            if told is not None:
                known.syncs.setdefault(told[0], SyncIndex()).add(told[1])
        known.next = dict(tail.ends)
        if read >= max(_FEW, sum(map(len, known.syncs.values())) // 10) and self.kept.is_dir():
            keep(self.kept / f"{topic}.index", known)
        return known.syncs

    def _begin(self, topic: str) -> bool:
        """Take up what was kept of a sync topic, or begin at its start; False while it is not there."""
        target = self.connection(Side.TARGET)
        seen = look_for(target, topic)
        if seen is None:
            return False
        known = load(self.kept / f"{topic}.index")
        if known is None or not fits(known, seen.id, self._ends(topic, seen)):
            known = Known(topic_id=seen.id, next=seen.beginning())
        self._syncs[topic] = known
        self._tails[Side.TARGET, topic] = Tail(target, topic, known.next)
        return True

    def _ends(self, topic: str, seen: Seen) -> dict[int, int]:
        cluster = KafkaCluster(self.connection(Side.TARGET))
        ends = cluster.ends([Partition(topic, number) for number in range(seen.partitions)])
        return {p.number: end for p, end in ends.items()}

    def once(self, lane: Lane) -> bool:
        """Whether the lane writes exactly once, by its resource."""
        return once(self.store, self.namespace, lane)

    def tasks(self, lane: Lane) -> int:
        """How many tasks of the lane run, by the newest word in Connect's status topic."""
        for message in self._news(Side.TARGET, names_of(lane).status, needed=True):
            name, state = read_state(_raw(message.key()), _raw(message.value()))
            self._states[name] = state
        ours = f"status-task-{lane.connector}-"
        return sum(
            state == "RUNNING" and name.startswith(ours) and name.removeprefix(ours).isdecimal()
            for name, state in self._states.items()
        )

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong with the lane, and topics of its own that are gone."""
        return trouble(self.store, self.namespace, lane, lambda side, names: missing(self.connection(side), names))

    def close(self) -> None:
        """Close what was opened."""
        for tail in self._tails.values():
            tail.close()

    def _tail(self, side: Side, topic: str, *, needed: bool = False) -> Tail | None:
        """Where the topic was looked at last; None while it is not there.

        Raises Transient for a `needed` topic that is not there: then nothing can be said, not even that nothing runs.
        """
        if (side, topic) not in self._tails:
            seen = look_for(self.connection(side), topic)
            if seen is not None:
                self._tails[side, topic] = Tail(self.connection(side), topic, seen.beginning())
            elif needed:
                raise Transient(f"the {side} has no topic {topic}")
        return self._tails.get((side, topic))

    def _news(self, side: Side, topic: str, *, needed: bool = False) -> Iterator[Message]:
        """What came since the last look, up to the end of every partition; nothing while the topic is not there."""
        tail = self._tail(side, topic, needed=needed)
        return iter(()) if tail is None else tail.news()


def _raw(part: str | bytes | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
