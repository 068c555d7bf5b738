"""assess and provision against the world in memory: what blocks, what is made, what is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import pytest

from kmigrate.adapters.memory import MemoryEstate, MemoryFacts, MemoryWorld
from kmigrate.errors import Blocked, StillUnderWay, VerifyFailed
from kmigrate.manifests.names import OURS
from kmigrate.manifests.users import fence_rules, keeping_denials, user
from kmigrate.model import (
    Accepted,
    Application,
    Auth,
    JsonObject,
    Migration,
    Partition,
    Principal,
    Reads,
    Right,
    SecretRef,
    Side,
    Source,
    Target,
    Topic,
)
from kmigrate.plan import Action
from kmigrate.probes.inventory import drift
from kmigrate.probes.taken_over import TAKEN_OVER, look_at_acls
from kmigrate.steps.assess import INVENTORY, TakeInventory
from kmigrate.steps.clusters import FindCluster, brokers
from kmigrate.steps.provision import CreateTopics, CreateUsers, TryAccess
from kmigrate.story import story
from kmigrate.world import Key, Resource

SECRET = SecretRef(env="S")


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
KAFKA = Key("Kafka", "kafka", "c")


ORDERS = Topic(name="orders", partitions=2, config={"segment.bytes": "1000000"})
REFUSED = {("target:9092", "topic orders"): "no right"}


def small() -> MemoryWorld:
    """One topic, one reader that has stopped, no target yet."""
    estate = MemoryEstate(PLAN)
    estate.clusters[Side.SOURCE].create(ORDERS)
    estate.groups[Side.SOURCE].held_by["reader"] = dict.fromkeys(ORDERS.all(), 5)
    estate.workloads["reader"].running = False
    return MemoryWorld(estate, MemoryFacts())


def begun(*, lazy: bool = False) -> MemoryWorld:
    """A cluster with users and without topics."""
    world = small()
    for step in (FindCluster(migration=PLAN), CreateUsers(migration=PLAN)):
        step.apply(world)
        step.verify(world)
    world.estate.operator.lazy = lazy
    return world


def provisioned() -> MemoryWorld:
    world = begun()
    CreateTopics(migration=PLAN).apply(world)
    CreateTopics(migration=PLAN).verify(world)
    return world


def fill(world: MemoryWorld, end: int) -> None:
    """The target's logs come to end there."""
    for partition, log in world.estate.clusters[Side.TARGET].logs.items():
        while partition.topic == "orders" and log.end < end:
            log.mark()


def stored(world: MemoryWorld, key: Key) -> Resource:
    found = world.resources.get(key)
    assert found is not None
    return found


def keys(world: MemoryWorld) -> set[Key]:
    return {resource.key for resource in world.resources.all()}


# ---- assess ----


def test_assess_of_a_decided_estate_writes_the_inventory_and_is_satisfied_then() -> None:
    world, step = small(), TakeInventory(migration=PLAN)
    assert [change.action for change in step.check(world).changes] == [Action.CREATE]
    assert world.ledger == MemoryFacts()
    step.apply(world)
    assert step.check(world).changes == ()
    assert step.verify(world) == {
        "topics": 1,
        "partitions": 2,
        "groups": 1,
        "principals": 1,
        "accepted": [],
        "warnings": [],
    }


@pytest.mark.parametrize("verb", ["check", "apply"])
def test_assess_tells_every_undecided_thing_at_once(verb: str) -> None:
    world = small()
    for name in ("stray-1", "stray-2"):
        world.cluster(Side.SOURCE).create(Topic(name=name, partitions=1))
    world.groups(Side.SOURCE).held_by["who"] = {Partition("orders", 0): 1}
    with pytest.raises(Blocked) as told:
        getattr(TakeInventory(migration=PLAN), verb)(world)
    for text in (
        "3 red flags",
        "KM-TOPIC-UNASSIGNED stray-1",
        "KM-TOPIC-UNASSIGNED stray-2",
        "KM-GROUP-UNASSIGNED who",
    ):
        assert text in told.value.message
    assert world.ledger == MemoryFacts()


def test_acls_that_cannot_be_listed_block_with_the_command_until_accepted() -> None:
    world = small()
    world.cluster(Side.SOURCE).may_list_rights = False
    with pytest.raises(Blocked, match="lacks Describe"):
        TakeInventory(migration=PLAN).check(world)
    accepted = migration(accept=(Accepted(id="KM-ACL-UNREADABLE", subject="acls", reason="r"),))
    TakeInventory(migration=accepted).apply(world)
    evidence = TakeInventory(migration=accepted).verify(world)
    assert isinstance(evidence, dict)
    assert (evidence["principals"], evidence["accepted"]) == ("not checked", ["KM-ACL-UNREADABLE acls"])


