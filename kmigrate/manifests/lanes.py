"""The lanes of a migration and what their Connect groups are called. Names never change once a lane runs."""

from __future__ import annotations

from kmigrate.manifests.internal import MirrorNames
from kmigrate.model import Lane, Migration

FORWARD = MirrorNames(group="kmigrate-forward")
REVERSE = MirrorNames(group="kmigrate-reverse")


def forward_lanes(migration: Migration) -> tuple[Lane, ...]:
    """One lane with every topic; its aliases are part of Connect's offset keys, so they are fixed for good."""
    lane = Lane(
        name="lane-1",
        direction="forward",
        source_alias="source-1",
        target_alias="target",
        topics=tuple(sorted(migration.topics)),
    )
    return (lane,)


def reverse_lanes(migration: Migration) -> tuple[Lane, ...]:
    """The way back of every forward lane, in the same order."""
    return tuple(map(reverse_of, forward_lanes(migration)))


def reverse_of(forward: Lane) -> Lane:
    """The same topics from the target to the source.

    Its target alias is none of a forward lane's: their offset syncs would share a topic (`MirrorNames.offset_syncs`).
    """
    return Lane(
        name=f"{forward.name}-reverse",
        direction="reverse",
        source_alias=forward.target_alias,
        target_alias=f"{forward.source_alias}-reverse",
        topics=forward.topics,
    )
