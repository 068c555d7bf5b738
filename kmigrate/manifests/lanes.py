"""The lanes of a migration and what their Connect group is called. Names never change once a lane runs."""

from __future__ import annotations

from kmigrate.manifests.internal import MirrorNames
from kmigrate.model import Lane, Migration

FORWARD = MirrorNames(group="kmigrate-forward")


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