def test_the_same_cluster_twice_is_refused() -> None:
    world = provisioned()
    world.cluster(Side.SOURCE).name = world.cluster(Side.TARGET).name
    for step in (TakeInventory(migration=PLAN).check, FindCluster(migration=PLAN).verify):
        with pytest.raises(Blocked, match="the same cluster"):
            step(world)


def test_drift_names_what_is_new_and_other_partitions() -> None:
    world = small()
    TakeInventory(migration=PLAN).apply(world)
    facts = world.ledger.get(INVENTORY)
    assert drift(world, PLAN, facts) == ()
    for topic in (Topic(name="new", partitions=1), Topic(name="orders", partitions=3)):
        world.cluster(Side.SOURCE).create(topic)
    told = "\n".join(drift(world, PLAN, facts))
    assert "KM-TOPIC-UNASSIGNED new" in told
    assert "topic orders has 3 partitions, and had 2" in told


# ---- provision ----


def test_a_cluster_is_made_where_there_is_none_and_undo_removes_it() -> None:
    world, step = small(), FindCluster(migration=PLAN)
    finding = step.check(world)
    pool, cluster = (str(change) for change in finding.changes)
    assert pool == "create KafkaNodePool kafka/dual"
    assert cluster.startswith(
        "create Kafka kafka/c (A NEW CLUSTER: there is no Kafka c in namespace kafka; there is none"
    )
    assert brokers(world, PLAN) == 1
    step.apply(world)
    assert step.check(world).changes == ()
    step.verify(world)
    step.undo(world, finding.before)
    assert keys(world) == set()


def test_a_mistyped_name_is_told_with_the_clusters_that_are_there() -> None:
    world = provisioned()
    mistyped = replace(PLAN, target=replace(PLAN.target, namespace="kafak"))
    told = str(FindCluster(migration=mistyped).check(world).changes[-1])
    assert "A NEW CLUSTER: there is no Kafka c in namespace kafak; there is Kafka c in namespace kafka;" in told


def test_a_cluster_that_nobody_makes_real_is_told_after_a_minute() -> None:
    world = small()
    world.clock.work, begun_ms = lambda: None, world.clock.now
    with pytest.raises(Blocked, match="no operator reacts to Kafka kafka/c") as told:
        FindCluster(migration=PLAN).apply(world)
    assert 60_000 <= world.clock.now - begun_ms < 90_000
    assert "kmigrate lab up" in told.value.hint


def test_a_cluster_that_an_operator_works_on_is_waited_for_much_longer() -> None:
    world = small()
    creating: JsonObject = {"conditions": [{"type": "NotReady", "reason": "Creating"}]}
    begun_ms = world.clock.now
    world.clock.work = lambda: world.resources.write_status(KAFKA, creating) and None
    with pytest.raises(StillUnderWay, match="not looked at the last change"):
        FindCluster(migration=PLAN).apply(world)
    assert world.clock.now - begun_ms >= 900_000


def test_a_cluster_of_ours_that_is_on_its_way_is_waited_for_and_somebody_elses_is_told() -> None:
    world, step = small(), FindCluster(migration=PLAN)
    step.apply(world)
    world.resources.write_status(KAFKA, {})
    found = stored(world, KAFKA)
    assert step.check(world).changes
    world.resources.apply({**found.body, "spec": {"kafka": {}}})
    with pytest.raises(Blocked, match="not ready"):
        step.check(world)


def test_somebodys_cluster_is_taken_as_it_is() -> None:
    world = provisioned()
    found = stored(world, KAFKA)
    theirs = world.resources.apply({**found.body, "spec": {"kafka": {}}})
    world.estate.operator.work()
    FindCluster(migration=PLAN).apply(world)
    assert FindCluster(migration=PLAN).check(world).changes == ()
    assert stored(world, KAFKA).generation == theirs.generation


def test_topics_are_carried_with_overrides_and_looked_at_on_the_cluster() -> None:
    world = provisioned()
    step = CreateTopics(migration=migration(overrides={"orders": {"segment.bytes": "2000000"}}))
    told = 'change KafkaTopic kafka/orders (config.segment.bytes "1000000" → "2000000")'
    assert [str(change) for change in step.check(world).changes] == [told]
    step.apply(world)
    step.verify(world)
    assert world.cluster(Side.TARGET).made["orders"].config["segment.bytes"] == "2000000"
    world.cluster(Side.TARGET).create(Topic(name="orders", partitions=2))
    with pytest.raises(VerifyFailed, match=r"orders has segment\.bytes=unset instead of 2000000"):
        step.verify(world)


