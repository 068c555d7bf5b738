"""assess and provision against a small world in memory: what blocks, what is made, what is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from kmigrate.errors import Blocked, StillUnderWay, VerifyFailed
from kmigrate.manifests.users import fence_rules, keeping_denials, user
from kmigrate.model import (
    Accepted,
    Application,
    Auth,
    Group,
    GroupState,
    Json,
    JsonObject,
    Migration,
    OffsetRange,
    Partition,
    Principal,
    Reads,
    Right,
    SecretRef,
    Side,
    Source,
    Target,
    Topic,
    Trial,
)
from kmigrate.plan import Action
from kmigrate.probes.inventory import drift
from kmigrate.steps.assess import INVENTORY, TakeInventory
from kmigrate.steps.provision import CreateTopics, CreateUsers, FindCluster, TryAccess, brokers
from kmigrate.story import story
from kmigrate.world import Key, Reporter, Resource, World

SECRET = SecretRef(env="S")
READ = Right(principal="User:sa-reader", resource="topic", name="orders", operation="Read")


@dataclass
class Clock:
    """Whoever sleeps lets the operator work."""

    world: SmallWorld
    now: int = 0

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now

    def sleep(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.world.operate()


@dataclass
class Store:
    """Resources in a dictionary."""

    kept: dict[Key, Resource] = field(default_factory=dict)

    def apply(self, body: JsonObject) -> Resource:
        metadata = body["metadata"]
        assert isinstance(metadata, Mapping)
        key = Key(str(body["kind"]), str(metadata["namespace"]), str(metadata["name"]))
        old = self.kept.get(key)
        if old is None or {**old.body, "status": 0} != {**body, "status": 0}:
            number = old.generation + 1 if old else 1
            whole = {**body, "status": old.status if old else {}}
            self.kept[key] = Resource(key=key, body=whole, generation=number, version=str(number))
        return self.kept[key]

    def get(self, key: Key) -> Resource | None:
        return self.kept.get(key)

    def list(self, kind: str, namespace: str) -> tuple[Resource, ...]:
        return tuple(each for key, each in self.kept.items() if (key.kind, key.namespace) == (kind, namespace))

    def everywhere(self, kind: str) -> tuple[Resource, ...]:
        return tuple(each for key, each in self.kept.items() if key.kind == kind)

    def delete(self, key: Key) -> bool:
        return self.kept.pop(key, None) is not None

    def write_status(self, key: Key, status: JsonObject) -> Resource | None:
        self.kept[key] = replace(self.kept[key], body={**self.kept[key].body, "status": status})
        return self.kept[key]


@dataclass
class Facts:
    """A ledger in a dictionary."""

    kept: dict[str, Json] = field(default_factory=dict)

    def get(self, name: str) -> Json:
        return self.kept.get(name)

    def put(self, name: str, value: Json) -> None:
        self.kept[name] = value


@dataclass
class Cluster:
    """Topics with a number of offsets in each partition, ACLs, groups."""

    name: str
    kept: dict[str, Topic] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    held_by: dict[str, dict[Partition, int]] = field(default_factory=dict)
    acls: tuple[Right, ...] | None = (READ,)

    def id(self) -> str:
        return self.name

    def topics(self, names: Iterable[str]) -> Mapping[str, Topic]:
        return {name: self.kept[name] for name in names if name in self.kept}

    def all_topics(self) -> Mapping[str, Topic]:
        return dict(self.kept)

    def rights(self) -> tuple[Right, ...]:
        if self.acls is None:
            raise Blocked("ACLs may not be listed", hint="kafka-acls --add …")
        return self.acls

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        return {p: OffsetRange(start=0, end=self.ends.get(p.topic, 0)) for p in partitions}

    def all(self) -> Mapping[str, Group]:
        return {name: Group(name=name, state=GroupState.EMPTY) for name in self.held_by}

    def held(self, group: str) -> Mapping[Partition, int]:
        return self.held_by[group]


@dataclass
class SmallWorld:
    """As much of world.World as assess and provision touch."""

    source: Cluster = field(default_factory=lambda: Cluster("src"))
    target: Cluster = field(default_factory=lambda: Cluster("tgt"))
    resources: Store = field(default_factory=Store)
    ledger: Facts = field(default_factory=Facts)
    reporter: Reporter = field(default_factory=Reporter)
    refused: dict[str, int] = field(default_factory=dict)
    lazy: bool = False  # the operator says Ready and does nothing

    def __post_init__(self) -> None:
        self.clock = Clock(self)
        self.source.kept["orders"] = Topic(name="orders", partitions=2, config={"segment.bytes": "1000000"})
        self.source.held_by["reader"] = {Partition("orders", number): 5 for number in range(2)}

    def cluster(self, side: Side) -> Cluster:
        return self.source if side is Side.SOURCE else self.target

    groups = cluster

    def access(self, side: Side) -> SmallWorld:
        return self

    def try_out(self, application: str) -> tuple[Trial, ...]:
        left = self.refused.get(application, 0)
        self.refused[application] = left - 1
        return (Trial(broker="b:1", subject="topic orders", ok=left <= 0, detail="" if left <= 0 else "no right"),)

    def operate(self) -> None:
        for key, each in list(self.resources.kept.items()):
            status: dict[str, Json] = {"observedGeneration": each.generation}
            if key.kind != "KafkaNodePool":
                status["conditions"] = [{"type": "Ready", "status": "True"}]
            if key.kind == "Kafka":
                status |= {"clusterId": self.target.name, "listeners": [{"name": "scram", "bootstrapServers": "t:1"}]}
            if key.kind == "KafkaTopic" and not self.lazy:
                self._topic(each)
            self.resources.write_status(key, status)

    def _topic(self, each: Resource) -> None:
        name, partitions, config = (each.spec[field] for field in ("topicName", "partitions", "config"))
        assert isinstance(config, Mapping)
        assert isinstance(partitions, int)
        told = {setting: str(value) for setting, value in config.items()}
        self.target.kept[str(name)] = Topic(name=str(name), partitions=partitions, config=told)


def seen(world: SmallWorld) -> World:
    return world  # type: ignore[return-value]  # the rest of World is not touched here


def migration(**changes: object) -> Migration:
    app = Application(
        name="reader",
        team="t",
        reads=(Reads(group="reader", topics=("orders",)),),
        writes=(),
        principals=(Principal(source="User:sa-reader", target="reader"),),
        workloads=(),
    )
    made = Migration(
        name="m",
        source=Source(bootstrap="s:1", auth=Auth(type="plain", username="k", password=SECRET)),
        target=Target(platform="lab", store="store", namespace="kafka", cluster="c", listener="scram"),
        topics=("orders",),
        applications=(app,),
        mirror_auth=Auth(type="plain", username="m", password=SECRET),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


PLAN = migration()


def provisioned() -> SmallWorld:
    world = SmallWorld()
    for step in (FindCluster(migration=PLAN), CreateUsers(migration=PLAN), CreateTopics(migration=PLAN)):
        step.apply(seen(world))
        step.verify(seen(world))
    return world


# ---- assess ----


def test_assess_of_a_decided_estate_writes_the_inventory_and_is_satisfied_then() -> None:
    world, step = SmallWorld(), TakeInventory(migration=PLAN)
    assert [change.action for change in step.check(seen(world)).changes] == [Action.CREATE]
    assert world.ledger.kept == {}
    step.apply(seen(world))
    assert step.check(seen(world)).changes == ()
    assert step.verify(seen(world)) == {
        "topics": 1,
        "partitions": 2,
        "groups": 1,
        "principals": 1,
        "accepted": [],
        "warnings": [],
    }


@pytest.mark.parametrize("verb", ["check", "apply"])
def test_assess_tells_every_undecided_thing_at_once(verb: str) -> None:
    world = SmallWorld()
    world.source.kept |= {name: Topic(name=name, partitions=1) for name in ("stray-1", "stray-2")}
    world.source.held_by["who"] = {Partition("orders", 0): 1}
    with pytest.raises(Blocked) as told:
        getattr(TakeInventory(migration=PLAN), verb)(seen(world))
    for text in (
        "3 red flags",
        "KM-TOPIC-UNASSIGNED stray-1",
        "KM-TOPIC-UNASSIGNED stray-2",
        "KM-GROUP-UNASSIGNED who",
    ):
        assert text in told.value.message
    assert world.ledger.kept == {}


def test_acls_that_cannot_be_listed_block_with_the_command_until_accepted() -> None:
    world = SmallWorld()
    world.source.acls = None
    with pytest.raises(Blocked, match="kafka-acls --add"):
        TakeInventory(migration=PLAN).check(seen(world))
    accepted = migration(accept=(Accepted(id="KM-ACL-UNREADABLE", subject="acls", reason="r"),))
    TakeInventory(migration=accepted).apply(seen(world))
    evidence = TakeInventory(migration=accepted).verify(seen(world))
    assert isinstance(evidence, dict)
    assert (evidence["principals"], evidence["accepted"]) == ("not checked", ["KM-ACL-UNREADABLE acls"])


def test_the_same_cluster_twice_is_refused() -> None:
    world = provisioned()
    world.source.name = world.target.name
    for step in (TakeInventory(migration=PLAN).check, FindCluster(migration=PLAN).verify):
        with pytest.raises(Blocked, match="the same cluster"):
            step(seen(world))


def test_drift_names_what_is_new_and_other_partitions() -> None:
    world = SmallWorld()
    TakeInventory(migration=PLAN).apply(seen(world))
    facts = world.ledger.get(INVENTORY)
    assert drift(seen(world), PLAN, facts) == ()
    world.source.kept |= {"new": Topic(name="new", partitions=1), "orders": Topic(name="orders", partitions=3)}
    told = "\n".join(drift(seen(world), PLAN, facts))
    assert "KM-TOPIC-UNASSIGNED new" in told
    assert "topic orders has 3 partitions, and had 2" in told


# ---- provision ----


def test_a_cluster_is_made_where_there_is_none_and_undo_removes_it() -> None:
    world, step = SmallWorld(), FindCluster(migration=PLAN)
    finding = step.check(seen(world))
    pool, cluster = (str(change) for change in finding.changes)
    assert pool == "create KafkaNodePool kafka/dual"
    assert cluster.startswith(
        "create Kafka kafka/c (A NEW CLUSTER: there is no Kafka c in namespace kafka; there is none"
    )
    assert brokers(seen(world), PLAN) == 1
    step.apply(seen(world))
    assert step.check(seen(world)).changes == ()
    step.verify(seen(world))
    step.undo(seen(world), finding.before)
    assert world.resources.kept == {}


def test_a_mistyped_name_is_told_with_the_clusters_that_are_there() -> None:
    world = provisioned()
    mistyped = replace(PLAN, target=replace(PLAN.target, namespace="kafak"))
    told = str(FindCluster(migration=mistyped).check(seen(world)).changes[-1])
    assert "A NEW CLUSTER: there is no Kafka c in namespace kafak; there is Kafka c in namespace kafka;" in told


class Unwatched(SmallWorld):
    """No operator looks at the namespace, or one that never comes to an end."""

    busy = False

    def operate(self) -> None:
        for key in self.resources.kept if self.busy else ():
            self.resources.write_status(key, {"conditions": [{"type": "NotReady", "reason": "Creating"}]})


def test_a_cluster_that_nobody_makes_real_is_told_after_a_minute() -> None:
    world = Unwatched()
    begun = world.clock.monotonic_ms()
    with pytest.raises(Blocked, match="no operator reacts to Kafka kafka/c") as told:
        FindCluster(migration=PLAN).apply(seen(world))
    assert 60_000 <= world.clock.monotonic_ms() - begun < 90_000
    assert "kmigrate lab up" in told.value.hint


def test_a_cluster_that_an_operator_works_on_is_waited_for_much_longer() -> None:
    world = Unwatched()
    world.busy = True
    begun = world.clock.monotonic_ms()
    with pytest.raises(StillUnderWay, match="not looked at the last change"):
        FindCluster(migration=PLAN).apply(seen(world))
    assert world.clock.monotonic_ms() - begun >= 900_000


def test_a_cluster_of_ours_that_is_on_its_way_is_waited_for_and_somebody_elses_is_told() -> None:
    world, step = SmallWorld(), FindCluster(migration=PLAN)
    step.apply(seen(world))
    found = world.resources.kept[Key("Kafka", "kafka", "c")]
    world.resources.write_status(found.key, {})
    assert step.check(seen(world)).changes
    world.resources.apply({**found.body, "spec": {"kafka": {}}})
    with pytest.raises(Blocked, match="not ready"):
        step.check(seen(world))


def test_somebodys_cluster_is_taken_as_it_is() -> None:
    world = provisioned()
    found = world.resources.kept[Key("Kafka", "kafka", "c")]
    theirs = world.resources.apply({**found.body, "spec": {"kafka": {}}})
    world.operate()
    FindCluster(migration=PLAN).apply(seen(world))
    assert FindCluster(migration=PLAN).check(seen(world)).changes == ()
    assert world.resources.kept[found.key].generation == theirs.generation


def test_topics_are_carried_with_overrides_and_looked_at_on_the_cluster() -> None:
    world = provisioned()
    step = CreateTopics(migration=migration(overrides={"orders": {"segment.bytes": "2000000"}}))
    assert [str(change) for change in step.check(seen(world)).changes] == ["change KafkaTopic kafka/orders"]
    step.apply(seen(world))
    step.verify(seen(world))
    assert world.target.kept["orders"].config["segment.bytes"] == "2000000"
    world.target.kept["orders"] = Topic(name="orders", partitions=2, config={})
    with pytest.raises(VerifyFailed, match=r"orders has segment\.bytes=unset instead of 2000000"):
        step.verify(seen(world))


def test_ready_is_not_believed_until_the_topic_is_there() -> None:
    world = SmallWorld()
    for step in (FindCluster(migration=PLAN), CreateUsers(migration=PLAN)):
        step.apply(seen(world))
    world.lazy = True
    with pytest.raises(Exception, match="orders is not there"):
        CreateTopics(migration=PLAN).apply(seen(world))


@pytest.mark.parametrize("verb", ["check", "apply"])
@pytest.mark.parametrize(
    ("partitions", "end", "told"),
    [(3, 0, "orders has 3 partitions there, and 2 on the source"), (2, 7, "its logs span 14 offsets")],
)
def test_a_topic_that_was_there_is_not_filled_unless_it_fits_and_is_empty(
    verb: str, partitions: int, end: int, told: str
) -> None:
    world = SmallWorld()
    for step in (FindCluster(migration=PLAN), CreateUsers(migration=PLAN)):
        step.apply(seen(world))
    world.target.kept["orders"] = Topic(name="orders", partitions=partitions)
    world.target.ends["orders"] = end
    with pytest.raises(Blocked, match=told):
        getattr(CreateTopics(migration=PLAN), verb)(seen(world))
    assert not world.resources.list("KafkaTopic", "kafka")


def test_an_empty_topic_that_fits_is_adopted_and_ours_stays_ours_with_copies_in_it() -> None:
    world = provisioned()
    del world.resources.kept[Key("KafkaTopic", "kafka", "orders")]
    step = CreateTopics(migration=PLAN)
    step.apply(seen(world))
    world.target.ends["orders"] = 9
    assert step.check(seen(world)).changes == ()
    step.verify(seen(world))


def test_the_label_is_what_makes_a_topic_ours() -> None:
    world = provisioned()
    key = Key("KafkaTopic", "kafka", "orders")
    body = world.resources.kept[key].body
    metadata = {"name": "orders", "namespace": "kafka", "labels": {"strimzi.io/cluster": "c"}}
    world.resources.apply({**body, "metadata": metadata})
    world.operate()
    assert [change.subject for change in CreateTopics(migration=PLAN).check(seen(world)).changes] == [str(key)]
    world.target.ends["orders"] = 9
    with pytest.raises(Blocked, match="not empty"):
        CreateTopics(migration=PLAN).check(seen(world))


def test_undo_of_topics_and_users_leaves_what_was_there() -> None:
    world = SmallWorld()
    FindCluster(migration=PLAN).apply(seen(world))
    before = set(world.resources.kept)
    steps = (CreateUsers(migration=PLAN), CreateTopics(migration=PLAN))
    findings = []
    for step in steps:
        findings.append(step.check(seen(world)))
        step.apply(seen(world))
    for step, finding in zip(reversed(steps), reversed(findings), strict=True):
        step.undo(seen(world), finding.before)
    assert set(world.resources.kept) == before


def fence(world: SmallWorld) -> Key:
    key = Key("KafkaUser", "kafka", "reader")
    body = world.resources.kept[key].body
    denied = user("reader", fence_rules(groups=["reader"]), PLAN.target)["spec"]
    assert isinstance(denied, Mapping)
    world.resources.apply(keeping_denials(body, denied))
    world.operate()
    return key


def test_a_fence_in_a_user_is_no_change_and_stays_when_users_are_applied() -> None:
    world = provisioned()
    fenced = world.resources.kept[fence(world)]
    assert "deny" in str(fenced.spec)
    step = CreateUsers(migration=PLAN)
    assert step.check(seen(world)).changes == ()
    step.apply(seen(world))
    assert world.resources.kept[fenced.key].spec == fenced.spec


def test_access_is_tried_until_rights_have_reached_the_brokers() -> None:
    world = provisioned()
    world.refused["reader"] = 3
    assert TryAccess(migration=PLAN).verify(seen(world)) == {"tried": {"reader": 1}, "notTried": [], "fenced": []}


def test_what_stays_refused_is_told_with_application_broker_and_subject() -> None:
    world = provisioned()
    world.refused["reader"] = 1_000_000
    with pytest.raises(VerifyFailed, match="reader: topic orders at b:1: no right"):
        TryAccess(migration=PLAN).verify(seen(world))


def test_what_a_fence_denies_is_no_failure_of_access() -> None:
    world = provisioned()
    fence(world)
    world.refused["reader"] = 1_000_000
    assert TryAccess(migration=PLAN).verify(seen(world)) == {"tried": {}, "notTried": [], "fenced": ["reader"]}


def test_the_story_assesses_first_and_tries_access_last() -> None:
    plan = story(PLAN)
    steps = {phase.name: [step.name for step in phase.unit.steps] for phase in plan.phases[:2] if phase.unit}
    assert steps == {
        "assess": ["take-inventory"],
        "provision": ["find-cluster", "create-users", "create-topics", "try-access"],
    }
