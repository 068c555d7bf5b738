"""Up to where both sides are compared: the last place known on both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmigrate.errors import VerifyFailed
from kmigrate.model import Grade, Lane, Partition, Side, Topic
from kmigrate.probes.content.compared import Ends
from kmigrate.probes.drain import await_copies
from kmigrate.world import World


def settled_ends(world: World, lane: Lane, topics: Iterable[str], *, deadline_ms: int) -> dict[Partition, Ends]:
    """Take the source's ends of now for these topics of the lane, and wait until all before them is copied.

    Raises VerifyFailed for a topic that is not there, StillUnderWay after the deadline.
    """
    source, target = world.cluster(Side.SOURCE), world.cluster(Side.TARGET)
    there = _there(source.topics(topics), topics)
    logs = source.ranges([partition for topic in there.values() for partition in topic.all()])
    bounds = {partition: log.end for partition, log in logs.items()}
    what = f"copies of {lane.name}"
    found = await_copies(world, Side.SOURCE, bounds, lane, what=what, deadline_ms=deadline_ms).positions
    seen = target.ranges(bounds)
    ends = {}
    for partition, end in bounds.items():
        at, last = found[partition], seen[partition].end
        exact = at.offset is not None and at.grade in (Grade.EXACT_PROVEN, Grade.EXACT_MATCHED)
        place = at.offset if exact and at.offset is not None else last
        ends[partition] = Ends(source=end, target=place, seen=last, unknown="" if exact else at.reason)
    return ends


def is_compacted(world: World, partitions: Iterable[Partition]) -> frozenset[Partition]:
    """Those of the partitions that either side compacts."""
    return _by_policy(world, partitions, "compact", Side)


def is_deleted(world: World, partitions: Iterable[Partition]) -> frozenset[Partition]:
    """Those of the partitions from which the source's retention takes records."""
    return _by_policy(world, partitions, "delete", (Side.SOURCE,))


def _by_policy(
    world: World, partitions: Iterable[Partition], policy: str, sides: Iterable[Side]
) -> frozenset[Partition]:
    wanted = tuple(partitions)
    names = {partition.topic for partition in wanted}
    topics = [topic for side in sides for topic in world.cluster(side).topics(names).values()]
    with_it = {topic.name for topic in topics if policy in topic.config.get("cleanup.policy", "delete")}
    return frozenset(partition for partition in wanted if partition.topic in with_it)


def _there(found: Mapping[str, Topic], wanted: Iterable[str]) -> Mapping[str, Topic]:
    missing = sorted(set(wanted) - found.keys())
    if missing:
        raise VerifyFailed(
            f"the source has no topic {', '.join(missing)}", hint="leave it out of topics.include in the plan file"
        )
    return found
