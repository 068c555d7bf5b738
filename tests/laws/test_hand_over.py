"""What a hand-over holds to while somebody or something comes in between (design §4.2 to §4.4, §4.6, §4.7)."""

from __future__ import annotations

import pytest
from law_watch import estate_of, watch_of
from laws import BEFORE, Walk
from writers_move import FIRST, PLAN, life_after, prepared, stray

from kmigrate.adapters.memory import MemoryFacts, MemoryWorld
from kmigrate.cli import views
from kmigrate.errors import Blocked, VerifyFailed, WentBack
from kmigrate.manifests.lanes import forward_lanes, other_way
from kmigrate.manifests.mirror import STOPPED
from kmigrate.model import ARMED, Denial, Direction, JsonObject, Lane, Right, Side, objects, part
from kmigrate.plan import Step, Unit
from kmigrate.probes.arming import begins
from kmigrate.probes.counterparts import compared, read_cursors
from kmigrate.probes.lanes import lane_key, with_asked
from kmigrate.probes.ownership import SEAMS, epochs, read_seams
from kmigrate.steps.cutover.move import BEGAN
from kmigrate.steps.feeding import feeds
from kmigrate.steps.lanes import asked_state, lane_state


def step(walk: Walk, name: str, direction: Direction = Direction.CUTOVER) -> Step:
    unit = walk.plan.unit("checkout", direction, 1)
    return next(each for each in unit.steps if each.name == name)


def ask(walk: Walk, lane: Lane, state: str) -> None:
    """Somebody edits the lane's resource."""
    resource = walk.estate.store.get(lane_key(lane, "kafka"))
    assert resource is not None
    walk.estate.store.apply_by_operator(with_asked(resource, lane, {"state": state}))


def phase(walk: Walk, name: str) -> Unit:
    unit = walk.plan.phase(name).unit
    assert unit is not None
    return unit


def seen(walk: Walk, unit: str = "") -> MemoryWorld:
    """The world with all facts, and those of a unit as its own."""
    journal = walk.journal()
    return MemoryWorld(walk.estate).bound(journal.past(journal.units[unit]) if unit else journal.past())


def before_it(way: str) -> tuple[Walk, Lane]:
    """Everything before that move of the writer, and the lane that its topics are fed by afterwards."""
    walk = prepared()
    (lane,) = forward_lanes(PLAN)
    if way == "cutover":
        return walk, other_way(lane)
    walk.type("cutover checkout")
    return walk, lane


def begun_empty() -> Walk:
    """Everything before the writer's move, with nothing ever written to one of its topics."""
    walk = Walk(estate_of(PLAN))
    walk.estate.writing = False
    for log in (log for p, log in walk.estate.clusters[Side.SOURCE].logs.items() if p.topic == "orders"):
        log.entries.clear()
    for p in [p for p in walk.estate.written if p.topic == "orders"]:
        walk.estate.written[p] = 0
    for held in walk.estate.groups[Side.SOURCE].held_by.values():
        held.update({p: 0 for p in held if p.topic == "orders"})
    for workload in walk.estate.workloads.values():
        for place in [place for place in workload.processed if place[1].topic == "orders"]:
            workload.processed[place].clear()
    for command in (*BEFORE, "cutover fraud"):
        walk.type(command)
    return walk


def test_no_seam_is_written_before_the_lane_has_stopped_however_slow_its_operator_is() -> None:
    walk = prepared()
    walk.estate.operator.slowness = 8
    (lane,) = forward_lanes(PLAN)
    handed = [life for life in walk.lives("cutover checkout") if epochs(seen(life))]
    assert handed
    assert all(lane_state(seen(life), PLAN.target, lane).stopped for life in handed)


def test_a_lane_that_was_asked_to_stop_runs_again_when_there_is_more_to_drain() -> None:
    died = life_after(prepared(), "drain-mirror")
    (lane,) = forward_lanes(PLAN)
    assert asked_state(seen(died), PLAN.target, lane) == STOPPED
    came = stray(died, Side.SOURCE, FIRST)
    died.type("cutover checkout")
    life = epochs(seen(died))[FIRST]
    assert life.owner is Side.TARGET
    assert life.seams[-1].at(Side.SOURCE) > came
    assert watch_of(died.estate).unruly == []


