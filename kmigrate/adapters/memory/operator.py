"""A slow operator: resources become Ready, and real, only after turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.connect import MemoryConnect
from kmigrate.adapters.memory.mirror import MemoryMirror
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.model import Json, JsonObject, Right, Topic
from kmigrate.world import Resource

_KINDS = (
    *("Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"),
    *("KafkaMirrorMaker2", "KafkaConnect", "KafkaConnector", "KafkaBridge"),
)
_READY: JsonObject = {"type": "Ready", "status": "True"}


@dataclass(slots=True)
class MemoryOperator(State):
    """Makes topics, users and both mirrors real; looks `slowness` turns after a change, and tells what it saw.

    A `lazy` one says Ready and makes nothing real.
    """

    store: MemoryStore
    cluster: MemoryCluster
    mirror: MemoryMirror
    listeners: Mapping[str, str]
    slowness: int = 0
    lazy: bool = False
    _looked: int = -1
    _turns: int = 0
    _topics: set[str] = field(default_factory=set)
    _told: tuple[tuple[str, str], ...] = ()
    connect: MemoryConnect = field(init=False)

    def __post_init__(self) -> None:
        self.connect = MemoryConnect(self.store, self.mirror)

    def work(self) -> None:
        """A turn: make what was asked for real, and write what came of it."""
        failures = (*self.mirror.failures(), *self.mirror.back.failures())
        if self.store.version == self._looked and self._told == failures and not self.connect.again:
            return
        self._turns += 1
        if self._turns <= self.slowness:
            return
        self._turns, self._told = 0, failures
        resources = self.store.all()
        if not self.lazy:
            self._make_real(resources)
        for resource in resources:
            if resource.key.kind in _KINDS:
                self.store.write_status(resource.key, self._status(resource))
        self._looked = self.store.version

    def _make_real(self, resources: Sequence[Resource]) -> None:
        self._make_topics([r for r in resources if r.key.kind == "KafkaTopic"])
        self._make_users([r for r in resources if r.key.kind == "KafkaUser"])
        self.connect.make_real(resources)

    def _make_topics(self, resources: Sequence[Resource]) -> None:
        wanted = {topic.name: topic for topic in map(_topic, resources)}
        for name in self._topics - wanted.keys():
            self.cluster.remove(name)
        for name, topic in wanted.items():
            if self.cluster.made.get(name) != topic:
                self.cluster.create(topic)
        self._topics = set(wanted)

    def _make_users(self, resources: Sequence[Resource]) -> None:
        """The operator owns the rights of all users: those of strangers go."""
        self.cluster.users = {resource.key.name for resource in resources}
        self.cluster.acls.rules = {right for resource in resources for right in _rights(resource)}

    def _status(self, resource: Resource) -> JsonObject:
        told = {"conditions": [_READY]} if self.lazy else self.connect.status(resource)
        status: dict[str, Json] = {"observedGeneration": resource.generation, **told}
        if resource.key.kind == "Kafka":
            listeners = [{"name": name, "bootstrapServers": address} for name, address in self.listeners.items()]
            status |= {"listeners": listeners, "clusterId": self.cluster.id()}
        return status


def _topic(resource: Resource) -> Topic:
    config, partitions = resource.spec.get("config"), resource.spec["partitions"]
    assert isinstance(partitions, int)
    own = {name: _text(value) for name, value in config.items()} if isinstance(config, Mapping) else {}
    return Topic(name=str(resource.spec.get("topicName", resource.key.name)), partitions=partitions, config=own)


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rights(user: Resource) -> Iterator[Right]:
    authorization = user.spec.get("authorization")
    listed = authorization.get("acls") if isinstance(authorization, Mapping) else None
    for acl in listed if isinstance(listed, Sequence) else ():
        assert isinstance(acl, Mapping)
        place, operations = acl["resource"], acl["operations"]
        assert isinstance(place, Mapping)
        assert isinstance(operations, Sequence)
        for operation in operations:
            yield Right(
                principal=f"User:{user.key.name}",
                resource=str(place["type"]),
                name=str(place.get("name", "kafka-cluster")),
                operation=str(operation),
                type=str(acl.get("type", "allow")),
                pattern=str(place.get("patternType", "literal")),
            )
