"""Where a lane stands in its resource: a KafkaMirrorMaker2 has an entry for each forward lane, a reverse one its own.

The status is what Connect tells the operator of a connector: `{"name", "connector": {"state"}, "tasks": [{"id",
"state", "trace"}]}`.
"""

from __future__ import annotations

from collections.abc import Callable

from kmigrate.manifests.lanes import names_of
from kmigrate.model import Json, JsonObject, Lane, objects, part
from kmigrate.world import Key, Resource

GETS_UP = "its operator starts again what failed, later each time: run this again in a minute; mend what is named still"
"""What to do where a lane that is asked to run is not well."""


def lane_key(lane: Lane, namespace: str) -> Key:
    """The resource that has the lane."""
    if lane.direction == "reverse":
        return Key("KafkaConnector", namespace, lane.connector)
    return Key("KafkaMirrorMaker2", namespace, names_of(lane).group)


def connector_spec(resource: Resource, lane: Lane) -> JsonObject | None:
    """What the resource asks of the lane's connector (`state`, `config`, …); None where it has no such lane."""
    if lane.direction == "reverse":
        return resource.spec
    for mirror in objects(resource.spec.get("mirrors")):
        if part(mirror, "source").get("alias") == lane.source_alias:
            return part(mirror, "sourceConnector")
    return None


def with_asked(resource: Resource, lane: Lane, asked: JsonObject) -> JsonObject:
    """The body with other things asked of the lane (`state`, …). No lane comes or goes: that would roll the pods."""
    return _with(resource, lane, lambda spec: {**spec, **asked})


def with_setting(resource: Resource, lane: Lane, name: str, value: str) -> JsonObject:
    """The body with one setting of the lane's connector another."""
    return _with(resource, lane, lambda spec: {**spec, "config": {**part(spec, "config"), name: value}})


def connector_status(resource: Resource, lane: Lane) -> JsonObject:
    """What the operator last told of the lane's connector; empty before its first word."""
    if lane.direction == "reverse":
        return part(resource.status, "connectorStatus")
    told = objects(resource.status.get("connectors"))
    return next((each for each in told if each.get("name") == lane.connector), {})


def _with(resource: Resource, lane: Lane, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    if lane.direction == "reverse":
        return {**resource.body, "spec": change(resource.spec)}
    mirrors: list[Json] = [
        {**each, "sourceConnector": change(part(each, "sourceConnector"))}
        if part(each, "source").get("alias") == lane.source_alias
        else each
        for each in objects(resource.spec.get("mirrors"))
    ]
    return {**resource.body, "spec": {**resource.spec, "mirrors": mirrors}}
