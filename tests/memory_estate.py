"""The estate that tests walk in memory: every topic is written, every application reads, all of it is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kmigrate.adapters.memory import Death, MemoryEstate, MemoryLines, MemoryWorkload
from kmigrate.model import (
    Application,
    Auth,
    CommandWorkload,
    JsonObject,
    Migration,
    Partition,
    Policy,
    Principal,
    Reads,
    SecretRef,
    Side,
    Source,
    Target,
    Topic,
)
from kmigrate.positions import digest
from kmigrate.world import Resource

APP = "ml-features"
GROUP = "ml-features"
TOPIC = "shipments"
PARTITIONS = 2
Picture = Mapping[str, object]


def migration() -> Migration:
    """One reader of one topic."""
    secret = SecretRef(env="SECRET")
    argv = ("true",)
    app = Application(
        name=APP,
        team="data",
        reads=(Reads(group=GROUP, topics=(TOPIC,)),),
        writes=(),
        principals=(Principal(source="sa-ml", target="ml-features"),),
        workloads=(CommandWorkload(stop=argv, switch=argv, start=argv, healthy=argv),),
    )
    return Migration(
        name="shop",
        source=Source(bootstrap="source:9092", auth=Auth(type="plain", username="k", password=secret)),
        target=Target(platform="lab", store="store", namespace="kafka", cluster="shop", listener="scram"),
        topics=(TOPIC,),
        applications=(app,),
        mirror_auth=Auth(type="plain", username="m", password=secret),
        policy=Policy(soak_ms=2_000),
    )


@dataclass
class Estate(MemoryEstate):
    """Writers who never stop by themselves, and what they wrote; `adopted`: the target's Kafka is there already."""

    migration: Migration = field(default_factory=migration)
    writing: bool = True
    adopted: bool = True
    written: dict[Partition, int] = field(default_factory=dict)
    lines: MemoryLines = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lines = MemoryLines(self.death)
        for name in self.migration.topics:
            self.clusters[Side.SOURCE].create(Topic(name=name, partitions=PARTITIONS))
        self.store.death = Death()
        for body in (_kafka(self.migration.target), _pool(self.migration.target)) if self.adopted else ():
            self.store.apply(body)
        self.store.death = self.death
        for _ in range(10):
            self.turn()

    @property
    def app(self) -> MemoryWorkload:
        """The only application of `migration()`."""
        return self.workloads[APP]

    def turn(self) -> None:
        """The writers go first."""
        if self.writing:
            self._write()
        super().turn()

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.turn()

    def settle(self) -> None:
        """The writers stop; then all is copied and read, and whatever would be given twice comes."""
        self.writing = False
        for _ in range(500):
            if all(self._read_all(app) for app in self.migration.applications):
                break
            self.turn()
        self.turns(3)

    def picture(self) -> Picture:
        """What kmigrate may change, and nothing that moves by itself while others work."""
        empty = {
            f"{group} on the {side}": dict(at)
            for side, groups in self.groups.items()
            for group, at in groups.held_by.items()
            if not groups.members.get(group)
        }
        return {
            "resources": {str(resource.key): _wish(resource) for resource in self.store.all()},
            "rights": set(self.clusters[Side.SOURCE].acls.rules),
            "workloads": {name: (w.running, w.side) for name, w in self.workloads.items()},
            "groups": empty,
            "claimed": self.claim.taken,
            "topics": {side: sorted(cluster.made) for side, cluster in self.clusters.items()},
        }

    def _read_all(self, app: Application) -> bool:
        workload = self.workloads[app.name]
        return not workload.running or all(
            workload.processed.get((reads.group, partition), [-1])[-1] == count - 1
            for reads in app.reads
            for partition, count in self.written.items()
            if partition.topic in reads.topics
        )

    def _write(self) -> None:
        """Whoever the plan declares writes where it runs and may; all other topics are written on the source."""
        for partition in [p for p in self.clusters[Side.SOURCE].logs if p.topic in self.migration.topics]:
            side = self._written_on(partition.topic)
            if side is None:
                continue
            log = self.clusters[side].logs[partition]
            number = self.written.get(partition, 0)
            for each in (number, number + 1):
                twin = each // 3 if each % 3 else each  # twins and triplets, equal in every byte
                log.put(1_000 + twin, _digest(twin), each)
            self.written[partition] = number + 2
            if (number + 1) % 5 == 0:
                log.mark()

    def _written_on(self, topic: str) -> Side | None:
        declared = [app for app in self.migration.applications if topic in app.writes]
        if not declared:
            return Side.SOURCE
        return next((self.workloads[app.name].side for app in declared if self._may_write(app, topic)), None)

    def _may_write(self, app: Application, topic: str) -> bool:
        workload, principal = self.workloads[app.name], app.principals[0]
        who = principal.source if workload.side is Side.SOURCE else principal.target
        acls = self.clusters[workload.side].acls
        return workload.running and acls.allows(f"User:{who.removeprefix('User:')}", "topic", topic, "Write")


_digests: dict[int, bytes] = {}


def _digest(twin: int) -> bytes:
    if twin not in _digests:
        _digests[twin] = digest(1_000 + twin, b"k", str(twin).encode())
    return _digests[twin]


def _wish(resource: Resource) -> JsonObject:
    kept = {part: resource.metadata.get(part) for part in ("labels", "annotations")}
    return {**resource.body, "metadata": kept, "status": None}


def _kafka(target: Target) -> JsonObject:
    metadata: JsonObject = {"name": target.cluster, "namespace": target.namespace}
    return {"apiVersion": "v1", "kind": "Kafka", "metadata": metadata, "spec": {}}


def _pool(target: Target) -> JsonObject:
    labels: JsonObject = {"strimzi.io/cluster": target.cluster}
    metadata: JsonObject = {"name": "dual", "namespace": target.namespace, "labels": labels}
    return {"kind": "KafkaNodePool", "metadata": metadata, "spec": {"replicas": 1, "roles": ["broker"]}}
