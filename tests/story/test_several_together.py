"""Applications that share a group move as one: stopped, carried and started together, there, back and there again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_estate import APP, GROUP, TOPIC, Estate, migration

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.engine import back, forward, run_unit, undo_unit, where
from kmigrate.errors import Blocked, Overrun
from kmigrate.journal import Journal
from kmigrate.model import Application, Direction, Migration, Partition, Principal, Reads, Side
from kmigrate.story import story

OTHER, ORDERS, FRESH = "ranking", "orders", "freshness"
MOVE = f"{APP}+{OTHER}"


def other(group: str = GROUP) -> Application:
    """It reads another topic with the shared group, and one with a group of its own."""
    alone = migration().application(APP)
    return replace(
        alone,
        name=OTHER,
        reads=(Reads(group=group, topics=(ORDERS,)), Reads(group=FRESH, topics=(TOPIC,))),
        principals=(Principal(source="sa-ranking", target="ranking"),),
    )


def shared(group: str = GROUP) -> Migration:
    one = migration()
    return replace(one, topics=(ORDERS, TOPIC), applications=(*one.applications, other(group)))


SHARED = shared()


def journal(estate: Estate) -> Journal:
    return Journal(estate.lines, estate.clock, "test", "shop")


def type_in(estate: Estate, name: str, app: str = APP, said: Migration = SHARED) -> None:
    plan, world, known = story(said), MemoryWorld(estate), journal(estate)
    if name == "rollback":
        way = back(plan, known, app)
        assert way is not None
        (undo_unit if way.undo else run_unit)(way.unit, world, known)
        return
    unit = forward(plan, known, app) if name == "cutover" else plan.phase(name).unit
    assert unit is not None
    run_unit(unit, world, known)
    estate.turns(5)


def ready() -> Estate:
    estate = Estate(SHARED)
    for name in ("provision", "replicate"):
        type_in(estate, name)
    return estate


def sides(estate: Estate) -> set[tuple[Side, bool]]:
    return {(workload.side, workload.running) for workload in estate.workloads.values()}


def test_the_plan_has_one_move_with_both_and_every_group_once() -> None:
    plan = story(SHARED)
    assert (plan.moves, plan.stays) == ((MOVE,), {})
    assert plan.move_of(OTHER) == plan.move_of(MOVE) == MOVE
    kept = plan.unit(MOVE, Direction.CUTOVER, 1).keeps
    assert f"group {GROUP} of {ORDERS}, {TOPIC}" in kept
    assert f"group {FRESH} of {TOPIC}" in kept


def test_either_name_takes_both_across_and_back_and_across_without_loss_or_repetition() -> None:
    estate = ready()
    for name, app, side in (
        ("cutover", OTHER, Side.TARGET),
        ("rollback", APP, Side.SOURCE),
        ("cutover", MOVE, Side.TARGET),
    ):
        type_in(estate, name, app)
        assert sides(estate) == {(side, True)}
        assert {where(journal(estate), each) for each in (APP, OTHER, MOVE)} == {side}
    assert [unit for unit in journal(estate).units if "/" in unit] == [
        f"cutover/{MOVE}#1",
        f"rollback/{MOVE}#1",
        f"cutover/{MOVE}#2",
    ]
    estate.settle()
    for app in SHARED.applications:
        for reads in app.reads:
            for partition in (p for p in estate.written if p.topic in reads.topics):
                assert estate.workloads[app.name].processed[reads.group, partition] == list(
                    range(estate.written[partition])
                )


def test_one_that_was_moved_alone_is_told_when_the_plan_file_binds_it_to_another() -> None:
    apart = shared("its-own")
    estate = Estate(apart)
    for name in ("provision", "replicate", "cutover"):
        type_in(estate, name, said=apart)
    with pytest.raises(Blocked, match=f"cutover/{APP}#1 moves {APP} with .*now says of {APP}[+]{OTHER}"):
        forward(story(SHARED), journal(estate), OTHER)
    type_in(estate, "rollback", said=SHARED)
    unit = forward(story(SHARED), journal(estate), OTHER)
    assert unit is not None
    assert unit.name == f"cutover/{MOVE}#2"


def test_a_move_of_several_goes_back_as_it_was_made_whatever_the_plan_file_says_now() -> None:
    estate, apart = ready(), shared("its-own")
    type_in(estate, "cutover")
    for app in (APP, OTHER):
        with pytest.raises(Blocked, match=f"cutover/{APP}[+]{OTHER}#1 moves"):
            forward(story(apart), journal(estate), app)
    type_in(estate, "rollback", OTHER)
    assert sides(estate) == {(Side.SOURCE, True)}


def test_a_drain_waits_for_the_group_that_has_read_the_most_of_a_partition() -> None:
    estate, first = ready(), Partition(TOPIC, 0)
    world = MemoryWorld(estate)
    world.workload(APP, OTHER).stop(60_000)
    estate.turns(5)
    estate.mirror.held_up = True
    estate.turns(50)
    end, copied = estate.clusters[Side.SOURCE].logs[first].end, estate.mirror.last[first]
    assert end > copied + 10
    held = estate.groups[Side.SOURCE].held_by
    held[GROUP][first], held[FRESH][first] = end, copied - 1
    known = journal(estate)
    unit = forward(story(SHARED), known, APP)
    assert unit is not None
    (drain,) = (step for step in unit.steps if step.name == "drain-mirror")
    world = world.bound(known.ledger(unit.name, unit.fingerprint))
    with pytest.raises(Overrun, match=f"copies of what group {FRESH}, {GROUP} has read"):
        drain.apply(world)
    estate.mirror.held_up = False
    drain.apply(world)
    assert drain.check(world).changes == ()
    last = world.ledger.get("last")
    assert isinstance(last, dict)
    assert copied < last[str(first)] < end
