"""The estate of any plan, in memory: it lives on when kmigrate dies, and time passes only while somebody waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from law_logs import LawCluster, LawWorkload, Log, Watch
from law_parts import LawClock, LawMirror, LawSecrets, LawStore

from kmigrate.model import (
    Application,
    Json,
    JsonObject,
    Migration,
    Partition,
    Right,
    Side,
    Topic,
    Trial,
)
from kmigrate.positions import digest
from kmigrate.world import Ledger, Reporter, Resource

PARTITIONS = 2
Picture = Mapping[str, object]


@dataclass(slots=True)
class Estate:
    """Everything outside of kmigrate for a migration: every topic is written, every application reads."""

    migration: Migration
    writing: bool = True
    written: dict[Partition, int] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    clock: LawClock = field(default_factory=LawClock)
    clusters: dict[Side, LawCluster] = field(init=False)
    store: LawStore = field(init=False)
    secrets: LawSecrets = field(init=False)
    mirror: LawMirror = field(init=False)
    workloads: dict[str, LawWorkload] = field(init=False)

    def __post_init__(self) -> None:
        self.clusters = {side: LawCluster(side, self.watch) for side in Side}
        self.store, self.secrets = LawStore(self.watch), LawSecrets(self.watch)
        self.mirror = LawMirror()
        self.workloads = {app.name: LawWorkload(self.watch, self.addresses) for app in self.migration.applications}
        source = self.clusters[Side.SOURCE]
        source.made = {name: Topic(name=name, partitions=PARTITIONS) for name in self.migration.topics}
        source.logs = {partition: Log() for topic in source.made.values() for partition in topic.all()}
        source.allowed = tuple(_rights(self.migration))
        self.clock.work = self.turn
        for _ in range(10):
            self.turn()

    @property
    def addresses(self) -> Mapping[Side, str]:
        return {Side.SOURCE: self.migration.source.bootstrap, Side.TARGET: "target:9092"}

    def turn(self) -> None:
        """A little time passes for everybody."""
        if self.writing:
            self._write()
        self._operate()
        for cluster in self.clusters.values():
            cluster.enforced = set(cluster.denied)
        self.mirror.work(self.clusters)
        for app in self.migration.applications:
            self._run(app, self.workloads[app.name])

    def settle(self) -> None:
        """The writers stop; then all is copied and read, and whatever would be given twice comes."""
        self.writing = False
        for _ in range(200):
            if all(self._read_all(app) for app in self.migration.applications):
                break
            self.turn()
        for _ in range(3):
            self.turn()

    def picture(self) -> Picture:
        """What kmigrate may change, and nothing that moves by itself while others work."""
        empty = {
            f"{group} on the {side}": dict(at)
            for side, cluster in self.clusters.items()
            for group, at in cluster.positions_of.items()
            if not cluster.members.get(group)
        }
        return {
            "resources": {str(key): {**r.body, "status": None} for key, r in self.store.kept.items()},
            "secrets": dict(self.secrets.kept),
            "denied": {side: set(cluster.denied) for side, cluster in self.clusters.items()},
            "workloads": {name: (w.running, w.side) for name, w in self.workloads.items()},
            "groups": empty,
            "topics": {side: sorted(cluster.all_topics()) for side, cluster in self.clusters.items()},
        }

    def _read_all(self, app: Application) -> bool:
        workload = self.workloads[app.name]
        ends = {p: count - 1 for p, count in self.written.items()}
        return not workload.running or all(
            workload.processed.get((reads.group, p), [-1])[-1] == end
            for reads in app.reads
            for p, end in ends.items()
            if p.topic in reads.topics
        )

    def _run(self, app: Application, workload: LawWorkload) -> None:
        for reads in app.reads:
            for side, cluster in self.clusters.items():
                refused = any(d.name == reads.group for d in cluster.enforced)
                here = workload.running and side is workload.side and not refused
                cluster.members[reads.group] = ("m",) if here else ()
                for partition in cluster.logs if here else ():
                    if partition.topic in reads.topics:
                        workload.read(reads.group, partition, cluster)

    def _write(self) -> None:
        for partition, log in self.clusters[Side.SOURCE].logs.items():
            for _ in range(2):
                number = self.written.get(partition, 0)
                twin = number // 3 if number % 3 else number  # twins and triplets, equal in every byte
                log.put(1_000 + twin, digest(1_000 + twin, b"k", str(twin).encode()), number)
                self.written[partition] = number + 1
            if number % 5 == 0:
                log.mark()

    def _operate(self) -> None:
        if not self.store.news:
            return
        self.store.news = False
        for key, resource in list(self.store.kept.items()):
            if resource.status.get("observedGeneration") != resource.generation:
                self.store.write_status(key, self._ready(resource))
        self.mirror.runs = any(_lane_runs(r) for key, r in self.store.kept.items() if key.kind == "KafkaMirrorMaker2")
        target = self.clusters[Side.TARGET]
        target.made = {t.name: t for key, r in self.store.kept.items() if key.kind == "KafkaTopic" for t in [_topic(r)]}
        wanted = {partition for topic in target.made.values() for partition in topic.all()}
        for partition in wanted - target.logs.keys():
            target.logs[partition] = Log()
        for partition in target.logs.keys() - wanted:
            del target.logs[partition]
            self.mirror.last.pop(partition, None)  # its offsets lay in a topic that is gone too

    def _ready(self, resource: Resource) -> JsonObject:
        status: dict[str, Json] = {
            "observedGeneration": resource.generation,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        if resource.key.kind == "Kafka":
            listener = self.migration.target.listener
            status["listeners"] = [{"name": listener, "bootstrapServers": self.addresses[Side.TARGET]}]
        return status


@dataclass(frozen=True, slots=True)
class LawWorld:
    """world.World over an estate."""

    estate: Estate
    facts: Ledger | None = None
    reporter: Reporter = field(default_factory=Reporter)

    def bound(self, ledger: Ledger) -> LawWorld:
        return LawWorld(self.estate, ledger, self.reporter)

    @property
    def ledger(self) -> Ledger:
        assert self.facts is not None
        return self.facts

    @property
    def clock(self) -> LawClock:
        return self.estate.clock

    @property
    def resources(self) -> LawStore:
        return self.estate.store

    @property
    def mirror(self) -> LawMirror:
        return self.estate.mirror

    @property
    def secrets(self) -> LawSecrets:
        return self.estate.secrets

    def cluster(self, side: Side) -> LawCluster:
        return self.estate.clusters[side]

    groups = fence = cluster

    def access(self, side: Side) -> LawAccess:
        return LawAccess(side)

    def side_of(self, bootstrap: str) -> Side | None:
        return next((side for side, known in self.estate.addresses.items() if known == bootstrap), None)

    def workload(self, application: str) -> LawWorkload:
        return self.estate.workloads[application]


@dataclass(frozen=True, slots=True)
class LawAccess:
    """Every credential works everywhere."""

    side: Side

    def try_out(self, application: str) -> tuple[Trial, ...]:
        return (Trial(broker=f"{self.side}:9092", subject=f"{application} signs in", ok=True),)


def _lane_runs(resource: Resource) -> bool:
    return "'state': 'stopped'" not in str(resource.spec)


def _topic(resource: Resource) -> Topic:
    config, partitions = resource.spec.get("config"), resource.spec["partitions"]
    assert isinstance(partitions, int)
    own = {name: _text(value) for name, value in config.items()} if isinstance(config, Mapping) else {}
    return Topic(name=str(resource.spec.get("topicName", resource.key.name)), partitions=partitions, config=own)


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rights(migration: Migration) -> Iterable[Right]:
    for app in migration.applications:
        for who in app.principals:
            name = who.source if who.source.startswith("User:") else f"User:{who.source}"
            for reads in app.reads:
                yield Right(principal=name, resource="group", name=reads.group, operation="Read")
            for topic in app.topics_read:
                yield Right(principal=name, resource="topic", name=topic, operation="Read")
            for topic in app.writes:
                yield Right(principal=name, resource="topic", name=topic, operation="Write")