def test_a_lane_stays_stopped_when_a_group_is_drained_once_more_after_the_hand_over() -> None:
    died = life_after(prepared(), "hand-over-topics")
    (lane,) = forward_lanes(PLAN)
    held = died.estate.groups[Side.SOURCE].held_by["checkout"]
    partition = next(p for p, offset in sorted(held.items()) if offset)
    held[partition] -= 1  # somebody put the group elsewhere there, so that its drain is asked for anew
    asked: list[str] = []
    turn = died.estate.turn

    def act() -> None:
        asked.append(asked_state(seen(died), PLAN.target, lane))
        turn()

    died.estate.clock.work = act
    died.type("cutover checkout")
    drains = [each for each in died.journal().entries if (each.step, each.event) == ("drain-mirror", "APPLIED")]
    assert [each.unit for each in drains].count("cutover/checkout#1") == 2
    assert set(asked) == {STOPPED}
    assert watch_of(died.estate).unruly == []


def test_nothing_is_handed_over_while_a_transaction_is_open_on_the_side_entered() -> None:
    died = life_after(prepared(), "drain-mirror")
    log = died.estate.clusters[Side.TARGET].logs[FIRST]
    log.put(1_000, b"open", transaction="a mirror that died")
    with pytest.raises(WentBack, match="a transaction is open in orders/0"):
        died.type("cutover checkout")
    assert not epochs(seen(died))
    log.abort("a mirror that died")
    died.type("cutover checkout")
    assert watch_of(died.estate).unruly == []


def test_nobody_who_writes_starts_where_nothing_was_handed_over() -> None:
    died = life_after(prepared(), "switch-settings")
    journal = died.journal()
    unit = journal.units["cutover/checkout#1"]
    world = MemoryWorld(died.estate).bound(journal.ledger(unit.name, unit.fingerprint))
    world.ledger.put(SEAMS, None)
    with pytest.raises(Blocked, match="nothing was handed over"):
        step(died, "start-workloads").apply(world)
    assert not died.estate.workloads["checkout"].running


@pytest.mark.parametrize("owner", list(Side))
def test_rights_that_somebody_gave_a_mirror_back_are_named(owner: Side) -> None:
    walk = prepared()
    walk.type("cutover checkout")
    direction, unit = Direction.CUTOVER, "cutover/checkout#1"
    if owner is Side.SOURCE:
        walk.type("rollback checkout")
        direction, unit = Direction.ROLLBACK, "rollback/checkout#1"
        back = Right(principal="User:sa-back", resource="topic", name="orders", operation="Write")
        walk.estate.clusters[owner].acls.rules |= {back}
    else:
        fresh = prepared()
        (again,) = (r for r in fresh.estate.store.list("KafkaUser", "kafka") if r.key.name == "kmigrate-mirror")
        metadata = {"name": again.key.name, "namespace": "kafka"}
        walk.estate.store.apply({"kind": "KafkaUser", "metadata": metadata, "spec": again.spec})
    walk.rest()
    missing = step(walk, "hand-over-topics", direction).check(seen(walk, unit)).changes
    assert [change.subject for change in missing if "rights of" in change.subject]


def test_a_right_over_more_than_one_name_that_somebody_gave_the_forward_mirror_is_named() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    (user,) = (r for r in walk.estate.store.list("KafkaUser", "kafka") if r.key.name == "kmigrate-mirror")
    every: JsonObject = {"resource": {"type": "topic", "name": "*", "patternType": "literal"}, "operations": ["All"]}
    rules = [*objects(part(user.spec, "authorization").get("acls")), every]
    spec: JsonObject = {**user.spec, "authorization": {"type": "simple", "acls": rules}}
    walk.estate.store.apply(
        {"kind": "KafkaUser", "metadata": {"name": user.key.name, "namespace": "kafka"}, "spec": spec}
    )
    walk.rest()
    missing = step(walk, "hand-over-topics").check(seen(walk, "cutover/checkout#1")).changes
    assert "rights of kmigrate-mirror on the target" in [change.subject for change in missing]


def test_making_users_and_mirror_again_leaves_a_hand_over_as_it_is() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    for name, wanted in (
        ("provision", "create-users"),
        ("replicate", "start-mirror"),
        ("replicate", "prepare-reverse"),
    ):
        (again,) = (each for each in phase(walk, name).steps if each.name == wanted)
        assert again.check(seen(walk)).changes == (), wanted


