"""A small world in memory: logs with markers, a coarse mirror, a slow operator, an application; classes with state.

Nothing asynchronous is true when a call returns: it becomes true while somebody waits (`Clock.sleep`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from memory_cluster import Death, Died, Lines, Log, MemoryCluster

from kmigrate.model import (
    Application,
    Auth,
    CommandWorkload,
    Denial,
    Json,
    JsonObject,
    Lane,
    Migration,
    OffsetRange,
    Partition,
    Policy,
    Principal,
    Reads,
    SecretRef,
    Side,
    Source,
    Sync,
    Target,
    Trial,
)
from kmigrate.positions import SyncIndex, digest
from kmigrate.world import Event, Key, Ledger, Reporter, Resource, WorkloadView

__all__ = ["Death", "Died", "Lines", "Log", "MemoryCluster"]

TOPIC = "shipments"
GROUP = "ml-features"
PARTITIONS = 2
ADDRESS = {Side.SOURCE: "source:9092", Side.TARGET: "target:9092"}


@dataclass(slots=True)
class MemoryStore:
    """Resources in a dictionary."""

    death: Death
    kept: dict[Key, Resource] = field(default_factory=dict)

    def apply(self, body: JsonObject) -> Resource:
        metadata = body["metadata"]
        assert isinstance(metadata, Mapping)
        key = Key(str(body["kind"]), str(metadata["namespace"]), str(metadata["name"]))
        old = self.kept.get(key)
        if old is not None and {**old.body, "status": None} == {**body, "status": None}:
            return old
        self.death.pass_by()
        generation = old.generation + 1 if old else 1
        whole = {**body, "status": old.status} if old else dict(body)
        self.kept[key] = Resource(key=key, body=whole, generation=generation, version=str(generation))
        self.death.pass_by()
        return self.kept[key]

    def get(self, key: Key) -> Resource | None:
        return self.kept.get(key)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        return tuple(r for k, r in sorted(self.kept.items(), key=str) if (k.kind, k.namespace) == (kind, namespace))

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        return tuple(r for k, r in sorted(self.kept.items(), key=str) if k.kind == kind)

    def delete(self, key: Key) -> bool:
        self.death.pass_by()
        return self.kept.pop(key, None) is not None

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        old = self.kept[key]
        self.kept[key] = Resource(key=key, body={**old.body, "status": status}, generation=old.generation, version="s")
        return self.kept[key]

    def watch(self, kinds: Iterable[str], namespace: str, timeout_ms: int) -> Iterator[Event]:
        return iter(())


@dataclass(slots=True)
class MemorySecrets:
    """References in a dictionary; the secret itself is not needed."""

    death: Death
    kept: dict[tuple[str, str], SecretRef] = field(default_factory=dict)

    def exists(self, name: str) -> bool:
        return any(n == name for n, _ in self.kept)

    def stored(self, name: str, key: str, reference: SecretRef) -> bool:
        return self.kept.get((name, key)) == reference

    def store(self, name: str, key: str, reference: SecretRef) -> None:
        self.death.pass_by()
        self.kept[name, key] = reference

    def remove(self, name: str) -> None:
        self.death.pass_by()
        self.kept = {place: ref for place, ref in self.kept.items() if place[0] != name}


@dataclass(slots=True)
class MemoryApplication:
    """Reads with one group on the side its settings name; remembers the numbers of what it processed, in order."""

    death: Death
    side: Side = Side.SOURCE
    running: bool = True
    held_up: bool = False
    mixed: bool = False
    stops_in_ms: int = 0
    clock: MemoryClock | None = None
    processed: dict[Partition, list[int]] = field(default_factory=dict)

    def look(self) -> WorkloadView:
        return WorkloadView(running=self.running, bootstrap="" if self.mixed else ADDRESS[self.side])

    def stop(self) -> None:
        self._do(lambda: setattr(self, "running", False))
        if self.clock is not None:
            self.clock.now += self.stops_in_ms

    def start(self) -> None:
        self._do(lambda: setattr(self, "running", True))

    def switch(self, side: Side) -> None:
        self._do(lambda: setattr(self, "side", side))
        self.mixed = False

    def _do(self, change: Callable[[], None]) -> None:
        self.death.pass_by()
        change()
        self.death.pass_by()

    def work(self, clusters: Mapping[Side, MemoryCluster], denied: Collection[Side] = ()) -> None:
        if self.held_up:
            return
        reads = self.running and self.side not in denied
        for side, cluster in clusters.items():
            cluster.members[GROUP] = ("m",) if reads and side is self.side else ()
        if reads:
            held = clusters[self.side].held_by.setdefault(GROUP, {})
            for partition in map(Partition, [TOPIC] * PARTITIONS, range(PARTITIONS)):
                self._read(partition, clusters[self.side].logs[partition], held)

    def _read(self, partition: Partition, log: Log, held: dict[Partition, int]) -> None:
        position = held.setdefault(partition, 0)
        for entry in log.visible(OffsetRange(start=position, end=log.end))[:7]:
            self.processed.setdefault(partition, []).append(entry.number)
            held[partition] = entry.offset + 1


@dataclass(slots=True)
class MemoryFence:
    """Denials of one side; a broker enforces one as soon as somebody has waited, and forgets it as slowly."""

    death: Death
    rules: set[Denial] = field(default_factory=set)
    enforced: set[Denial] = field(default_factory=set)
    stuck: bool = False
    stuck_until: str = ""
    lines: Lines | None = None

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        return frozenset(self.rules.intersection(denials))

    def deny(self, denials: Iterable[Denial]) -> None:
        for denial in denials:
            self._do(denial, self.rules.add)

    def lift(self, denials: Iterable[Denial]) -> None:
        for denial in denials:
            self._do(denial, self.rules.discard)

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        return dict.fromkeys(sorted(self.enforced.intersection(denials)), "tried: refused by every broker")

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        return tuple(f"lift {denial}" for denial in denials)

    def work(self) -> None:
        if self.lines is not None and self.stuck_until:
            self.stuck = not any(self.stuck_until in line for line in self.lines.written)
        if not self.stuck:
            self.enforced = set(self.rules)

    def _do(self, denial: Denial, change: Callable[[Denial], None]) -> None:
        self.death.pass_by()
        change(denial)
        self.death.pass_by()


@dataclass(slots=True)
class MemoryAccess:
    """What came of trying an application's credential."""

    trials: tuple[Trial, ...] = ()

    def try_out(self, application: str) -> tuple[Trial, ...]:
        return self.trials


