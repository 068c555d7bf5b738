"""All rules by name and kind, and what they say of resources that belong together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kmigrate.manifests.refusals.bodies import Bodies, Rule, Told, asked_brokers, name
from kmigrate.manifests.refusals.cluster import KAFKA_RULES
from kmigrate.manifests.refusals.connect import (
    BRIDGE_RULES,
    CONNECT_RULES,
    CONNECTOR_RULES,
    MIRROR_RULES,
    SETTING_RULES,
    WORKER_RULES,
)
from kmigrate.manifests.refusals.listeners import LISTENER_RULES
from kmigrate.manifests.refusals.pools import BELONGING, POOL_RULES
from kmigrate.manifests.refusals.topics_and_users import TOPIC_RULES, USER_RULES
from kmigrate.model import JsonObject, part

_LARGEST = 1_500_000


def size(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Kubernetes keeps each resource as one value of etcd, which takes 1.5 MiB; it keeps who wrote what beside it."""
    length = len(json.dumps(body))
    if length > _LARGEST:
        told = f"{length / 1e6:.1f} MB is more than Kubernetes stores as one resource"
        yield Told("spec", told, "split the plan in two, each with some of the topics")


_GROWING: Mapping[str, Rule] = {"resource-size": size}
"""For kinds that grow with the number of topics."""
_BY_KIND: Mapping[str, Mapping[str, Rule]] = {
    "Kafka": {**LISTENER_RULES, **KAFKA_RULES},
    "KafkaNodePool": {**BELONGING, **POOL_RULES},
    "KafkaTopic": {**BELONGING, **TOPIC_RULES},
    "KafkaUser": {**BELONGING, **USER_RULES, **_GROWING},
    "KafkaConnect": {**WORKER_RULES, **CONNECT_RULES},
    "KafkaMirrorMaker2": {**WORKER_RULES, **SETTING_RULES, **MIRROR_RULES, **_GROWING},
    "KafkaConnector": {**SETTING_RULES, **CONNECTOR_RULES},
    "KafkaBridge": BRIDGE_RULES,
}
RULES = frozenset(rule for rules in _BY_KIND.values() for rule in rules)
"""The name of every rule."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Refusal:
    """What the operator would refuse: which resource, which field, what is wrong with it, and the way out."""

    subject: str
    field: str
    what: str
    way_out: str
    rule: str

    def __str__(self) -> str:
        return f"{self.subject} {self.field}: {self.what}; {self.way_out}"


def refusals(every: Iterable[JsonObject], *, brokers: int | None = None) -> tuple[Refusal, ...]:
    """Everything at once, sorted; `brokers` is how many there are where no pool is among the resources."""
    bodies = tuple(every)
    seen = Bodies(every=bodies, brokers=asked_brokers(bodies) if brokers is None else brokers)
    return tuple(sorted({each for body in bodies for each in _of(body, seen)}))


def _of(body: JsonObject, seen: Bodies) -> Iterator[Refusal]:
    kind, namespace = str(body.get("kind")), part(body, "metadata").get("namespace")
    subject = f"{kind} {namespace}/{name(body)}" if namespace else f"{kind} {name(body)}"
    for rule, look in _BY_KIND.get(kind, {}).items():
        for field, what, way_out in look(body, seen):
            yield Refusal(subject=subject, field=field, what=what, way_out=way_out, rule=rule)