def test_what_begins_empty_on_the_side_entered_has_no_offset_before_and_loses_nothing() -> None:
    walk = begun_empty()
    walk.type("cutover checkout")
    assert read_seams(walk.journal().units["cutover/checkout#1"].facts[SEAMS])[FIRST].target == 0
    walk.estate.writing = True
    walk.estate.turns(10)
    assert walk.estate.clusters[Side.SOURCE].logs[FIRST].visible(0)[0].number == 0
    walk.type("rollback checkout")
    walk.exact()


def test_writers_are_denied_their_topics_on_the_side_left_and_nowhere_else() -> None:
    walk = prepared()
    for command, left in (("cutover checkout", Side.SOURCE), ("rollback checkout", Side.TARGET)):
        walk.type(command)
        who = "User:sa-checkout" if left is Side.SOURCE else "User:checkout"
        denied = {d for d in walk.estate.clusters[left].acls.denied() if d.principal == who}
        topics = {
            Denial(principal=who, resource="topic", name=name, operation="Write") for name in ("orders", "payments")
        }
        assert denied == topics | {Denial(principal=who, resource="group", name="checkout", operation="Read")}
        others = walk.estate.clusters[left.other].acls.denied()
        assert not {d for d in others if d.principal in ("User:sa-checkout", "User:checkout")}


def test_how_far_both_sides_were_compared_is_on_disk_and_goes_on() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    facts = walk.journal().units["cutover/checkout#1"].facts
    cursors, seams = read_cursors(facts[compared(Side.SOURCE)]), read_seams(facts[SEAMS])
    assert cursors.keys() == seams.keys()
    assert all(at.left > seams[p].source and at.entered > seams[p].target for p, at in cursors.items())


@pytest.mark.parametrize("armed", ["the lane itself", "the other one"])
def test_a_lane_feeds_only_where_it_was_armed_itself_also_where_the_offsets_of_both_are_equal(armed: str) -> None:
    walk = prepared()
    walk.type("cutover checkout")
    (lane,) = forward_lanes(PLAN)
    back, facts = other_way(lane), MemoryFacts()
    facts.put(SEAMS, walk.journal().units["cutover/checkout#1"].facts[SEAMS])
    world = MemoryWorld(walk.estate).bound(facts)
    wanted = {str(p): at for p, at in begins(world, back).items()}
    facts.put(ARMED, {back.name if armed == "the lane itself" else lane.name: wanted})
    assert feeds(world, PLAN.target, back) is (armed == "the lane itself")


@pytest.mark.parametrize("owner", list(Side))
def test_a_lane_that_somebody_starts_while_it_must_stand_still_fails_adds_nothing_and_is_named(owner: Side) -> None:
    walk = prepared()
    walk.type("cutover checkout")
    if owner is Side.SOURCE:
        walk.type("rollback checkout")
    (lane,) = forward_lanes(PLAN)
    wrong = lane if owner is Side.TARGET else other_way(lane)
    ask(walk, wrong, "running")
    log = walk.estate.clusters[owner].logs[FIRST]
    walk.estate.turns(10)
    assert watch_of(walk.estate).unruly == []
    assert [e.number for e in log.visible()] == list(range(walk.estate.written[FIRST]))
    direction = Direction.CUTOVER if owner is Side.TARGET else Direction.ROLLBACK
    unit = f"{direction}/checkout#1"
    with pytest.raises(VerifyFailed, match=f"lane {wrong.name} must stand still and was started: .*FAILED: .*orders"):
        step(walk, "soak", direction).check(seen(walk, unit))
    assert f"stop lane {wrong.name}" in map(
        str, step(walk, "hand-over-topics", direction).check(seen(walk, unit)).changes
    )
    (told,) = views.look(PLAN, walk.plan, walk.journal(), seen(walk)).lag
    assert [word for word in told.trouble if wrong.name in word and "FAILED" in word]


