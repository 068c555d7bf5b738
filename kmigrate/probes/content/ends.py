"""Up to where both sides are compared: the last place known on both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmigrate.errors import VerifyFailed
from kmigrate.model import Grade, Lane, Partition, Position, Side, Topic
from kmigrate.probes.content.compared import Ends
from kmigrate.probes.drain import Watch, await_copies, unwatched
from kmigrate.probes.ownership import in_force, origin
from kmigrate.world import World


def settled_ends(
    world: World,
    lane: Lane,
    topics: Iterable[str],
    *,
    deadline_ms: int,
    watch: Watch = unwatched,
) -> dict[Partition, Ends]:
    """Take the ends of now for these topics of the lane where they are written, and wait until all before is copied.

    Raises VerifyFailed for a topic that is not there, StillUnderWay after the deadline.
    """
    force = in_force(world, lane)
    side = origin(force)
    there = _there(world.cluster(side).topics(topics), topics, side)
    logs = world.cluster(side).ranges([partition for topic in there.values() for partition in topic.all()])
    bounds = {partition: log.end for partition, log in logs.items()}
    what = f"copies of {force.name}"
    found = await_copies(world, side, bounds, force, what=what, deadline_ms=deadline_ms, watch=watch).positions
    seen = {p: log.end for p, log in world.cluster(side.other).ranges(bounds).items()}
    return {p: _ends(side, end, found[p], seen[p]) for p, end in bounds.items()}


def _ends(owner: Side, end: int, at: Position, last: int) -> Ends:
    """Where the comparison ends on either side; without a certain place it may go to the last stable offset across."""
    exact = at.offset is not None and at.grade in (Grade.EXACT_PROVEN, Grade.EXACT_MATCHED)
    place = at.offset if exact and at.offset is not None else last
    source, target = (end, place) if owner is Side.SOURCE else (place, end)
    seen = last if owner is Side.SOURCE else end
    return Ends(source=source, target=target, seen=seen, unknown="" if exact else at.reason)


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


def _there(found: Mapping[str, Topic], wanted: Iterable[str], side: Side) -> Mapping[str, Topic]:
    missing = sorted(set(wanted) - found.keys())
    if missing:
        raise VerifyFailed(
            f"the {side} has no topic {', '.join(missing)}", hint="leave it out of topics.include in the plan file"
        )
    return found
