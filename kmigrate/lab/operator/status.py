"""How Strimzi writes status: conditions, generation, and which of its fields outlive a failure.

Sources: io.strimzi.operator.common.operator.resource.StatusUtils and StatusDiff, and for KafkaTopic
io.strimzi.operator.topic.BatchingTopicController, whose failures are `Ready=False`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from kmigrate.model import Json, JsonObject
from kmigrate.world import Clock, Resource, ResourceStore

PAUSE = "strimzi.io/pause-reconciliation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One entry of `status.conditions` without its time."""

    type: str
    status: str = "True"
    reason: str = ""
    message: str = ""


READY = Condition(type="Ready")


class Rejected(Exception):
    """The operator refuses the resource; `reason` is the Java exception's class or the topic operator's word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def not_ready(reason: str, message: str) -> Condition:
    """NotReady as every kind but KafkaTopic has it."""
    return Condition(type="NotReady", reason=reason, message=message)


def topic_not_ready(reason: str, message: str) -> Condition:
    """The failure of a KafkaTopic: ResourceConflict, NotSupported, KafkaError or InternalError."""
    return Condition(type="Ready", status="False", reason=reason, message=message)


def warning(reason: str, message: str) -> Condition:
    """A condition that may stand beside Ready."""
    return Condition(type="Warning", reason=reason, message=message)


def is_paused(resource: Resource) -> bool:
    """Whether a human asked the operator to leave it alone."""
    return annotation(resource, PAUSE) == "true"


def annotation(resource: Resource, name: str) -> str:
    """An annotation, or "" without one."""
    return str(mapping(resource.metadata.get("annotations")).get(name, ""))


def label(resource: Resource, name: str) -> str:
    """A label, or "" without one."""
    return str(mapping(resource.metadata.get("labels")).get(name, ""))


def write(
    store: ResourceStore, clock: Clock, resource: Resource, conditions: Iterable[Condition], fields: JsonObject
) -> bool:
    """Replace the status as of the resource's generation; times alone are no difference (StatusDiff); was there one?"""
    old = resource.status
    status: dict[str, Json] = {
        "conditions": [_condition(condition, old, clock) for condition in conditions],
        "observedGeneration": resource.generation,
        **fields,
    }
    if status != old:
        store.write_status(resource.key, status)
    return status != old


def write_paused(store: ResourceStore, clock: Clock, resource: Resource) -> None:
    """Say that reconciliation is paused; `observedGeneration` and all else stay as they were."""
    paused = _condition(Condition(type="ReconciliationPaused"), resource.status, clock)
    status = {**resource.status, "conditions": [paused]}
    if status != resource.status:
        store.write_status(resource.key, status)


def kept(resource: Resource, *names: str) -> dict[str, Json]:
    """Those fields of the old status that a failure does not wipe."""
    return {name: resource.status[name] for name in names if name in resource.status}


def _condition(condition: Condition, old: JsonObject, clock: Clock) -> JsonObject:
    told: dict[str, Json] = {"type": condition.type, "status": condition.status}
    told |= {"reason": condition.reason} if condition.reason else {}
    told |= {"message": condition.message} if condition.message else {}
    for before in objects(old.get("conditions")):
        if {name: value for name, value in before.items() if name != "lastTransitionTime"} == told:
            return before
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {**told, "lastTransitionTime": f"{now}000Z"}


def mapping(value: object) -> JsonObject:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> tuple[JsonObject, ...]:
    """The objects in a list, or none."""
    return tuple(mapping(item) for item in value) if isinstance(value, (list, tuple)) else ()


def strings(value: object) -> tuple[str, ...]:
    """The texts in a list, or none."""
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


def whole(value: object, otherwise: int) -> int:
    """The value as a whole number, `otherwise` when it is absent."""
    return int(str(value)) if value is not None else otherwise


def setting(value: Json) -> str:
    """A setting as Kafka reads it: booleans in lower case, lists between commas (Strimzi's OrderedProperties)."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(setting(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
