"""Where the groups of an application stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmigrate.errors import Blocked
from kmigrate.model import Application, Partition, Reads, Side
from kmigrate.world import World


def partitions_read(world: World, side: Side, every: Iterable[Reads]) -> dict[str, tuple[Partition, ...]]:
    """Every partition of every topic that each group reads; raises Blocked for a topic that is not there."""
    wanted = tuple(every)
    names = {topic for reads in wanted for topic in reads.topics}
    topics = world.cluster(side).topics(names)
    missing = sorted(names - set(topics))
    if missing:
        raise Blocked(
            f"the {side} has no topic {', '.join(missing)}, or kmigrate may not see it there",
            hint="run `kmigrate apply --phase provision`, or grant DESCRIBE and READ on it",
        )
    return {reads.group: tuple(p for name in reads.topics for p in topics[name].all()) for reads in wanted}


def positions_held(world: World, side: Side, reads: Reads, *, stable: bool = True) -> dict[Partition, int]:
    """The position of the group in every partition it reads; raises Blocked where it holds none.

    Without a position the client's `auto.offset.reset` decides, which is a guess (design §9). With `stable=False` where
    it stood a moment ago, for a look at a group that may run (`Groups.positions`).
    """
    return every_position_held(world, side, (reads,), stable=stable)[reads.group]


def every_position_held(
    world: World, side: Side, every: Iterable[Reads], *, stable: bool = True
) -> dict[str, dict[Partition, int]]:
    """The same of several groups; their topics are looked for once."""
    found = world.groups(side).positions(partitions_read(world, side, every), stable=stable)
    return {group: _held(side, group, of) for group, of in found.items()}


def _held(side: Side, group: str, found: Mapping[Partition, int | None]) -> dict[Partition, int]:
    without = sorted(partition for partition, offset in found.items() if offset is None)
    if without:
        raise Blocked(
            f"group {group} holds no position on the {side} in {', '.join(map(str, without))}",
            hint="let the application commit one in every partition (read a record, or commit at assignment), "
            "then run this again",
        )
    return {partition: offset for partition, offset in found.items() if offset is not None}


def running_groups(world: World, side: Side, application: Application) -> Mapping[str, str]:
    """Groups of the application that are not stopped on that side, with what the coordinator says of them."""
    groups = world.groups(side).describe(reads.group for reads in application.reads)
    return {
        name: f"{group.state}, members: {', '.join(group.members) or 'none'}"
        for name, group in groups.items()
        if not group.stopped
    }
