"""What a move of writers refuses, and whom it names: a foreign writer, readers left behind, a lane that is shared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from law_watch import estate_of, watch_of
from laws import Walk
from writers_move import FIRST, PLAN, STAYS, forgotten, last, life_after, may_stay, prepared, stray

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.adapters.memory.facts import NoFacts
from kmigrate.advice import LANE_SHARED
from kmigrate.cli import views
from kmigrate.errors import Blocked, ForeignWrite, StillUnderWay, TurnBack, VerifyFailed, WentBack
from kmigrate.journal import Event
from kmigrate.manifests.lanes import forward_lanes, other_way
from kmigrate.model import ARMED, Accepted, Direction, Right, SecretRef, Side
from kmigrate.plan import Unit
from kmigrate.probes.content import settled_ends
from kmigrate.probes.ownership import epochs
from kmigrate.steps.cutover.soak import COPIED
from kmigrate.steps.lanes import asked_reset


def test_readers_go_no_later_than_the_writer_but_by_name() -> None:
    walk = prepared(readers=False)
    with pytest.raises(Blocked, match="checkout would leave readers behind: fraud reads orders, payments"):
        walk.type("cutover checkout")
    assert walk.estate.workloads["checkout"].running
    stays = prepared(may_stay(PLAN), readers=False)
    stays.type("cutover checkout")
    stays.exact()


def test_a_reader_that_stayed_is_fed_and_moves_later_through_the_hand_over() -> None:
    walk = prepared(may_stay(PLAN), readers=False)
    for command in ("cutover checkout", "cutover fraud", "rollback checkout", "rollback fraud", "cutover checkout"):
        walk.type(command)
        walk.exact()


SHARED = replace(PLAN, topics=(*PLAN.topics, "refunds"), lane_topics=(("orders", "payments", "refunds"),))


def test_what_shares_its_lane_with_other_topics_is_a_red_flag_before_anything_is_made() -> None:
    with pytest.raises(Blocked, match=r"KM-LANE-SHARED checkout: it cannot move: .* shares a lane with refunds"):
        prepared(SHARED)


def test_what_shares_its_lane_with_other_topics_is_not_handed_over() -> None:
    walk = prepared(replace(SHARED, accept=(*SHARED.accept, Accepted(id=LANE_SHARED, subject="checkout", reason="r"))))
    with pytest.raises(Blocked, match="orders, payments share a lane with refunds"):
        walk.type("cutover checkout")


def test_a_record_that_comes_between_the_drain_and_the_hand_over_is_drained_too() -> None:
    died = life_after(prepared(), "drain-mirror")
    at = stray(died, Side.SOURCE)
    died.type("cutover checkout")
    life = epochs(MemoryWorld(died.estate).bound(died.journal().past()))[FIRST]
    assert (life.owner, life.seams[-1].source) == (Side.TARGET, at + 1)
    assert died.estate.clusters[Side.TARGET].logs[FIRST].visible(0)[-1].offset >= life.seams[-1].target


def went_back(walk: Walk) -> None:
    """All is as before the move, and what was written on the source stands on the target, too."""
    assert not epochs(MemoryWorld(walk.estate).bound(walk.journal().past()))
    assert watch_of(walk.estate).unruly == []
    assert (walk.estate.workloads["checkout"].side, walk.estate.workloads["checkout"].running) == (Side.SOURCE, True)
    walk.rest()
    numbers = {side: [e.number for e in walk.estate.clusters[side].logs[FIRST].visible()] for side in Side}
    assert -1 in numbers[Side.TARGET]
    assert numbers[Side.SOURCE][: len(numbers[Side.TARGET])] == numbers[Side.TARGET]


def test_a_record_that_comes_after_the_hand_over_and_before_the_start_turns_the_move_back() -> None:
    died = life_after(prepared(replace(PLAN, accept=(STAYS,))), "hand-over-topics")
    forgotten(died)
    at = stray(died, Side.SOURCE)
    told = f"somebody writes on the source: orders/0 at {at} .*who may write orders there: User:forgotten; all of"
    with pytest.raises(WentBack, match=told) as gone:
        died.type("cutover checkout")
    assert gone.value.exit_code == 9
    assert "find out who writes orders" in gone.value.hint
    went_back(died)
    died.type("cutover checkout")
    assert died.estate.workloads["checkout"].side is Side.TARGET


def test_whoever_writes_on_while_ends_are_awaited_turns_the_move_back_long_before_its_pause_is_over() -> None:
    walk = prepared(replace(PLAN, accept=(STAYS,)))
    forgotten(walk)
    turn, began = walk.estate.turn, walk.estate.clock.now_ms()

    def act() -> None:
        if not walk.estate.workloads["checkout"].running:
            stray(walk, Side.SOURCE)
        turn()

    walk.estate.clock.work = act
    with pytest.raises(WentBack, match=r"somebody writes on the source: orders/0 at \d+ .*User:forgotten"):
        walk.type("cutover checkout")
    walk.estate.clock.work = turn
    assert walk.estate.clock.now_ms() - began < PLAN.policy.max_pause_ms // 4
    went_back(walk)


def test_on_the_way_back_a_foreign_record_holds_the_move_instead() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    lives = walk.copy().lives("rollback checkout")
    died = next(life for life in lives if last(life) == ("VERIFIED", "hand-over-topics"))
    at = stray(died, Side.TARGET)
    with pytest.raises(Blocked, match=f"somebody writes on the target: orders/0 at {at} ") as held:
        died.type("rollback checkout")
    assert not isinstance(held.value, TurnBack)
    assert not died.estate.workloads["checkout"].running


def test_a_record_that_comes_while_ends_are_read_again_is_no_seam() -> None:
    died = life_after(prepared(), "drain-mirror")
    unit = died.plan.unit("checkout", Direction.CUTOVER, 1)
    (hand_over,) = (step for step in unit.steps if step.name == "hand-over-topics")
    at = stray(died, Side.SOURCE)
    world = MemoryWorld(died.estate).bound(died.journal().ledger(unit.name, unit.fingerprint))
    with pytest.raises(ForeignWrite, match=f"orders/0 at {at} "):
        hand_over.apply(world)
    assert not epochs(world)


def test_a_lane_is_armed_for_its_own_direction_also_where_the_offsets_of_both_are_equal() -> None:
    """Found by a death: the seam back began at the very offset at which the other lane had been armed."""
    walk = prepared()
    for command in ("cutover checkout", "rollback checkout"):
        walk.type(command)
    facts = tuple(walk.journal().by_unit(ARMED).values())
    assert [sorted(fact) for fact in facts if isinstance(fact, dict)] == [["lane-1-reverse"], ["lane-1"]]


def test_without_a_mirror_back_a_writer_stays() -> None:
    walk = Walk(estate_of(replace(PLAN, reverse_auth=None)))
    assert walk.plan.moves == ("fraud",)
    assert "without mirror.reverse" in walk.plan.stays["checkout"]


def handed_over() -> tuple[Walk, MemoryWorld]:
    walk = prepared()
    walk.type("cutover checkout")
    return walk, MemoryWorld(walk.estate).bound(walk.journal().past())


def test_of_topics_that_changed_hands_status_tells_the_lane_in_force() -> None:
    walk, world = handed_over()
    (lag,) = views.look(PLAN, walk.plan, walk.journal(), world).lag
    (blind,) = views.look(PLAN, walk.plan, walk.journal(), world.bound(NoFacts())).lag
    assert (lag.lane, blind.lane) == ("lane-1-reverse", "lane-1")
    # whoever asks the lane that stands still is told ever more of what came back as lag
    walk.estate.turns(40)
    (later,) = views.look(PLAN, walk.plan, walk.journal(), world).lag
    (forward,) = views.look(PLAN, walk.plan, walk.journal(), world.bound(NoFacts())).lag
    assert later.behind is not None
    assert forward.behind is not None
    assert later.behind < forward.behind


def test_contents_are_compared_up_to_what_was_written_on_the_side_entered() -> None:
    walk, world = handed_over()
    (lane,) = forward_lanes(PLAN)
    ends = settled_ends(world, lane, PLAN.topics, deadline_ms=60_000)
    seam = epochs(world)[FIRST].seams[-1]
    assert ends[FIRST].target > seam.target
    assert ends[FIRST].source > seam.source
    assert not any(each.unknown for each in ends.values())
    assert walk.estate.workloads["checkout"].side is Side.TARGET


def test_what_the_target_owns_has_nothing_on_the_source_to_catch_up_with() -> None:
    walk, _ = handed_over()
    (catch_up,) = (step for step in _replicate(walk).steps if step.name == "catch-up")
    ledger = walk.journal().ledger("replicate#2", "f")
    assert catch_up.check(MemoryWorld(walk.estate).bound(ledger)).changes == ()
    fresh = prepared()
    (before,) = (step for step in _replicate(fresh).steps if step.name == "catch-up")
    unit = fresh.journal().ledger("replicate#2", "f")
    assert [each.subject for each in before.check(MemoryWorld(fresh.estate).bound(unit)).changes] == ["lane lane-1"]


def _replicate(walk: Walk) -> Unit:
    unit = walk.plan.phase("replicate").unit
    assert unit is not None
    return unit


def test_what_stands_still_is_gone_on_with_before_what_was_only_approved() -> None:
    walk = prepared(may_stay(PLAN), readers=False)
    walk.journal().record("cutover/fraud#1", "f", Event.APPROVED)
    assert views.next_command(walk.plan, walk.journal()) == "kmigrate apply --phase cutover --app fraud"
    died = life_after(walk, "hand-over-topics")
    assert views.next_command(died.plan, died.journal()) == "kmigrate apply --phase cutover --app checkout"


def resets(walk: Walk) -> list[str]:
    """Where each lane would begin without an offset, forward and back."""
    world = MemoryWorld(walk.estate)
    (lane,) = forward_lanes(PLAN)
    return [asked_reset(world, PLAN.target, each) for each in (lane, other_way(lane))]


def test_a_lane_that_was_armed_never_begins_anew_and_no_later_phase_says_otherwise() -> None:
    walk = prepared()
    assert resets(walk) == ["earliest", "earliest"]
    walk.type("cutover checkout")
    assert resets(walk) == ["earliest", "none"]
    told = [entry.data for entry in walk.journal().entries if (entry.step, entry.event) == ("turn-mirror", "VERIFIED")]
    assert told == [{"lane-1-reverse": {"partitions": 4, "without an offset": "none"}}]
    walk.type("rollback checkout")
    assert resets(walk) == ["none", "none"]
    ledger = walk.journal().ledger("replicate#2", "f")
    for step in _replicate(walk).steps:
        if step.name in ("start-mirror", "prepare-reverse"):
            assert step.check(MemoryWorld(walk.estate).bound(ledger)).changes == ()


def test_a_mirror_back_that_copies_nothing_is_an_alarm_while_the_move_soaks() -> None:
    walk = prepared()
    turn = walk.estate.turn

    def act() -> None:
        begun = any(COPIED in line and "cutover/checkout" in line for line in walk.estate.lines.written)
        walk.estate.mirror.back.held_up = begun
        turn()

    walk.estate.clock.work = act
    with pytest.raises(StillUnderWay, match=r"the mirror back copies nothing of orders/0, .*which has records"):
        walk.type("cutover checkout")
    walk.estate.clock.work = turn
    walk.estate.mirror.back.held_up = False
    walk.type("cutover checkout")
    walk.exact()


def test_a_record_of_just_now_is_waited_for_at_the_last_look_of_a_watch_and_not_for_long() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    world = MemoryWorld(walk.estate).bound(walk.journal().ledger("cutover/checkout#1", "f"))
    soak = next(step for step in walk.plan.unit("checkout", Direction.CUTOVER, 1).steps if step.name == "soak")
    back, turn = walk.estate.mirror.back, walk.estate.turn
    (lane,) = forward_lanes(PLAN)
    world.ledger.put(COPIED, {str(p): at for p, at in world.mirror.copied(other_way(lane)).items()})
    back.held_up = True
    turn()

    def act() -> None:
        back.held_up = False
        turn()

    walk.estate.clock.work = act
    assert soak.verify(world)
    back.held_up = True
    world.ledger.put(COPIED, {str(p): at for p, at in world.mirror.copied(other_way(lane)).items()})
    turn()
    assert soak.check(world).changes == ()
    back.held_up, walk.estate.clock.work = True, turn
    world.ledger.put(COPIED, {str(p): at for p, at in world.mirror.copied(other_way(lane)).items()})
    turn()
    with pytest.raises(VerifyFailed, match="not done after 10 s: the mirror back copies nothing of orders/0"):
        soak.verify(world)


def test_a_topic_that_everybody_may_write_does_not_change_its_owner() -> None:
    everybody = Accepted(id="KM-PRINCIPAL-UNASSIGNED", subject="User:*", reason="it may read")
    walk = prepared(replace(PLAN, accept=(everybody,)))
    acls = walk.estate.clusters[Side.SOURCE].acls
    acls.rules = acls.rules | {Right(principal="User:*", resource="topic", name="orders", operation="Write")}
    with pytest.raises(Blocked, match="KM-WRITE-EVERYBODY orders"):
        walk.type("cutover checkout")
    assert walk.estate.workloads["checkout"].running


def test_a_mirror_that_could_not_sign_in_to_copy_back_is_told_before_anything_is_stopped() -> None:
    walk = prepared()
    (broker,) = walk.estate.clusters[Side.SOURCE].brokers()
    refusals = walk.estate.access[Side.SOURCE].refusals
    refusals[broker, "sign in as BACKKEY"] = "its key was revoked"
    with pytest.raises(Blocked, match=f"could not sign in as BACKKEY .*at {broker}: its key was revoked"):
        walk.type("cutover checkout")
    assert walk.estate.workloads["checkout"].running
    refusals.clear()
    walk.type("cutover checkout")
    told = [entry.data for entry in walk.journal().entries if (entry.step, entry.event) == ("ready", "VERIFIED")][-1]
    assert f"sign in as BACKKEY at {broker}" in str(told)
    refusals[broker, "sign in as MIRRORKEY"] = "its key was revoked"
    with pytest.raises(Blocked, match="could not sign in as MIRRORKEY"):
        walk.type("rollback checkout")


def test_the_password_that_is_tried_is_the_one_that_the_mirror_uses() -> None:
    walk = prepared()
    walk.estate.secrets.store("kmigrate-mirror-back-source", "password", SecretRef(env="OLDER"))
    with pytest.raises(Blocked, match="Secret kmigrate-mirror-back-source does not hold the mirror's password"):
        walk.type("cutover checkout")