@pytest.mark.parametrize("step", ["drain-mirror", "hand-over-topics", "lift-fence", "start-workloads"])
@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_a_lane_that_somebody_starts_before_it_is_armed_copies_nothing_from_where_it_stood(way: str, step: str) -> None:
    walk, lane = before_it(way)
    walk.estate.turns(20)
    asked: list[str] = []

    def start() -> None:
        journal = walk.journal().entries[-1]
        if not asked and (journal.event, journal.step) == ("APPLIED", step):
            asked.append(journal.unit)
            ask(walk, lane, "running")

    watch_of(walk.estate).at_instant = start
    walk.type(f"{way} checkout")
    watch_of(walk.estate).at_instant = None
    assert asked == [f"{way}/checkout#1"]
    watch_of(walk.estate).unruly.clear()  # somebody's doing
    walk.estate.turns(20)
    for side, cluster in walk.estate.clusters.items():
        for partition, log in cluster.logs.items():
            numbers = [each.number for each in log.entries if each.record and partition.topic in PLAN.topics]
            assert len(numbers) == len(set(numbers)), f"{partition} on the {side} has records twice"
    walk.exact()


@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_a_lane_the_other_way_that_somebody_started_is_named_before_anybody_stands_still(way: str) -> None:
    walk, lane = before_it(way)
    ask(walk, lane, "running")
    walk.estate.turns(5)
    with pytest.raises(Blocked, match=f"lane {lane.name} must stand still and was started") as told:
        walk.type(f"{way} checkout")
    assert told.value.where.endswith(", ready")
    assert walk.estate.workloads["checkout"].running
    ask(walk, lane, STOPPED)
    walk.estate.turns(5)
    watch_of(walk.estate).unruly.clear()  # somebody's doing
    walk.type(f"{way} checkout")
    walk.exact()


@pytest.mark.parametrize(
    ("before", "direction", "command"),
    [
        ((), "forward", "cutover fraud"),
        (("cutover fraud",), "forward", "cutover checkout"),
        (("cutover fraud", "cutover checkout"), "reverse", "rollback fraud"),
    ],
)
def test_a_lane_that_somebody_stopped_is_named_before_anybody_stands_still(
    before: tuple[str, ...], direction: str, command: str
) -> None:
    walk = prepared(readers=False)
    for each in before:
        walk.type(each)
    (lane,) = (each for f in forward_lanes(PLAN) for each in (f, other_way(f)) if each.direction == direction)
    ask(walk, lane, STOPPED)
    walk.estate.turns(5)
    running = {name: each.running for name, each in walk.estate.workloads.items()}
    with pytest.raises(Blocked, match=f"lane {lane.name} should copy and is asked to stand still") as told:
        walk.type(command)
    assert told.value.where.endswith(", ready")
    assert str(lane_key(lane, "kafka")) in told.value.hint
    assert {name: each.running for name, each in walk.estate.workloads.items()} == running
    ask(walk, lane, "running")
    walk.estate.turns(5)
    walk.type(command)
    walk.exact()


def test_topics_that_the_target_owns_are_not_removed_there() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    (topics,) = (each for each in phase(walk, "provision").steps if each.name == "create-topics")
    with pytest.raises(Blocked, match="orders, payments is written on the target now"):
        topics.undo(seen(walk), walk.journal().units["provision"].steps["create-topics"].before)
    assert FIRST in walk.estate.clusters[Side.TARGET].logs


def test_a_lane_that_somebody_starts_in_a_soak_ends_the_watch_and_the_same_command_stops_it_again() -> None:
    walk = prepared()
    (lane,) = forward_lanes(PLAN)
    turn = walk.estate.turn

    def act() -> None:
        if any(BEGAN in line and "cutover/checkout" in line for line in walk.estate.lines.written):
            ask(walk, lane, "running")
        turn()

    walk.estate.clock.work = act
    with pytest.raises(VerifyFailed, match=f"lane {lane.name} must stand still and was started"):
        walk.type("cutover checkout")
    assert not walk.journal().attempts("checkout")[-1].sealed
    walk.estate.clock.work = turn
    walk.estate.turns(10)
    assert "FAILED" in "".join(MemoryWorld(walk.estate).mirror.trouble(lane))
    walk.type("cutover checkout")
    assert walk.journal().attempts("checkout")[-1].sealed
    assert lane_state(MemoryWorld(walk.estate), PLAN.target, lane).stopped
    told = watch_of(walk.estate).unruly
    assert {each.rpartition(" ")[0] for each in told} == {"both directions are on for"}  # somebody's doing, not ours
    told.clear()
    walk.exact()
