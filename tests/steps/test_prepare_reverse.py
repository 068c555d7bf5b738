"""The mirror back, made beforehand: what is refused, what is looked at, and what a hand-over has changed since."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_estate import TOPIC, Estate, migration

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.engine import run_unit, undo_unit
from kmigrate.errors import Blocked, StillUnderWay, VerifyFailed
from kmigrate.journal import Journal
from kmigrate.manifests.lanes import REVERSE, reverse_lanes
from kmigrate.manifests.mirror import RUNNING, steered
from kmigrate.model import Auth, JsonObject, Migration, Partition, Right, SecretRef, Side, Topic
from kmigrate.plan import Unit
from kmigrate.positions import Seam
from kmigrate.probes.lanes import lane_key, with_asked
from kmigrate.probes.ownership import SEAMS, write_seams
from kmigrate.steps.reverse import PrepareReverse, PrepareSource
from kmigrate.story import story

AUTH = Auth(type="plain", username="back", password=SecretRef(env="BACK"))
PLAN = replace(migration(), reverse_auth=AUTH)
(LANE,) = reverse_lanes(PLAN)
OFFSETS, SYNCS = REVERSE.connector_offsets(LANE), REVERSE.offset_syncs(LANE)
SOURCE, REVERSED = PrepareSource(migration=PLAN, auth=AUTH), PrepareReverse(migration=PLAN, auth=AUTH)
WRITE = Right(principal="User:back", resource="topic", name=TOPIC, operation="Write")


def journal(estate: Estate) -> Journal:
    return Journal(estate.lines, estate.clock, "test", "shop")


def apply(estate: Estate, *phases: str) -> None:
    for phase in phases:
        unit = story(PLAN).phase(phase).unit
        assert unit is not None
        run_unit(unit, MemoryWorld(estate), journal(estate))


def back(estate: Estate, *phases: str) -> None:
    for phase in phases:
        unit = story(PLAN).phase(phase).unit
        assert unit is not None
        undo_unit(unit, MemoryWorld(estate), journal(estate))


def world(estate: Estate, phase: str) -> MemoryWorld:
    unit = story(PLAN).phase(phase).unit
    assert unit is not None
    return MemoryWorld(estate).bound(journal(estate).ledger(unit.name, unit.fingerprint))


def made() -> Estate:
    estate = Estate(PLAN)
    apply(estate, "provision", "replicate")
    return estate


# ---- on the source ----


def test_the_source_gets_one_topic_and_the_declared_rights_and_loses_them_again() -> None:
    estate = Estate(PLAN)
    source = estate.clusters[Side.SOURCE]
    topics, rights = set(source.made), set(source.acls.rules)
    apply(estate, "provision", "replicate")
    assert set(source.made) - topics == {OFFSETS}
    new = {(right.resource, right.name, right.operation) for right in source.acls.rules - rights}
    assert new == {
        ("topic", TOPIC, "Describe"),
        *(("topic", OFFSETS, operation) for operation in ("Read", "Write")),
        ("transactionalId", f"{REVERSE.group}-{LANE.connector}-", "Write"),
    }
    back(estate, "replicate", "provision")
    estate.turns(5)
    assert (set(source.made), source.acls.rules) == (topics, rights)
    assert estate.store.get(lane_key(LANE, "kafka")) is None


def test_a_plan_without_it_makes_nothing_on_the_source() -> None:
    told = {unit.name: [step.name for step in unit.steps] for unit in _units(migration())}
    assert not {SOURCE.name, REVERSED.name} & {name for names in told.values() for name in names}
    with_it = {unit.name: [step.name for step in unit.steps] for unit in _units(PLAN)}
    assert (SOURCE.name in with_it["provision"], REVERSED.name in with_it["replicate"]) == (True, True)


def _units(plan: Migration) -> list[Unit]:
    return [phase.unit for phase in story(plan).phases if phase.unit is not None]


def test_a_mirror_that_may_write_what_the_source_owns_is_refused_before_anything_is_made() -> None:
    estate = Estate(PLAN)
    rules = estate.clusters[Side.SOURCE].acls.rules
    rules.add(WRITE)
    before = set(rules)
    with pytest.raises(Blocked, match=f"User:back Write topic {TOPIC}"):
        apply(estate, "provision")
    assert estate.clusters[Side.SOURCE].acls.rules == before
    assert OFFSETS not in estate.clusters[Side.SOURCE].made


def test_once_the_target_owns_the_topic_that_right_is_as_it_must_be() -> None:
    estate = made()
    hand_over(estate)
    assert SOURCE.check(world(estate, "provision")).changes == ()


@pytest.mark.parametrize("lacking", ["Alter", "Create"])
def test_what_kmigrate_may_not_do_is_told_before_anything_is_made(lacking: str) -> None:
    estate = Estate(PLAN)
    estate.source_admin.may.discard(lacking)
    with pytest.raises(Blocked, match=lacking) as told:
        SOURCE.check(world(estate, "provision"))
    assert f"--operation {lacking}" in told.value.hint


def test_what_could_not_be_removed_again_is_told_when_it_was_made() -> None:
    estate = Estate(PLAN)
    estate.source_admin.may.discard("Delete")
    with pytest.raises(Blocked, match="Delete"):
        apply(estate, "provision")


def test_a_topic_of_that_name_with_offsets_of_another_mirror_is_refused() -> None:
    estate = Estate(PLAN)
    source = estate.clusters[Side.SOURCE]
    source.create(Topic(name=OFFSETS, partitions=1, config={"cleanup.policy": "compact"}))
    subjects = [change.subject for change in SOURCE.check(world(estate, "provision")).changes]
    assert f"topic {OFFSETS} on the source" not in subjects
    source.logs[Partition(OFFSETS, 0)].put(1, b"1" * 16)
    source.logs[Partition(OFFSETS, 0)].mark()
    with pytest.raises(Blocked, match="holds offsets of another mirror"):
        apply(estate, "provision")


@pytest.mark.parametrize(("partitions", "config"), [(2, {"cleanup.policy": "compact"}), (1, {})])
def test_a_topic_of_that_name_and_another_shape_is_refused(partitions: int, config: dict[str, str]) -> None:
    estate = Estate(PLAN)
    estate.clusters[Side.SOURCE].create(Topic(name=OFFSETS, partitions=partitions, config=config))
    with pytest.raises(Blocked, match=f"topic {OFFSETS} is on the source already"):
        apply(estate, "provision")


def test_offsets_that_our_own_lane_has_written_are_no_reason_to_stop() -> None:
    estate = made()
    log = estate.clusters[Side.SOURCE].logs[Partition(OFFSETS, 0)]
    log.put(1, b"1" * 16)
    log.mark()
    assert SOURCE.check(world(estate, "provision")).changes == ()


# ---- its lanes ----


def test_the_lanes_are_there_and_stopped_and_nothing_was_copied() -> None:
    estate = made()
    (workers,) = estate.store.list("KafkaConnect", "kafka")
    (lane,) = estate.store.list("KafkaConnector", "kafka")
    assert (workers.key.name, lane.key.name, lane.spec["state"]) == (REVERSE.group, LANE.connector, "stopped")
    assert estate.mirror.tasks(LANE) == 0
    seen = world(estate, "replicate")
    assert REVERSED.verify(seen) == {"tasks": {LANE.name: 0}, "stopped": 1, "logsAtTheirEnds": 2}


def test_a_lane_that_somebody_started_is_stopped_again() -> None:
    estate = made()
    start(estate, {"state": RUNNING})
    seen = world(estate, "replicate")
    told = f'change KafkaConnector kafka/{LANE.connector} (state "running" → "stopped")'
    assert [str(change) for change in REVERSED.check(seen).changes] == [told]
    REVERSED.apply(seen)
    assert estate.mirror.tasks(LANE) == 0


@pytest.mark.parametrize(("side", "topic"), [(Side.SOURCE, OFFSETS), (Side.TARGET, SYNCS)])
def test_a_record_that_only_a_running_lane_would_write_is_told(side: Side, topic: str) -> None:
    estate = made()
    log = estate.clusters[side].logs[Partition(topic, 0)]
    log.put(1, b"1" * 16)
    log.mark()
    with pytest.raises(VerifyFailed, match=topic):
        REVERSED.verify(world(estate, "replicate"))


def test_a_lane_that_a_hand_over_started_stays_as_it_is() -> None:
    estate = made()
    hand_over(estate)
    start(estate, steered(RUNNING))
    seen = world(estate, "replicate")
    assert REVERSED.check(seen).changes == ()
    log = estate.clusters[Side.SOURCE].logs[Partition(OFFSETS, 0)]
    log.put(1, b"1" * 16)
    log.mark()
    REVERSED.verify(seen)
    REVERSED.apply(seen)
    (lane,) = estate.store.list("KafkaConnector", "kafka")
    assert lane.spec["state"] == RUNNING


def test_once_the_source_owns_its_topics_again_a_lane_that_runs_is_stopped() -> None:
    estate = made()
    hand_over(estate)
    start(estate, {"state": RUNNING})
    hand_over(estate, Side.SOURCE)
    seen = world(estate, "replicate")
    told = f'change KafkaConnector kafka/{LANE.connector} (state "running" → "stopped")'
    assert [str(change) for change in REVERSED.check(seen).changes] == [told]
    REVERSED.apply(seen)
    assert estate.mirror.tasks(LANE) == 0


def test_an_operator_that_says_ready_and_makes_nothing_is_not_believed() -> None:
    estate = Estate(PLAN)
    apply(estate, "provision")
    estate.operator.lazy = True
    with pytest.raises(StillUnderWay, match="lane-1-reverse: asked to be stopped"):
        REVERSED.apply(world(estate, "replicate"))


def test_a_topic_of_the_lane_that_is_gone_is_named() -> None:
    estate = made()
    estate.clusters[Side.SOURCE].remove(OFFSETS)
    with pytest.raises(Blocked, match=f"its topic {OFFSETS} is gone"):
        REVERSED.check(world(estate, "replicate"))


def start(estate: Estate, asked: JsonObject) -> None:
    resource = estate.store.get(lane_key(LANE, "kafka"))
    assert resource is not None
    estate.store.apply(with_asked(resource, LANE, asked))
    estate.turns(5)


def hand_over(estate: Estate, owner: Side = Side.TARGET) -> None:
    """What a hand-over writes down, and the right that goes with it."""
    estate.clusters[Side.SOURCE].acls.rules.add(WRITE)
    estate.turns(2)
    at = 5 if owner is Side.TARGET else 9
    seam = Seam(owner=owner, source=at, target=at, seen=frozenset())
    book = journal(estate).ledger(f"{'cutover' if owner is Side.TARGET else 'rollback'}/storefront#{at}", "f")
    book.put(SEAMS, write_seams({Partition(TOPIC, 0): seam}))
