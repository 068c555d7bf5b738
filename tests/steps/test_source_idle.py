"""The source is left only when nobody is there: everybody who is, is named at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from memory_estate import GROUP, TOPIC, Estate, migration
from walking import journal_of, walk

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.errors import Blocked, Refused, StillUnderWay
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import Partition, Side, Topic
from kmigrate.probes.lanes import lane_key, with_asked
from kmigrate.steps.decommission import ProveIdle

STEP = ProveIdle(migration=migration())
(LANE,) = forward_lanes(migration())


def _moved(*after: str, keeps: Mapping[str, str] = MappingProxyType({})) -> MemoryWorld:
    """Everybody has moved, and nobody writes on the source any more; `keeps` are the topic's settings there."""
    estate = Estate()
    estate.clusters[Side.SOURCE].create(Topic(name=TOPIC, partitions=2, config=keeps))
    lines = MemoryLines(estate.death)
    walk(estate, lines, ("provision", "replicate", "cutover"))
    estate.settle()
    walk(estate, lines, after)
    return MemoryWorld(estate).bound(journal_of(estate, lines).past())


def _by_hand(world: MemoryWorld, state: str) -> None:
    """Somebody asks the lane to stop or to run."""
    mirror = world.estate.store.get(lane_key(LANE, "kafka"))
    assert mirror is not None
    body = with_asked(mirror, LANE, {"state": state})
    world.estate.store.apply_by_operator({name: part for name, part in body.items() if name != "status"})
    world.estate.turns(3)


def _written(world: MemoryWorld, turns: int = 5) -> int:
    """Somebody writes for a while, and stops; how many records that were."""
    before = sum(world.estate.written.values())
    world.estate.writing = True
    world.estate.turns(turns)
    world.estate.writing = False
    return sum(world.estate.written.values()) - before


def test_an_idle_source_is_proven_idle_and_the_keys_to_revoke_are_told() -> None:
    world = _moved()
    assert not STEP.check(world).changes
    assert STEP.verify(world) == {"watched_ms": 5_000, "partitions": 2, "keysToRevoke": ["k", "m", "sa-ml"]}


def test_who_cannot_be_looked_at_is_named_in_the_evidence() -> None:
    (app,) = migration().applications
    nightly = replace(app, name="nightly", reads=(), writes=(TOPIC,), workloads=())
    step = ProveIdle(migration=replace(migration(), applications=(app, nightly)))
    told = step.verify(_moved())
    assert isinstance(told, dict)
    assert told["notLookedAt"] == ["nightly"]


def test_an_application_and_its_group_that_stay_are_both_named() -> None:
    with pytest.raises(Blocked) as refused:
        STEP.check(MemoryWorld(Estate()))
    assert refused.value.message == (
        f"the source is still in use: ml-features runs there; group {GROUP} has members there"
    )


def test_a_stopped_application_that_never_moved_is_named() -> None:
    world = _moved()
    world.estate.app.side, world.estate.app.running = Side.SOURCE, False
    with pytest.raises(Blocked, match="ml-features is stopped and was not moved"):
        STEP.check(world)


def test_a_log_that_grows_is_named() -> None:
    world = _moved()
    world.estate.writing = True
    with pytest.raises(Blocked, match=f"{TOPIC} grows \\(no application of the plan writes it\\)"):
        STEP.verify(world)


def test_what_a_lane_that_was_stopped_has_not_copied_keeps_the_source_until_it_has() -> None:
    world = _moved()
    _by_hand(world, STOPPED)
    _written(world)
    with pytest.raises(Blocked, match=rf"lane lane-1 has still to copy at most \d+ records of {TOPIC}") as refused:
        STEP.verify(world)
    assert "set the state of source-1 in KafkaMirrorMaker2 kafka/kmigrate-forward to running" in refused.value.hint
    _by_hand(world, RUNNING)
    STEP.verify(world)


def test_a_lane_that_runs_and_copies_nothing_keeps_the_source_until_it_copies() -> None:
    world = _moved()
    world.estate.mirror.held_up = True
    _written(world)
    with pytest.raises(StillUnderWay, match=rf"lane lane-1 has still to copy at most \d+ records of {TOPIC}") as late:
        STEP.verify(world)
    assert "why it copies nothing" in late.value.hint
    world.estate.mirror.held_up = False
    STEP.verify(world)


def test_the_last_copies_are_waited_for() -> None:
    world = _moved()
    assert _written(world, turns=1)
    STEP.verify(world)
    logs = [world.estate.clusters[side].logs[Partition(TOPIC, 0)] for side in Side]
    assert len({tuple(each.number for each in log.entries if each.record) for log in logs}) == 1


def test_a_stopped_lane_that_has_copied_everything_is_no_matter() -> None:
    world = _moved()
    _by_hand(world, STOPPED)
    STEP.verify(world)


def test_a_partition_that_the_target_does_not_have_is_named() -> None:
    world = _moved()
    source = world.estate.clusters[Side.SOURCE]
    source.create(replace(source.made[TOPIC], partitions=3))
    STEP.verify(world)
    source.logs[Partition(TOPIC, 2)].put(1, b"s" * 16, -1)
    with pytest.raises(Refused, match=f"{TOPIC}/2 up to 1: the other side has 2 partitions"):
        STEP.verify(world)


def test_a_transaction_that_is_open_on_the_source_is_named() -> None:
    world = _moved()
    log = world.estate.clusters[Side.SOURCE].logs[Partition(TOPIC, 0)]
    log.put(1, b"s" * 16, 0, transaction="nightly")
    with pytest.raises(Blocked, match=f"a transaction is open in {TOPIC}/0"):
        STEP.verify(world)


def test_once_the_target_deletes_again_a_copy_need_not_be_there_and_what_came_later_is_named() -> None:
    world = _moved("decommission", keeps={"retention.ms": "604800000"})
    for log in world.estate.clusters[Side.TARGET].logs.values():
        log.expire(log.end)
    STEP.verify(world)
    _written(world)
    with pytest.raises(Blocked, match="lane lane-1 has still to copy"):
        STEP.verify(world)