@dataclass(slots=True)
class MemoryMirror:
    """Copies a few records per turn, a marker after each batch; knows the last source offset copied."""

    store: MemoryStore
    failed: str = ""
    last: dict[Partition, int] = field(default_factory=dict)
    marks: dict[Partition, SyncIndex] = field(default_factory=dict)

    def copied(self, lane: Lane) -> Mapping[Partition, int]:
        return dict(self.last)

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        return dict(self.marks)

    def trouble(self, lane: Lane) -> tuple[str, ...]:
        return (self.failed,) if self.failed else ()

    def work(self, clusters: Mapping[Side, MemoryCluster]) -> None:
        if not any(key.kind == "KafkaMirrorMaker2" for key in self.store.kept) or self.failed:
            return
        for partition, log in clusters[Side.SOURCE].logs.items():
            to = clusters[Side.TARGET].logs[partition]
            batch = log.visible(OffsetRange(start=self.last.get(partition, -1) + 1, end=log.end))[:9]
            for entry in batch:
                assert entry.record is not None
                to.put(entry.record.timestamp, entry.record.digest, entry.number)
                self.last[partition] = entry.offset
            if batch:
                self.marks.setdefault(partition, SyncIndex()).add(Sync(self.last[partition], to.end - 1))
                to.mark()