def test_ready_is_not_believed_until_the_topic_is_there() -> None:
    world = begun(lazy=True)
    with pytest.raises(Exception, match="orders is not there"):
        CreateTopics(migration=PLAN).apply(world)


@pytest.mark.parametrize("verb", ["check", "apply"])
@pytest.mark.parametrize(
    ("partitions", "end", "told"),
    [(3, 0, "orders has 3 partitions there, and 2 on the source"), (2, 7, "its logs span 14 offsets")],
)
def test_a_topic_that_was_there_is_not_filled_unless_it_fits_and_is_empty(
    verb: str, partitions: int, end: int, told: str
) -> None:
    world = begun()
    world.cluster(Side.TARGET).create(Topic(name="orders", partitions=partitions))
    fill(world, end)
    with pytest.raises(Blocked, match=told):
        getattr(CreateTopics(migration=PLAN), verb)(world)
    assert not world.resources.list("KafkaTopic", "kafka")


def test_an_empty_topic_that_fits_is_adopted_and_ours_stays_ours_with_copies_in_it() -> None:
    world = begun()
    world.cluster(Side.TARGET).create(Topic(name="orders", partitions=2))
    step = CreateTopics(migration=PLAN)
    step.apply(world)
    fill(world, 9)
    assert step.check(world).changes == ()
    step.verify(world)


def test_the_label_is_what_makes_a_topic_ours() -> None:
    world = provisioned()
    key = Key("KafkaTopic", "kafka", "orders")
    body = stored(world, key).body
    metadata = {"name": "orders", "namespace": "kafka", "labels": {**dict.fromkeys(OURS), "strimzi.io/cluster": "c"}}
    world.resources.apply({**body, "metadata": metadata})
    world.estate.operator.work()
    assert [change.subject for change in CreateTopics(migration=PLAN).check(world).changes] == [str(key)]
    fill(world, 9)
    with pytest.raises(Blocked, match="not empty"):
        CreateTopics(migration=PLAN).check(world)


def test_undo_of_topics_and_users_leaves_what_was_there() -> None:
    world = small()
    FindCluster(migration=PLAN).apply(world)
    before = keys(world)
    steps = (CreateUsers(migration=PLAN), CreateTopics(migration=PLAN))
    findings = []
    for step in steps:
        findings.append(step.check(world))
        step.apply(world)
    for step, finding in zip(reversed(steps), reversed(findings), strict=True):
        step.undo(world, finding.before)
    assert keys(world) == before


def acl(operation: str, name: str, type_: str) -> Right:
    return Right(principal="User:sa-reader", resource="topic", name=name, operation=operation, type=type_)


def rules_of_reader(world: MemoryWorld) -> set[tuple[str, str, str]]:
    """Operation, name and type of each ACL that it has on the target."""
    rights = world.cluster(Side.TARGET).rights()
    return {(right.operation, right.name, right.type) for right in rights if right.principal == "User:reader"}


def test_users_take_over_what_the_source_has_once_when_they_are_made() -> None:
    world = small()
    source = world.cluster(Side.SOURCE)
    FindCluster(migration=PLAN).apply(world)
    source.acls.rules |= {acl("Delete", "orders", "deny"), acl("DescribeConfigs", "logs", "allow")}
    step = CreateUsers(migration=PLAN)
    step.apply(world)
    taken = {("Delete", "orders", "deny"), ("DescribeConfigs", "logs", "allow")}
    assert rules_of_reader(world) >= taken
    evidence = step.verify(world)
    assert isinstance(evidence, dict)
    assert (evidence["rulesTakenOver"], evidence["unlisted"]) == (2, "")
    source.acls.rules -= {acl("Delete", "orders", "deny")}
    source.may_list_rights = False
    assert step.check(world).changes == ()
    step.apply(world)
    assert rules_of_reader(world) >= taken
    CreateTopics(migration=PLAN).apply(world)
    assert TryAccess(migration=PLAN).verify(world) == {"tried": {"reader": 3}, "notTried": [], "fenced": []}


def test_users_that_are_made_again_take_over_what_the_source_has_by_then() -> None:
    world, step = begun(), CreateUsers(migration=PLAN)
    world.resources.delete(Key("KafkaUser", "kafka", "reader"))
    world.cluster(Side.SOURCE).acls.rules |= {acl("Delete", "orders", "deny")}
    step.apply(world)
    assert ("Delete", "orders", "deny") in rules_of_reader(world)


