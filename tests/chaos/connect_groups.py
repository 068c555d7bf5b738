"""The Connect groups of the stage, and the connectors that they know."""

from __future__ import annotations

from collections.abc import Iterable

from stage import Stage

from kmigrate.lab import compose
from kmigrate.lab.operator.status import mapping, objects
from kmigrate.lab.plan_file import NAMESPACE
from kmigrate.lab.runtime.connect import ConnectRest
from kmigrate.manifests.lanes import FORWARD, REVERSE
from kmigrate.model import JsonObject
from kmigrate.world import Key, Resource


def rests(stage: Stage) -> list[ConnectRest]:
    """Connect's interface of every group of workers that says where it is."""
    with compose.resources(stage.lab) as store:
        groups = [each for kind in ("KafkaMirrorMaker2", "KafkaConnect") for each in store.list(kind, NAMESPACE)]
    return _addressed(groups)


def _addressed(groups: Iterable[Resource]) -> list[ConnectRest]:
    return [ConnectRest(str(group.status["url"]), timeout_ms=10_000) for group in groups if group.status.get("url")]


def rests_by_name(stage: Stage) -> list[ConnectRest]:
    """Those of kmigrate's own lanes, by name: to list them takes the store's lock, which the frozen may hold."""
    groups = ("KafkaMirrorMaker2", FORWARD.group), ("KafkaConnect", REVERSE.group)
    with compose.resources(stage.lab) as store:
        found = (store.get(Key(kind, NAMESPACE, name)) for kind, name in groups)
        return _addressed(group for group in found if group is not None)


def connectors(rest: ConnectRest) -> dict[str, str]:
    """Every connector of a group with its state: that of its worst task, where one FAILED."""
    there = mapping(rest.get("/connectors?expand=status"))
    return {name: _state(mapping(mapping(seen)["status"])) for name, seen in there.items()}


def _state(status: JsonObject) -> str:
    failed = any(task.get("state") == "FAILED" for task in objects(status.get("tasks")))
    return "FAILED" if failed else str(mapping(status["connector"])["state"])