@dataclass(slots=True)
class MemoryClock:
    """Time that passes only when somebody sleeps; then everybody else works."""

    work: Callable[[], None] = lambda: None
    now: int = 1_000_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now

    def sleep(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.work()


@dataclass(slots=True)
class Estate:
    """Everything outside of kmigrate; lives on when kmigrate dies."""

    death: Death = field(default_factory=Death)
    writing: bool = True
    written: dict[Partition, int] = field(default_factory=dict)
    clock: MemoryClock = field(default_factory=MemoryClock)
    clusters: dict[Side, MemoryCluster] = field(init=False)
    store: MemoryStore = field(init=False)
    secrets: MemorySecrets = field(init=False)
    mirror: MemoryMirror = field(init=False)
    app: MemoryApplication = field(init=False)
    fences: dict[Side, MemoryFence] = field(init=False)
    access: dict[Side, MemoryAccess] = field(default_factory=lambda: {side: MemoryAccess() for side in Side})

    def __post_init__(self) -> None:
        self.clusters = {side: MemoryCluster(str(side), self.death) for side in Side}
        self.fences = {side: MemoryFence(self.death) for side in Side}
        self.store, self.secrets = MemoryStore(Death()), MemorySecrets(self.death)
        self.mirror, self.app = MemoryMirror(self.store), MemoryApplication(self.death)
        for number in range(PARTITIONS):
            self.clusters[Side.SOURCE].logs[Partition(TOPIC, number)] = Log()
        self.store.apply(_kafka())
        self.store.apply(_pool())
        self.store.death = self.death
        self.clock.work, self.app.clock = self.turn, self.clock
        for _ in range(10):
            self.turn()

    def turn(self) -> None:
        """A little time passes for everybody."""
        if self.writing:
            self._write()
        self._operate()
        self.mirror.work(self.clusters)
        for fence in self.fences.values():
            fence.work()
        self.app.work(self.clusters, [side for side, fence in self.fences.items() if fence.enforced])

    def settle(self) -> None:
        """The writer stops; then all is copied and read."""
        self.writing = False
        for _ in range(500):
            self.turn()
            if all(self.app.processed.get(p, [-1])[-1] == count - 1 for p, count in self.written.items()):
                break
        for _ in range(3):  # whatever would be given twice comes now
            self.turn()

    def _write(self) -> None:
        for partition, log in self.clusters[Side.SOURCE].logs.items():
            for _ in range(2):
                number = self.written.get(partition, 0)
                twin = number // 3 if number % 3 else number  # twins and triplets, equal in every byte
                log.put(1_000 + twin, digest(1_000 + twin, b"k", str(twin).encode()), number)
                self.written[partition] = number + 1
            if number % 5 == 0:
                log.mark()

    def _make_topic(self, spec: JsonObject) -> None:
        name, target = str(spec["topicName"]), self.clusters[Side.TARGET]
        wanted = spec.get("config")
        target.configs[name] = {k: str(v) for k, v in wanted.items()} if isinstance(wanted, Mapping) else {}
        for number in range(int(str(spec["partitions"]))):
            target.logs.setdefault(Partition(name, number), Log())

    def _operate(self) -> None:
        for key, resource in list(self.store.kept.items()):
            if resource.status.get("observedGeneration") == resource.generation:
                continue
            status: dict[str, Json] = {
                "observedGeneration": resource.generation,
                "conditions": [{"type": "Ready", "status": "True"}],
            }
            if key.kind == "Kafka":
                status["listeners"] = [{"name": "scram", "bootstrapServers": ADDRESS[Side.TARGET]}]
            if key.kind == "KafkaTopic":
                self._make_topic(resource.spec)
            self.store.write_status(key, status)


@dataclass(frozen=True, slots=True)
class NoFacts:
    """The ledger of no unit."""

    def get(self, name: str) -> Json:
        return None

    def put(self, name: str, value: Json) -> None:
        raise AssertionError(name)


@dataclass(frozen=True, slots=True)
class MemoryWorld:
    """world.World over an estate."""

    estate: Estate
    ledger: Ledger = field(default_factory=NoFacts)
    reporter: Reporter = field(default_factory=Reporter)

    def bound(self, ledger: Ledger) -> MemoryWorld:
        return MemoryWorld(self.estate, ledger, self.reporter)

    @property
    def clock(self) -> MemoryClock:
        return self.estate.clock

    @property
    def resources(self) -> MemoryStore:
        return self.estate.store

    @property
    def mirror(self) -> MemoryMirror:
        return self.estate.mirror

    @property
    def secrets(self) -> MemorySecrets:
        return self.estate.secrets

    def cluster(self, side: Side) -> MemoryCluster:
        return self.estate.clusters[side]

    def groups(self, side: Side) -> MemoryCluster:
        return self.estate.clusters[side]

    def fence(self, side: Side) -> MemoryFence:
        return self.estate.fences[side]

    def access(self, side: Side) -> MemoryAccess:
        return self.estate.access[side]

    def side_of(self, bootstrap: str) -> Side | None:
        return next((side for side, known in ADDRESS.items() if known == bootstrap), None)

    def workload(self, application: str) -> MemoryApplication:
        return self.estate.app


def migration() -> Migration:
    """One reader of one topic."""
    secret = SecretRef(env="SECRET")
    argv = ("true",)
    app = Application(
        name="ml-features",
        team="data",
        reads=(Reads(group=GROUP, topics=(TOPIC,)),),
        writes=(),
        principals=(Principal(source="sa-ml", target="ml-features"),),
        workloads=(CommandWorkload(stop=argv, switch=argv, start=argv, healthy=argv),),
    )
    return Migration(
        name="shop",
        source=Source(bootstrap=ADDRESS[Side.SOURCE], auth=Auth(type="plain", username="k", password=secret)),
        target=Target(platform="lab", store="store", namespace="kafka", cluster="shop", listener="scram"),
        topics=(TOPIC,),
        applications=(app,),
        mirror_auth=Auth(type="plain", username="m", password=secret),
        policy=Policy(soak_ms=2_000),
    )


def _kafka() -> JsonObject:
    return {"apiVersion": "v1", "kind": "Kafka", "metadata": {"name": "shop", "namespace": "kafka"}, "spec": {}}


def _pool() -> JsonObject:
    metadata: JsonObject = {"name": "dual", "namespace": "kafka", "labels": {"strimzi.io/cluster": "shop"}}
    return {"kind": "KafkaNodePool", "metadata": metadata, "spec": {"replicas": 1, "roles": ["broker"]}}
