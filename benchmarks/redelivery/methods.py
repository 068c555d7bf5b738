"""Where each method would put a group on the target, partition by partition; None where it has no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Migration, OffsetRange, Partition, Position, Side
from kmigrate.probes.drain import await_copies
from kmigrate.probes.standing import mirrors_choices
from kmigrate.world import World

KMIGRATE, MIRROR, TIMESTAMPS = "kmigrate", "MirrorMaker 2 at once", "timestamps"
UNMARKED = "timestamps, no markers"
CHECKPOINTS = "MirrorMaker 2's checkpoints"
METHODS = (KMIGRATE, MIRROR, CHECKPOINTS, TIMESTAMPS, UNMARKED)
_DEADLINE_MS = 120_000
_CALL_S = 30.0
_TAIL_MS = 2_000

Chosen = Mapping[Partition, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """One group: what it held on the source, kmigrate's answers, and by method the offset on the target.

    `times` are those of the record right before each position, where there is one.
    """

    group: str
    held: Mapping[Partition, int]
    positions: Mapping[Partition, Position]
    times: Mapping[Partition, int]
    by_method: Mapping[str, Chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """Asks every method for the same group, one right after the other; `target` is an admin client of the target."""

    world: World
    migration: Migration
    target: AdminClient

    def ask(self, group: str, topic: str, partitions: int, *, quiet: bool) -> Choices:
        """The positions of a stopped group in one topic; `quiet`: nobody writes, so the last syncs may come first."""
        wanted = tuple(Partition(topic, number) for number in range(partitions))
        found = self.world.groups(Side.SOURCE).positions({group: wanted})[group]
        held = {p: at for p, at in found.items() if at is not None}
        assert len(held) == len(wanted), f"{group} holds no position in some partition"
        (lane,) = forward_lanes(self.migration)
        seen = await_copies(self.world, Side.SOURCE, held, lane, what=f"copies for {group}", deadline_ms=_DEADLINE_MS)
        if quiet:
            self.world.clock.sleep(_TAIL_MS)
        ours = {p: seen.positions[p].offset for p in wanted}
        mirrors, times = self.mirrors(held, ours), self.times(held)
        theirs = {p: self._at(p, times[p]) if p in times else None for p in held}
        by_method = {KMIGRATE: ours, MIRROR: mirrors, TIMESTAMPS: theirs}
        return Choices(group=group, held=held, positions=seen.positions, times=times, by_method=by_method)

    def mirrors(self, held: Mapping[Partition, int], ours: Chosen) -> Chosen:
        """MirrorMaker 2's own rule over the syncs it has told so far, without its delay of a minute or two."""
        carried = {p: (x, ours[p] or 0) for p, x in held.items()}
        own = mirrors_choices(self.world, carried, forward_lanes(self.migration))
        return {p: own[p].offset if p in own else None for p in held}

    def times(self, held: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """What Redpanda's migrator starts from: the time of the record right before each position.

        That record must stand at exactly that offset, else the position is skipped.
        """
        source = self.world.cluster(Side.SOURCE)
        logs = source.ranges(held, committed=False)
        usable = {p: x for p, x in held.items() if logs[p].start < x <= logs[p].end}
        before = source.read({p: OffsetRange(start=x - 1, end=x) for p, x in usable.items()}, committed=False)
        return {p: records[0].timestamp for p, records in before.items() if records}

    def _at(self, partition: Partition, timestamp: int) -> int:
        """The first offset of the target as late as that, plus one where it is of just that time, as it does.

        Its last step, counting on by an offset header, needs copies that carry one; MirrorMaker 2's do not.
        """
        where = TopicPartition(partition.topic, partition.number)
        asked = self.target.list_offsets({where: OffsetSpec.for_timestamp(timestamp)}, request_timeout=_CALL_S)
        found = asked[where].result(_CALL_S)
        if found.offset >= 0:
            return int(found.offset) + int(found.timestamp == timestamp)
        return int(self.target.list_offsets({where: OffsetSpec.latest()})[where].result(_CALL_S).offset)
