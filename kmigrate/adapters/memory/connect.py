"""What the operator says of connectors, and how it lists and sets their offsets (`strimzi.md` §3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from kmigrate.adapters.memory.lanes import Connector, MemoryLanes, forward, reverse
from kmigrate.adapters.memory.mirror import MemoryMirror
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.manifests.lane_offsets import ACTION, ALTER, LIST, MIRROR_CONNECTOR
from kmigrate.manifests.names import CLUSTER_LABEL
from kmigrate.manifests.reverse import USE_RESOURCES
from kmigrate.model import Json, JsonObject, Partition, objects, part
from kmigrate.world import Key, Resource

_READY: JsonObject = {"type": "Ready", "status": "True"}


@dataclass(slots=True)
class MemoryConnect(State):
    """The operator's half for KafkaMirrorMaker2, KafkaConnect and KafkaConnector.

    `refused` has what was wrong with a wish for offsets, by resource; it is tried again. `anew` are connectors that got
    other settings: Connect makes them anew, and for a turn they are neither stopped nor running.
    """

    store: MemoryStore
    mirror: MemoryMirror
    refused: dict[Key, str] = field(default_factory=dict)
    anew: set[str] = field(default_factory=set)
    _settings: dict[str, JsonObject] = field(default_factory=dict)

    @property
    def again(self) -> bool:
        """Whether there is something to look at once more though nothing was changed."""
        return bool(self.refused or self.anew)

    def make_real(self, resources: Sequence[Resource]) -> None:
        """Ask the mirror for what they ask for, and fulfil what annotations wish."""
        mirrors = [resource for resource in resources if resource.key.kind == "KafkaMirrorMaker2"]
        homes = {resource.key for resource in resources if resource.key.kind == "KafkaConnect" and _takes(resource)}
        connectors = [r for r in resources if r.key.kind == "KafkaConnector" and _home(r) in homes]
        self.mirror.asked = tuple(each for mirror in mirrors for each in forward(mirror))
        self.mirror.back.asked = tuple(map(reverse, connectors))
        settings = {each.name: part(each.spec, "config") for each in (*self.mirror.asked, *self.mirror.back.asked)}
        self.anew = {name for name, wanted in settings.items() if self._settings.get(name, wanted) != wanted}
        self._settings = settings
        self.refused.clear()
        for mirror in mirrors:
            for each in forward(mirror):
                self._serve(mirror, each, self.mirror)
        for resource in connectors:
            self._serve(resource, reverse(resource), self.mirror.back)

    def status(self, resource: Resource) -> JsonObject:
        """What is told of it beside its generation."""
        if resource.key.kind == "KafkaMirrorMaker2":
            told: list[Json] = [self._seen(self.mirror, each) for each in forward(resource)]
            return {"conditions": [_READY, *self._warnings(resource)], "connectors": told}
        return (
            self._status_of_connector(resource) if resource.key.kind == "KafkaConnector" else {"conditions": [_READY]}
        )

    def _seen(self, lanes: MemoryLanes, connector: Connector) -> JsonObject:
        if connector.name in self.anew:
            return {"name": connector.name, "connector": {"state": "UNASSIGNED"}, "tasks": []}
        return lanes.status(connector)

    def _status_of_connector(self, resource: Resource) -> JsonObject:
        connector, home = reverse(resource), _home(resource)
        if connector not in self.mirror.back.asked:
            why = (
                f"{home.kind} resource '{home.name}' identified by label '{CLUSTER_LABEL}' does not exist in namespace"
            )
            return {"conditions": [_not_ready("NoSuchResourceException", f"{why} {home.namespace}.")], "tasksMax": 1}
        status, ready = self._seen(self.mirror.back, connector), _READY
        if any(task.get("state") == "FAILED" for task in objects(status.get("tasks"))):
            ready = _not_ready("Throwable", "The following tasks have failed: 0, see connectorStatus for more details.")
        return {"conditions": [ready, *self._warnings(resource)], "connectorStatus": status, "tasksMax": 1}

    def _warnings(self, resource: Resource) -> list[Json]:
        why = self.refused.get(resource.key)
        told = f"Encountered error altering connector offsets. {why}"
        return [{"type": "Warning", "status": "True", "reason": "AlterOffsets", "message": told}] if why else []

    def _serve(self, resource: Resource, connector: Connector, lanes: MemoryLanes) -> None:
        """Fulfil the wish and remove its annotations; what is refused stays for another try."""
        annotations = part(resource.metadata, "annotations")
        action, name = annotations.get(ACTION), annotations.get(MIRROR_CONNECTOR, resource.key.name)
        if name != connector.name or action not in (LIST, ALTER):
            return
        why = self._alter(resource, connector, lanes) if action == ALTER else self._list(resource, connector, lanes)
        if why:
            self.refused[resource.key] = why
            return
        gone: JsonObject = {ACTION: None, MIRROR_CONNECTOR: None}
        metadata: JsonObject = {"name": resource.key.name, "namespace": resource.key.namespace, "annotations": gone}
        self.store.apply_by_operator({**resource.body, "metadata": metadata})

    def _list(self, resource: Resource, connector: Connector, lanes: MemoryLanes) -> str:
        """Write the offsets into the ConfigMap that is named for them."""
        offsets: list[Json] = [
            {
                "partition": {"cluster": connector.alias, "topic": p.topic, "partition": p.number},
                "offset": {"offset": n},
            }
            for p, n in sorted(lanes.last.items())
            if connector.has(p.topic)
        ]
        place = _map(resource, connector, "listOffsets", "toConfigMap")
        there = self.store.get(place)
        data: JsonObject = {
            **(there.data if there else {}),
            _file(resource, connector): json.dumps({"offsets": offsets}),
        }
        metadata: JsonObject = {"name": place.name, "namespace": place.namespace}
        self.store.apply_by_operator({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        return ""

    def _alter(self, resource: Resource, connector: Connector, lanes: MemoryLanes) -> str:
        """Set the offsets that stand in the ConfigMap; why not, or nothing. Those of other clusters mean nothing."""
        place, file = _map(resource, connector, "alterOffsets", "fromConfigMap"), _file(resource, connector)
        there = self.store.get(place)
        if there is None or file not in there.data:
            return f"{place} with {file} does not exist."
        if not lanes.stands(connector.name):
            return "Connector is not in STOPPED state"
        for one in json.loads(str(there.data[file]))["offsets"]:
            where = one["partition"]
            if where["cluster"] == connector.alias and connector.has(where["topic"]):
                lanes.last[Partition(where["topic"], int(where["partition"]))] = int(one["offset"]["offset"])
        return ""


def _home(connector: Resource) -> Key:
    """The KafkaConnect that a KafkaConnector belongs to."""
    return Key("KafkaConnect", connector.key.namespace, str(part(connector.metadata, "labels").get(CLUSTER_LABEL)))


def _takes(connect: Resource) -> bool:
    """Whether KafkaConnectors say which connectors it runs."""
    return part(connect.metadata, "annotations").get(USE_RESOURCES) == "true"


def _map(resource: Resource, connector: Connector, verb: str, way: str) -> Key:
    return Key("ConfigMap", resource.key.namespace, str(part(connector.spec, verb, way).get("name")))


def _file(resource: Resource, connector: Connector) -> str:
    """The key in both ConfigMaps (`lane_offsets.file_name`)."""
    one_of_many = resource.key.kind == "KafkaMirrorMaker2"
    return f"{connector.name.replace('->', '--')}.json" if one_of_many else "offsets.json"


def _not_ready(reason: str, message: str) -> JsonObject:
    return {"type": "NotReady", "status": "True", "reason": reason, "message": message}
