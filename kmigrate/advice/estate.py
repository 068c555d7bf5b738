"""What was seen on the source: topics, groups, principals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.model import Group, JsonObject, Partition, Right, Topic

_OWN_TOPICS = ("__", "_confluent", "kmigrate-", "mm2-offset-syncs.")
"""Kafka's, Confluent's and our own: nobody moves them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenGroup:
    """A group and every position it holds."""

    group: Group
    held: Mapping[Partition, int]

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic it holds a position in, once, sorted."""
        return tuple(sorted({partition.topic for partition in self.held}))

    @property
    def in_use(self) -> bool:
        """Whether it has members or holds a position."""
        return bool(self.group.members or self.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything on the source that kmigrate may describe.

    `rights` is None where the ACLs could not be listed; then `unlisted` says why and what grants it.
    """

    cluster_id: str
    topics: Mapping[str, Topic]
    groups: Mapping[str, SeenGroup]
    rights: tuple[Right, ...] | None
    unlisted: str = ""

    @property
    def user_topics(self) -> Mapping[str, Topic]:
        """The topics without Kafka's, Confluent's and our own."""
        return {name: topic for name, topic in sorted(self.topics.items()) if not name.startswith(_OWN_TOPICS)}

    @property
    def partitions(self) -> int:
        """How many partitions the users' topics have together."""
        return sum(topic.partitions for topic in self.user_topics.values())

    @property
    def principals(self) -> tuple[str, ...]:
        """Everybody who holds an ACL, sorted; empty too where none could be listed."""
        return tuple(sorted({right.principal for right in self.rights or ()}))

    def facts(self) -> JsonObject:
        """What the ledger keeps: names and partition counts, and a digest over them."""
        names: dict[str, JsonObject | list[str] | str | None] = {
            "clusterId": self.cluster_id,
            "topics": {name: topic.partitions for name, topic in self.user_topics.items()},
            "groups": sorted(name for name, seen in self.groups.items() if seen.in_use),
            "principals": None if self.rights is None else list(self.principals),
        }
        told = json.dumps(names, sort_keys=True)
        return {**names, "digest": hashlib.sha256(told.encode()).hexdigest()[:16]}
