"""The lanes of a migration and what their Connect groups are called. Names never change once a lane runs."""

from __future__ import annotations

from kmigrate.manifests.internal import MirrorNames
from kmigrate.model import Lane, Migration, Side

FORWARD = MirrorNames(group="kmigrate-forward")
REVERSE = MirrorNames(group="kmigrate-reverse")
_BACK = "-reverse"


def names_of(lane: Lane) -> MirrorNames:
    """What the Connect group that runs a lane calls its own."""
    return REVERSE if lane.direction == "reverse" else FORWARD


def side_written(lane: Lane) -> Side:
    """The side a lane copies to; its connector's own offsets lie there, in the transaction of the data."""
    return Side.SOURCE if lane.direction == "reverse" else Side.TARGET


def forward_lanes(migration: Migration) -> tuple[Lane, ...]:
    """The lanes as the migration has them, by number; aliases are part of Connect's offset keys, fixed for good."""
    return tuple(_forward(number, topics) for number, topics in enumerate(topics_by_lane(migration), 1) if topics)


def topics_by_lane(migration: Migration) -> tuple[tuple[str, ...], ...]:
    """The topics of each lane by its number, none where all are gone; one lane with every topic where none is told."""
    return migration.lane_topics or (tuple(sorted(migration.topics)),)


def _forward(number: int, topics: tuple[str, ...]) -> Lane:
    return Lane(
        name=f"lane-{number}",
        direction="forward",
        source_alias=f"source-{number}",
        target_alias="target",
        topics=topics,
    )


def reverse_lanes(migration: Migration) -> tuple[Lane, ...]:
    """The way back of every forward lane, in the same order."""
    return tuple(map(reverse_of, forward_lanes(migration)))


def other_way(lane: Lane) -> Lane:
    """The lane that copies the same topics the other way."""
    if lane.direction == "forward":
        return reverse_of(lane)
    back = Lane(
        name=lane.name.removesuffix(_BACK),
        direction="forward",
        source_alias=lane.target_alias.removesuffix(_BACK),
        target_alias=lane.source_alias,
        topics=lane.topics,
    )
    assert reverse_of(back) == lane
    return back


def reverse_of(forward: Lane) -> Lane:
    """The same topics from the target to the source.

    Its target alias is none of a forward lane's: their offset syncs would share a topic (`MirrorNames.offset_syncs`).
    """
    return Lane(
        name=f"{forward.name}{_BACK}",
        direction="reverse",
        source_alias=forward.target_alias,
        target_alias=f"{forward.source_alias}{_BACK}",
        topics=forward.topics,
    )
