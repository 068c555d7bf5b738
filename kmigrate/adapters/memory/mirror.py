"""The mirror in memory: lanes to the target, and lanes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.adapters.memory.lanes import MemoryLanes
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.adapters.mirror_status import once, trouble
from kmigrate.model import Lane, Partition, Side
from kmigrate.positions import SyncIndex


@dataclass(slots=True, kw_only=True)
class MemoryMirror(MemoryLanes):
    """Copies what the resources ask for (world.Mirror): it is the forward lanes itself, `back` are the reverse ones.

    Both hold their offsets apart, as connectors do, and know nothing of each other: only rights keep one from copying
    what the other has written.
    """

    store: MemoryStore
    namespace: str
    back: MemoryLanes

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        """Last source offset copied per partition."""
        last = self.lanes(lane).last
        return {partition: offset for partition, offset in last.items() if partition.topic in lane.topics}

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        """One sync per batch, of its last record, as under exactly-once."""
        found: dict[Partition, SyncIndex] = {}
        marks = self.lanes(lane).marks
        for partition in (each for each in marks if each.topic in lane.topics):
            found[partition] = SyncIndex()
            for sync in marks[partition]:
                found[partition].add(sync)
        return found

    def once(self, lane: Lane) -> bool:
        """Whether the lane writes exactly once, by its resource."""
        return once(self.store, self.namespace, lane)

    def tasks(self, lane: Lane) -> int:
        """One while the lane runs."""
        return int(self.lanes(lane).runs(lane.connector))

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        """What the operator last said is wrong."""
        return trouble(self.store, self.namespace, lane, self._missing)

    def lanes(self, lane: Lane) -> MemoryLanes:
        """Those of the lane's direction."""
        return self.back if lane.direction == "reverse" else self

    def turn(self) -> None:
        """Both directions copy."""
        self.work()
        self.back.work()

    def _missing(self, side: Side, topics: Iterable[str]) -> list[str]:
        cluster = self.source if side is Side.SOURCE else self.target
        return [name for name in topics if name not in cluster.made]
