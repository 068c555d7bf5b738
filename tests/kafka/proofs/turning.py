"""Turning the direction of a topic the way the design does it (§4.2, §4.4)."""

from __future__ import annotations

from mirror_group import MirrorGroup
from traffic import COMMITTED, UNCOMMITTED, ends, identities, whole_log
from two_clusters import OneCluster, TwoClusters

from kmigrate.model import Lane, Partition


def await_equal(two: TwoClusters, topic: str) -> None:
    """Wait until both sides hold the same committed records in the same order."""
    two.until(
        f"{topic} to be equal on both sides",
        lambda: identities(whole_log(two.source, topic)) == identities(whole_log(two.target, topic)),
    )


def still_ends(cluster: OneCluster, topic: str, partitions: int) -> dict[int, int]:
    """The ends of a topic that nobody writes: last stable offset = high watermark."""
    stable = ends(cluster, topic, partitions, COMMITTED)
    assert stable == ends(cluster, topic, partitions, UNCOMMITTED)
    return stable


def arm(group: MirrorGroup, way: Lane, begin: dict[int, int], *, shift: int = -1) -> None:
    """Let a stopped lane begin at these offsets: it is told the one before as copied, none for an empty partition.

    `shift` is -1; anything else is a mistake that a test makes on purpose.
    """
    (topic,) = way.topics
    told = {Partition(topic, number): offset + shift for number, offset in begin.items() if offset > 0}
    group.alter(way, told)
    group.read_back(way, told)
