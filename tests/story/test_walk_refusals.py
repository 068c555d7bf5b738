"""What stops a move, what it leaves alone then, and how it goes on."""

from dataclasses import replace

import pytest
from memory_estate import GROUP, TOPIC, Estate, migration
from walking import APP, FIRST, assert_exact, command, crossing, run_until

from kmigrate.adapters.memory import Died, MemoryAclFence, MemoryLines, MemoryWorld
from kmigrate.engine import forward, run_unit
from kmigrate.errors import Blocked, KmigrateError, Refused, StillUnderWay
from kmigrate.journal import Journal
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Direction, Partition, Reads, Side
from kmigrate.probes.drain import await_copies
from kmigrate.story import story
from kmigrate.world import Key


def test_an_application_restarted_by_hand_after_the_drain_is_drained_again_and_stays_exact() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"drain-mirror"')
    estate.fences[Side.SOURCE].lift(estate.clusters[Side.SOURCE].acls.denied())
    estate.app.running = True
    for _ in range(3):
        estate.turn()
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_an_application_that_is_restarted_while_positions_are_carried_blocks_the_commit() -> None:
    estate = Estate()
    lines = crossing(estate)
    plan, world = story(migration()), MemoryWorld(estate)

    class Meddled(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if '"event":"STARTED","step":"carry-positions"' in line:
                estate.groups[Side.SOURCE].members[GROUP] = ("an instance that the fence does not catch",)

    journal = Journal(Meddled(estate.death, lines.written), estate.clock, "test", "shop")
    unit = forward(plan, journal, APP)
    assert unit is not None
    with pytest.raises(Blocked, match="somebody reads on the source"):
        run_unit(unit, world, journal)
    assert estate.groups[Side.TARGET].commits == []
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_a_group_that_somebody_uses_on_the_target_is_never_written_to() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"drain-mirror"')
    target = estate.groups[Side.TARGET]
    target.members[GROUP] = ("a stranger",)
    with pytest.raises(Blocked, match="not Empty"):
        command("cutover", estate, lines)
    assert target.commits == []


def test_undo_before_the_start_gives_the_group_back_what_it_held_and_starts_the_application() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.groups[Side.TARGET].held_by[GROUP] = {FIRST: 3}
    run_until(estate, lines, '"event":"VERIFIED","step":"switch-settings"')
    command("rollback", estate, lines)
    assert estate.groups[Side.TARGET].held_by[GROUP] == {FIRST: 3}
    assert_exact(estate, lines, Side.SOURCE)


@pytest.mark.parametrize("held", [{Partition("elsewhere", 0): 42}, {Partition("elsewhere", 0): 42, FIRST: 3}, {}])
def test_undo_leaves_a_group_exactly_what_it_held_on_the_target_also_in_other_topics(
    held: dict[Partition, int],
) -> None:
    estate = Estate()
    lines = crossing(estate)
    groups = estate.groups[Side.TARGET].held_by
    groups[GROUP] = dict(held)
    run_until(estate, lines, '"event":"VERIFIED","step":"switch-settings"')
    assert len(groups[GROUP]) > len(held)
    command("rollback", estate, lines)
    assert groups.get(GROUP, {}) == held
    assert_exact(estate, lines, Side.SOURCE)


def test_undo_refuses_when_somebody_has_read_on_the_target_since() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"switch-settings"')
    estate.groups[Side.TARGET].held_by[GROUP][FIRST] += 1
    with pytest.raises(Blocked, match="has read on the target already") as told:
        command("rollback", estate, lines)
    assert f"kmigrate apply --phase cutover --app {APP}" in told.value.hint


def test_from_the_start_on_the_way_back_is_a_move_of_its_own_and_exact() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"APPLIED","step":"start-workloads"')
    estate.turns(5)
    command("rollback", estate, lines)
    journal = Journal(lines, estate.clock, "test", "shop")
    assert [unit.name for unit in journal.attempts(APP)] == ["cutover/ml-features#1", "rollback/ml-features#1"]
    assert_exact(estate, lines, Side.SOURCE)


def test_no_position_is_written_after_the_application_was_started_on_the_target() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"APPLIED","step":"start-workloads"')
    estate.app.running = False
    estate.turn()
    commits = len(estate.groups[Side.TARGET].commits)
    estate.groups[Side.SOURCE].held_by[GROUP][FIRST] += 1
    with pytest.raises(Blocked, match="no position is written there any more"):
        command("cutover", estate, lines)
    assert len(estate.groups[Side.TARGET].commits) == commits


def test_a_reader_goes_back_although_the_mirror_has_failed() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    estate.mirror.failed = "no such host"
    estate.turn()
    command("rollback", estate, lines)
    assert estate.app.side is Side.SOURCE
    estate.mirror.failed = ""
    assert_exact(estate, lines, Side.SOURCE)


def test_a_failed_mirror_blocks_before_anything_is_stopped() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.mirror.failed = "no such host"
    estate.turn()
    with pytest.raises(Blocked, match="the mirror is not well"):
        command("cutover", estate, lines)
    assert estate.app.running


def test_a_foreign_record_right_after_the_position_is_refused_and_nothing_is_committed() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.running = False  # so that the position stands where the foreign record comes in
    estate.writing = False
    for _ in range(100):
        estate.turn()
    position = estate.groups[Side.SOURCE].held_by[GROUP][FIRST]
    source, target = estate.clusters[Side.SOURCE].logs[FIRST], estate.clusters[Side.TARGET].logs[FIRST]
    last = source.visible(0, position)[-1].number
    index = next(i for i, entry in enumerate(target.entries) if entry.number == last)
    target.put(2_000_000, b"x" * 16, -2)
    foreign = target.entries.pop()
    target.entries.insert(index + 1, foreign)
    target.entries[:] = [
        replace(e, offset=n, record=e.record._replace(offset=n) if e.record else None)
        for n, e in enumerate(target.entries)
    ]
    with pytest.raises(Refused, match="somebody else writes there"):
        command("cutover", estate, lines)
    assert estate.groups[Side.TARGET].commits == []


def test_a_position_that_retention_has_eaten_is_refused() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.held_up = True
    estate.turns(2)
    estate.clusters[Side.SOURCE].logs[FIRST].expire(estate.groups[Side.SOURCE].held_by[GROUP][FIRST] + 1)
    estate.app.held_up = estate.app.running = False
    estate.turn()
    with pytest.raises(Refused, match="retention has eaten"):
        command("cutover", estate, lines)


def test_the_way_forward_is_closed_while_a_way_back_is_half_done() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("cutover", estate, lines)
    estate.death.at = estate.death.seen + 12
    with pytest.raises(Died):
        command("rollback", estate, lines)
    with pytest.raises(KmigrateError, match="half done"):
        command("cutover", estate, lines)
    command("rollback", estate, lines)
    assert_exact(estate, lines, Side.SOURCE)


def test_the_story_says_why_a_writer_stays() -> None:
    plan = story(migration())
    assert plan.moves == (APP,)
    unit = plan.unit(APP, Direction.CUTOVER, 1)
    assert [step.name for step in unit.steps if step.one_way] == [unit.point_of_no_undo]


def test_an_application_that_is_restarted_after_its_positions_were_committed_is_not_started_twice() -> None:
    estate = Estate()
    lines = crossing(estate)
    plan, world = story(migration()), MemoryWorld(estate)

    class Meddled(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if '"event":"STARTED","step":"start-workloads"' in line:
                estate.groups[Side.SOURCE].members[GROUP] = ("an instance nobody stopped",)

    unit = forward(plan, Journal(lines, estate.clock, "test", "shop"), APP)
    assert unit is not None
    with pytest.raises(Blocked, match="somebody reads on the source"):
        run_unit(unit, world, Journal(Meddled(estate.death, lines.written), estate.clock, "test", "shop"))
    assert not estate.app.running


def test_an_idle_application_has_started_when_its_group_has_members() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.settle()
    for log in estate.clusters[Side.TARGET].logs.values():
        log.mark()  # a marker behind the last record moves no position on
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_nothing_counts_as_copied_while_the_target_hides_the_end_of_its_log() -> None:
    estate = Estate()
    crossing(estate)
    estate.settle()
    (lane,) = forward_lanes(migration())
    bounds = {p: log.end for p, log in estate.clusters[Side.SOURCE].logs.items()}
    target = estate.clusters[Side.TARGET].logs[FIRST]
    target.put(1, b"x" * 16, transaction="open")
    with pytest.raises(StillUnderWay, match="own word is missing for shipments/0"):
        await_copies(MemoryWorld(estate), Side.SOURCE, bounds, lane, what="copies", deadline_ms=1_000)
    target.abort("open")
    seen = await_copies(MemoryWorld(estate), Side.SOURCE, bounds, lane, what="copies", deadline_ms=1_000)
    assert seen.last == estate.mirror.last


def test_nothing_counts_as_copied_before_connect_says_so() -> None:
    estate = Estate()
    crossing(estate)
    estate.settle()
    (lane,) = forward_lanes(migration())
    bounds = {p: log.end for p, log in estate.clusters[Side.SOURCE].logs.items()}
    estate.mirror.last[FIRST] -= 1
    estate.mirror.held_up = True
    with pytest.raises(StillUnderWay, match="own word is missing"):
        await_copies(MemoryWorld(estate), Side.SOURCE, bounds, lane, what="copies", deadline_ms=1_000)


def test_two_applications_that_share_a_principal_share_a_user_with_the_rights_of_both() -> None:
    one = migration()
    (app,) = one.applications
    other = replace(app, name="other", reads=(Reads(group="other", topics=(TOPIC,)),))
    shared = replace(one, applications=(app, other))
    estate = Estate(shared)
    unit = story(shared).phase("provision").unit
    assert unit is not None
    lines = MemoryLines(estate.death)
    run_unit(unit, MemoryWorld(estate), Journal(lines, estate.clock, "test", "shop"))
    user = estate.store.get(Key("KafkaUser", "kafka", "ml-features"))
    assert user is not None
    assert {"ml-features", "other"} <= {word for word in str(user.spec).split("'") if word}


def test_an_application_that_points_to_neither_side_blocks_before_anything_is_stopped() -> None:
    estate = Estate()
    lines = crossing(estate)
    estate.app.elsewhere = "alias-of-the-source:9092"
    with pytest.raises(Blocked, match="points to alias-of-the-source:9092, which is neither the source nor the target"):
        command("cutover", estate, lines)
    assert '"step":"stop-workloads"' not in "".join(lines.written)
    assert estate.app.running


def test_a_right_that_the_fence_will_need_is_missed_before_anything_is_stopped() -> None:
    estate = Estate()
    lines = crossing(estate)
    fence = estate.fences[Side.SOURCE]
    assert isinstance(fence, MemoryAclFence)
    fence.may_alter = False
    with pytest.raises(Blocked, match="lacks Alter") as told:
        command("cutover", estate, lines)
    assert "grant it" in told.value.hint
    assert estate.app.running
    fence.may_alter = True
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)
