"""Resources as rules look at them: whatever is not there is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from kmigrate.manifests.names import CLUSTER_LABEL
from kmigrate.model import Json, JsonObject, part


class Told(NamedTuple):
    """Which field is wrong, what is wrong with it, and the way out."""

    field: str
    what: str
    way_out: str


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """All resources that belong together; `brokers` is how many brokers the cluster has or will have."""

    every: tuple[JsonObject, ...]
    brokers: int

    def of(self, kind: str) -> Sequence[JsonObject]:
        """Those of a kind."""
        return self._by_kind.get(kind, ())

    @cached_property
    def keepers(self) -> Mapping[str, str]:
        """The first resource of each topic, by the topic's name."""
        named = ((topic_of(body), name(body)) for body in self.of("KafkaTopic"))
        return dict(sorted(named, reverse=True))

    @cached_property
    def _by_kind(self) -> Mapping[str, Sequence[JsonObject]]:
        found: dict[str, list[JsonObject]] = {}
        for body in self.every:
            found.setdefault(str(body.get("kind")), []).append(body)
        return found


Rule: TypeAlias = Callable[[JsonObject, Bodies], Iterator[Told]]


def name(body: JsonObject) -> str:
    """What Kubernetes calls it."""
    return str(part(body, "metadata").get("name"))


def topic_of(body: JsonObject) -> str:
    """The topic that a KafkaTopic is about."""
    return str(part(body, "spec").get("topicName", name(body)))


def belongs_to(body: JsonObject) -> str:
    """The Kafka or KafkaConnect of its label; empty without one."""
    return str(part(body, "metadata", "labels").get(CLUSTER_LABEL, ""))


def items(listed: Json) -> Sequence[Json]:
    """What is in a list, or nothing."""
    return listed if isinstance(listed, list | tuple) else ()


def whole(value: Json) -> int:
    """A number however it is written; 0 where it is none."""
    return int(str(value)) if str(value).lstrip("-").isdigit() else 0


def asked_brokers(every: Sequence[JsonObject]) -> int:
    """How many brokers the pools among them ask for."""
    pools = (part(body, "spec") for body in every if body.get("kind") == "KafkaNodePool")
    return sum(whole(pool.get("replicas")) for pool in pools if "broker" in items(pool.get("roles")))