def test_users_that_are_made_while_acls_cannot_be_listed_take_nothing_over_and_say_so() -> None:
    world = small()
    source = world.cluster(Side.SOURCE)
    source.acls.rules |= {acl("Delete", "orders", "deny")}
    source.may_list_rights = False
    FindCluster(migration=PLAN).apply(world)
    step = CreateUsers(migration=PLAN)
    unlisted = look_at_acls(world, PLAN).unlisted
    assert "lacks Describe" in unlisted
    step.apply(world)
    evidence = step.verify(world)
    assert isinstance(evidence, dict)
    assert evidence["rulesTakenOver"] == 0
    source.may_list_rights = True
    assert step.check(world).changes == ()


def test_a_rule_that_the_plan_keeps_from_a_user_by_now_goes_a_denial_too() -> None:
    world = small()
    FindCluster(migration=PLAN).apply(world)
    world.cluster(Side.SOURCE).acls.rules |= {acl("Write", "events", "deny"), acl("Write", "pay", "allow")}
    CreateUsers(migration=PLAN).apply(world)
    assert rules_of_reader(world) >= {("Write", "events", "deny"), ("Write", "pay", "allow")}
    before = stored(world, Key("KafkaUser", "kafka", "reader"))
    (app,) = PLAN.applications
    later = migration(topics=("orders", "events", "pay"), applications=(replace(app, writes=("events",)),))
    step = CreateUsers(migration=later)
    assert [change.subject for change in step.check(world).changes if "reader" in change.subject]
    world.estate.operator.lazy = True
    with pytest.raises(StillUnderWay):
        step.apply(world)
    metadata: JsonObject = {"name": "reader", "namespace": "kafka"}
    world.resources.apply({**before.body, "metadata": metadata})  # as if it had died before it wrote them
    assert [change.subject for change in step.check(world).changes if "reader" in change.subject]
    world.estate.operator.lazy = False
    step.apply(world)
    assert "pay" not in str(world.ledger.get(TAKEN_OVER))
    assert rules_of_reader(world) & {("Write", "events", "deny"), ("Write", "pay", "allow")} == set()
    assert ("Write", "events", "allow") in rules_of_reader(world)


def fence(world: MemoryWorld) -> Key:
    key = Key("KafkaUser", "kafka", "reader")
    body = stored(world, key).body
    denied = user("reader", fence_rules(groups=["reader"]), PLAN.target)["spec"]
    assert isinstance(denied, Mapping)
    world.resources.apply(keeping_denials(body, denied))
    world.estate.operator.work()
    return key


def test_a_fence_in_a_user_is_no_change_and_stays_when_users_are_applied() -> None:
    world = provisioned()
    fenced = stored(world, fence(world))
    assert "deny" in str(fenced.spec)
    step = CreateUsers(migration=PLAN)
    assert step.check(world).changes == ()
    step.apply(world)
    assert stored(world, fenced.key).spec == fenced.spec


def test_access_is_tried_until_rights_have_reached_the_brokers() -> None:
    world = provisioned()
    refusals, work, turns = world.access(Side.TARGET).refusals, world.clock.work, count()
    refusals |= REFUSED

    def turn() -> None:
        work()
        if next(turns) == 2:
            refusals.clear()

    world.clock.work = turn
    assert TryAccess(migration=PLAN).verify(world) == {"tried": {"reader": 3}, "notTried": [], "fenced": []}
    assert next(turns) == 3


def test_what_stays_refused_is_told_with_application_broker_and_subject() -> None:
    world = provisioned()
    world.access(Side.TARGET).refusals |= REFUSED
    with pytest.raises(VerifyFailed, match="reader: topic orders at target:9092: no right"):
        TryAccess(migration=PLAN).verify(world)


def test_what_a_fence_denies_is_no_failure_of_access() -> None:
    world = provisioned()
    fence(world)
    world.access(Side.TARGET).refusals |= REFUSED
    assert TryAccess(migration=PLAN).verify(world) == {"tried": {}, "notTried": [], "fenced": ["reader"]}


def test_the_story_assesses_first_and_tries_access_last() -> None:
    plan = story(PLAN)
    steps = {phase.name: [step.name for step in phase.unit.steps] for phase in plan.phases[:2] if phase.unit}
    assert steps == {
        "assess": ["take-inventory"],
        "provision": ["find-cluster", "create-users", "claim-migration", "create-topics", "try-access"],
    }
