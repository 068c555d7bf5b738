"""Catching up tells how far it is and what failed; nothing may expire on the source before it is copied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from memory_estate import TOPIC, Estate, migration

from kmigrate.adapters.memory import Log, MemoryFacts, MemoryWorld
from kmigrate.errors import Blocked, Refused, StillUnderWay
from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.manifests.users import forward_mirror_rules, user
from kmigrate.model import JsonObject, Partition, Right, Side, Topic
from kmigrate.plan import Finding
from kmigrate.positions import digest
from kmigrate.probes.drain import await_copies
from kmigrate.steps.replicate import CatchUp, GuardRetention, StartMirror
from kmigrate.story import story
from kmigrate.world import Reporter

CATCH_UP, GUARD = CatchUp(migration=migration()), GuardRetention(migration=migration())
FIRST, SECOND = Partition(TOPIC, 0), Partition(TOPIC, 1)
DAY_MS = 86_400_000


@dataclass
class Told(Reporter):
    lines: list[str] = field(default_factory=list)

    def progress(self, what: str, detail: str) -> None:
        self.lines.append(f"{what}: {detail}")


def _world() -> MemoryWorld:
    """Forty records in either partition of the source, a mirror that copies nine per turn, and nobody who writes."""
    estate = Estate(writing=False)
    estate.app.held_up = True
    for partition in (FIRST, SECOND):
        for cluster in estate.clusters.values():
            cluster.create(Topic(name=TOPIC, partitions=2))
            cluster.logs[partition] = Log()
    for lane in forward_lanes(migration()):
        for name in (FORWARD.connector_offsets(lane), FORWARD.offset_syncs(lane)):
            estate.clusters[Side.TARGET].create(Topic(name=name, partitions=1))
    _write(estate, FIRST, 40)
    _write(estate, SECOND, 40)
    rules = forward_mirror_rules(forward_lanes(migration()), FORWARD)
    estate.store.apply(user(MIRROR_USER, rules, migration().target))
    estate.store.apply(_mirror())
    estate.operator.work()
    return MemoryWorld(estate, MemoryFacts(), Told())


def _mirror() -> JsonObject:
    one = migration()
    signed = Endpoint(bootstrap="", mechanism="plain", username=MIRROR_USER, password=("", ""))
    return mirror_maker(FORWARD, forward_lanes(one), one.target, reads_from=signed, writes_to=signed)


def _write(estate: Estate, partition: Partition, count: int) -> None:
    log = estate.clusters[Side.SOURCE].logs[partition]
    for number in range(log.end, log.end + count):
        log.put(estate.clock.now, digest(estate.clock.now, b"k", str(number).encode()), number)


def _caught_up() -> MemoryWorld:
    world = _world()
    CATCH_UP.apply(world)
    assert not CATCH_UP.check(world).changes
    return world


def _stopped(world: MemoryWorld) -> MemoryWorld:
    """The same, with the mirror gone: what is written from now on is not copied."""
    world.estate.mirror.held_up = True
    return world


def _configure(world: MemoryWorld, config: dict[str, str]) -> None:
    world.estate.clusters[Side.SOURCE].create(Topic(name=TOPIC, partitions=2, config=config))


def _after_turns(world: MemoryWorld, turns: int, happens: Callable[[], None]) -> None:
    work, seen = world.estate.clock.work, [0]

    def turn() -> None:
        seen[0] += 1
        if seen[0] == turns:
            happens()
        work()

    world.estate.clock.work = turn


def _vanish(world: MemoryWorld, partition: Partition, start: int) -> None:
    """Retention takes everything before `start`."""
    world.estate.clusters[Side.SOURCE].logs[partition].expire(start)


def _lines(world: MemoryWorld) -> list[str]:
    assert isinstance(world.reporter, Told)
    return world.reporter.lines


# ---- progress ----


def test_catching_up_tells_records_behind_the_rate_since_the_wait_began_and_the_time_left() -> None:
    lines = _lines(_caught_up())
    assert lines[0] == (
        "catching up lane-1: 0 of 2 partitions copied; at most 80 records behind, none copied in 0 s; "
        "shipments/0 by at most 40 records"
    )
    assert "at most 62 records behind, 900 records/s, about 0 s left" in lines[1]
    assert "at most 44 records behind, 857 records/s, about 0 s left" in lines[2]


def test_the_time_left_is_what_is_left_over_the_rate() -> None:
    world = _world()
    _write(world.estate, FIRST, 40_000)
    _after_turns(world, 1, lambda: setattr(world.estate.clock, "now", world.estate.clock.now + 10_000))
    _after_turns(world, 2, lambda: setattr(world.estate.mirror, "failed", "enough"))
    with pytest.raises(Blocked):
        CATCH_UP.apply(world)
    assert "at most 40062 records behind, 2 records/s, about 22301 s left" in _lines(world)[1]


def test_what_retention_took_before_the_copy_began_is_not_behind() -> None:
    world = _world()
    _vanish(world, FIRST, 30)
    CATCH_UP.apply(world)
    assert "at most 50 records behind" in _lines(world)[0]


def test_on_the_way_back_only_partitions_are_counted_since_connect_tells_offsets_of_the_source() -> None:
    world = _stopped(_world())
    log = world.estate.clusters[Side.TARGET].logs[FIRST]
    log.put(1, digest(1, b"k", b"open"), transaction="open")
    (lane,) = forward_lanes(migration())
    with pytest.raises(StillUnderWay, match=r"0 of 1 partitions copied$"):
        await_copies(world, Side.TARGET, {FIRST: 1}, lane, what="copies", deadline_ms=100)


# ---- failed tasks ----


def test_a_task_that_fails_while_waiting_is_named_at_once() -> None:
    world = _world()
    _after_turns(world, 2, lambda: setattr(world.estate.mirror, "failed", "no such host"))
    began = world.clock.now
    with pytest.raises(Blocked, match="task 0 FAILED: no such host"):
        CATCH_UP.apply(world)
    assert world.clock.now - began < 1_000
    assert CATCH_UP.check(world).changes


# ---- the retention guard ----


def test_before_the_mirror_has_caught_up_the_guard_has_nothing_to_say() -> None:
    world = _world()
    world.estate.clock.now += 30 * DAY_MS
    assert GUARD.check(world) == Finding()


def test_what_is_copied_may_expire() -> None:
    world = _caught_up()
    world.estate.clock.now += 30 * DAY_MS
    for log in world.estate.clusters[Side.SOURCE].logs.values():
        log.expire(log.end)
    assert GUARD.check(world) == Finding()
    assert GUARD.verify(world) == {
        "topics": 1,
        "uncopied": 0,
        "shortest": "shipments: retention.ms 604800000 ms (broker default assumed)",
        "assumed": 1,
    }


def test_young_records_that_are_not_copied_yet_are_told_and_do_not_block() -> None:
    world = _stopped(_caught_up())
    _write(world.estate, FIRST, 3)
    assert not GUARD.check(world).changes
    evidence = GUARD.verify(world)
    assert isinstance(evidence, dict)
    assert evidence["uncopied"] == 3


def test_records_that_outlive_the_default_of_a_week_uncopied_block_with_numbers_and_the_command() -> None:
    world = _stopped(_caught_up())
    _write(world.estate, FIRST, 3)
    world.estate.clock.now += 7 * DAY_MS - 1
    with pytest.raises(Blocked) as refused:
        GUARD.check(world)
    assert refused.value.message == (
        "records may expire on the source before they are copied: shipments keeps them for retention.ms 604800000 ms "
        "(broker default assumed), at most 3 are not copied, the oldest is 604799999 ms old, the mirror needs 5 ms"
    )
    assert refused.value.hint == (
        "lengthen retention there, then run this again: kafka-configs.sh --bootstrap-server source:9092 "
        "--command-config admin.properties --alter --entity-type topics --entity-name shipments "
        "--add-config retention.ms=1209600008"
    )


@pytest.mark.parametrize(
    ("config", "age_ms", "blocks"),
    [
        ({"retention.ms": "60000"}, 50_000, False),
        ({"retention.ms": "60000"}, 59_999, True),
        ({"retention.ms": "-1"}, 30 * DAY_MS, False),
        ({"cleanup.policy": "compact", "retention.ms": "-1"}, DAY_MS - 100, False),
        ({"cleanup.policy": "compact", "retention.ms": "-1"}, DAY_MS - 1, True),
        ({"cleanup.policy": "compact", "delete.retention.ms": "60000"}, 59_999, True),
        ({"cleanup.policy": "compact,delete", "delete.retention.ms": "60000"}, 59_999, True),
        ({"cleanup.policy": "delete", "delete.retention.ms": "60000"}, 59_999, False),
    ],
)
def test_the_shorter_term_counts_and_only_where_it_applies(config: dict[str, str], age_ms: int, blocks: bool) -> None:
    world = _stopped(_caught_up())
    _configure(world, config)
    _write(world.estate, SECOND, 3)
    world.estate.clock.now += age_ms
    if not blocks:
        assert not GUARD.check(world).changes
        return
    with pytest.raises(Blocked, match="records may expire"):
        GUARD.check(world)


def test_the_time_the_mirror_needs_counts() -> None:
    world = _stopped(_caught_up())
    world.ledger.put("copied_per_s/lane-1", 0.01)
    _configure(world, {"retention.ms": "200000"})
    _write(world.estate, FIRST, 1)
    assert not GUARD.check(world).changes
    _write(world.estate, FIRST, 2)
    with pytest.raises(Blocked, match="at most 3 are not copied, the oldest is 0 ms old, the mirror needs 300000 ms"):
        GUARD.check(world)


def test_without_a_measured_rate_the_age_of_what_is_left_stands_for_it() -> None:
    world = _stopped(_caught_up())
    world.ledger.put("copied_per_s/lane-1", None)
    _configure(world, {"retention.ms": "60000"})
    _write(world.estate, FIRST, 1)
    world.estate.clock.now += 30_000
    assert not GUARD.check(world).changes
    world.estate.clock.now += 1
    with pytest.raises(Blocked, match="the oldest is 30001 ms old, the mirror needs 30001 ms"):
        GUARD.check(world)


def test_a_partition_of_which_nothing_was_copied_counts_from_where_its_log_starts() -> None:
    world = _stopped(_caught_up())
    new = Partition(TOPIC, 2)
    world.estate.clusters[Side.SOURCE].create(Topic(name=TOPIC, partitions=3))
    _write(world.estate, new, 9)
    world.estate.clusters[Side.SOURCE].logs[new].expire(4)
    evidence = GUARD.verify(world)
    assert isinstance(evidence, dict)
    assert evidence["uncopied"] == 5


def test_records_that_are_gone_uncopied_are_refused_never_clamped() -> None:
    world = _stopped(_caught_up())
    _write(world.estate, FIRST, 10)
    world.estate.clusters[Side.SOURCE].logs[FIRST].expire(45)
    with pytest.raises(Refused) as refused:
        GUARD.check(world)
    assert refused.value.message == (
        "retention on the source took records before they were copied: shipments/0 (copied before 40, the log "
        "starts at 45)"
    )
    assert "kmigrate rollback --to start" in refused.value.hint


def test_records_that_vanish_while_catching_up_are_refused_at_once() -> None:
    world = _world()
    _after_turns(world, 2, lambda: _vanish(world, FIRST, 30))
    work = world.estate.clock.work

    def turn() -> None:
        work()
        if world.estate.clusters[Side.SOURCE].logs[FIRST].start:
            world.estate.mirror.last[FIRST] = 8  # Connect has not told of more yet

    world.estate.clock.work = turn
    with pytest.raises(Refused, match=r"shipments/0 \(copied before 9, the log starts at 30\)"):
        CATCH_UP.apply(world)


def test_markers_after_the_last_copy_are_no_loss_when_retention_empties_the_log() -> None:
    world = _world()
    log = world.estate.clusters[Side.SOURCE].logs[FIRST]
    log.mark()
    CATCH_UP.apply(world)
    log.expire(log.end)
    assert GUARD.check(world) == Finding()


def test_what_catch_up_has_proven_counts_no_more_once_connect_has_forgotten_it() -> None:
    world = _stopped(_caught_up())
    world.estate.mirror.last.clear()
    evidence = GUARD.verify(world)
    assert isinstance(evidence, dict)
    assert evidence["uncopied"] == 80


def test_replicate_ends_with_the_guard() -> None:
    unit = story(migration()).phase("replicate").unit
    assert unit is not None
    assert [step.name for step in unit.steps][-2:] == ["catch-up", "guard-retention"]
    assert unit.steps[-1].looks_only


def test_a_mirror_that_may_not_read_its_topics_by_acls_is_not_started_and_nothing_is_said_where_it_holds_none() -> None:
    world = MemoryWorld(Estate())
    start = StartMirror(migration=migration(), mirror_login="m")
    assert start.check(world).changes
    acls = world.cluster(Side.SOURCE).acls
    acls.rules |= {Right(principal="User:m", resource="topic", name="other", operation="Read")}
    with pytest.raises(Blocked, match="by the ACLs the mirror may not Read topic shipments on the source") as told:
        start.check(world)
    assert "--allow-principal User:m --operation Read --topic shipments" in told.value.hint
    acls.rules |= {Right(principal="User:m", resource="topic", name="*", operation="Read")}
    assert start.check(world).changes
