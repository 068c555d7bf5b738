"""A foreign record after the hand-over: the move holds, no position is carried across it until a human takes it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from laws import Walk
from rich.console import Console
from writers_move import FIRST, PLAN, die_after, last, may_stay, prepared, stray

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli import pictures, views
from kmigrate.cli.standing import translated
from kmigrate.errors import Blocked, Refused, TurnBack
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Accepted, Direction, Grade, JsonObject, Migration, Partition, Side
from kmigrate.probes.foreign import Foreign, known
from kmigrate.probes.standing import standing
from kmigrate.steps.cutover.move import BEGAN

PAID = Partition("payments", 0)
ORDERS, PAYMENTS = (
    Accepted(id="KM-FOREIGN-WRITE", subject=topic, reason="nobody needs it") for topic in ("orders", "payments")
)


def accepting(walk: Walk, *accepts: Accepted) -> Walk:
    """The same world, after a human has edited `accept` of the plan file."""
    estate = walk.estate
    estate.migration = replace(estate.migration, accept=accepts)
    return Walk(estate)


def soaking(walk: Walk, act: Callable[[], None], times: int = 1) -> None:
    """Somebody acts once the soak has begun, so many times."""
    turn = walk.estate.turn
    done: list[None] = []

    def work() -> None:
        begun = any(BEGAN in line and "cutover/checkout" in line for line in walk.estate.lines.written)
        if begun and len(done) < times:
            done.append(act())
        turn()

    walk.estate.clock.work = work


def held(partition: Partition = FIRST, said: Migration = PLAN) -> tuple[Walk, int]:
    """The writer's move, held in its soak by a foreign record; and where that lies."""
    walk = prepared(said, readers=not said.applications[0].reads[0].may_stay)
    at: list[int] = []
    soaking(walk, lambda: at.append(stray(walk, Side.SOURCE, partition)))
    with pytest.raises(Blocked, match=f"somebody writes on the source: {partition} at "):
        walk.type("cutover checkout")
    return walk, at[0]


def met(walk: Walk) -> dict[Side, tuple[Foreign, ...]]:
    return known(MemoryWorld(walk.estate).bound(walk.journal().past()))


def exact(walk: Walk) -> None:
    """Every record that the plan's writers wrote came once, in order; foreign ones are not counted."""
    done = walk.copy()
    done.estate.settle()
    for workload in done.estate.workloads.values():
        workload.processed = {key: [n for n in got if n >= 0] for key, got in workload.processed.items()}
    done.exact(walk.journal())


def evidence(walk: Walk) -> JsonObject:
    """What the newest soak told."""
    told = [e.data for e in walk.journal().entries if (e.step, e.event) == ("soak", "VERIFIED")][-1]
    assert isinstance(told, dict)
    compared = told["compared"]
    assert isinstance(compared, dict)
    return compared


def test_after_the_first_record_the_move_holds_until_the_topic_is_accepted_by_name() -> None:
    walk, at = held()
    with pytest.raises(Blocked) as told:
        walk.type("cutover checkout")
    assert not isinstance(told.value, TurnBack | Refused)
    assert told.value.exit_code == 3
    assert f"orders/0 at {at} (1970-01-01T00:00:00.077000+00:00)" in told.value.message
    assert "who may write orders there" in told.value.message
    assert "sa-back" not in told.value.message
    assert "accept: [{id: KM-FOREIGN-WRITE, subject: 'orders'" in told.value.hint
    assert "kmigrate rollback --app checkout" in told.value.hint
    with pytest.raises(Blocked, match="orders/0"):
        accepting(walk, PAYMENTS).type("cutover checkout")
    accepting(walk, ORDERS).type("cutover checkout")
    assert walk.journal().attempts("checkout")[-1].sealed
    exact(walk)
    seen = evidence(walk)
    assert seen["foreign"] == [f"orders/0 at {at} (1970-01-01T00:00:00.077000+00:00)"]
    assert int(str(seen["copies"])) > 0
    assert int(str(seen["bytes"])) == 16 * int(str(seen["read"]))
    assert {"looks", "ms", "up to"} <= seen.keys()


def test_held_and_its_time_over_it_names_also_what_came_meanwhile() -> None:
    walk, at = held()
    walk.estate.clock.sleep(walk.estate.migration.policy.soak_ms)
    later = stray(walk, Side.SOURCE, PAID)
    with pytest.raises(Blocked) as told:
        walk.type("cutover checkout")
    assert f"orders/0 at {at} (" in told.value.message
    assert f"payments/0 at {later} (" in told.value.message
    assert [each.offset for each in met(walk)[Side.SOURCE]] == [at, later]


def test_every_foreign_record_between_the_copies_is_found_and_kept() -> None:
    walk = accepting(prepared(), ORDERS)
    places: list[int] = []
    soaking(walk, lambda: places.append(stray(walk, Side.SOURCE)), times=4)
    walk.type("cutover checkout")
    found = [offset for each in met(walk)[Side.SOURCE] for offset in range(each.offset, each.last + 1)]
    log = walk.estate.clusters[Side.SOURCE].logs[FIRST]
    assert [at for at in found if log.entries[at].number == -1 and log.entries[at].record] == places
    assert not [at for at in found if log.entries[at].number >= 0]
    exact(walk)


def test_a_group_that_has_not_read_it_is_not_carried_across_and_nothing_was_stopped() -> None:
    walk, at = held(PAID, may_stay(PLAN))
    accepting(walk, PAYMENTS).type("cutover checkout")
    position = walk.estate.groups[Side.SOURCE].held_by["fraud"]
    position[PAID] = at  # it lags: the foreign record is the next one it would read
    walk.estate.workloads["fraud"].held_up = True
    with pytest.raises(Refused, match=rf"group fraud is not carried: payments/0: .*payments/0 at {at} "):
        accepting(walk).type("cutover fraud")
    assert walk.estate.workloads["fraud"].running
    assert not walk.journal().attempts("fraud")[-1].started("stop-workloads")


def test_a_group_that_has_read_it_goes_over_exactly() -> None:
    walk, at = held(PAID, may_stay(PLAN))
    accepting(walk, PAYMENTS).type("cutover checkout")
    assert walk.estate.groups[Side.SOURCE].held_by["fraud"][PAID] > at
    accepting(walk).type("cutover fraud")
    exact(walk)


def test_who_comes_back_behind_it_is_refused_until_it_is_accepted_and_then_exact() -> None:
    walk, _ = held(PAID)
    with pytest.raises(Refused, match="KM-FOREIGN-WRITE: group checkout is not carried: payments/0"):
        walk.type("rollback checkout")
    assert walk.estate.workloads["checkout"].running
    assert walk.estate.workloads["checkout"].side is Side.TARGET
    walk = accepting(walk, PAYMENTS)
    for command in ("rollback checkout", "rollback fraud", "cutover fraud", "cutover checkout"):
        walk.type(command)
        exact(walk)


def test_who_does_not_read_that_topic_comes_back_and_both_sides_go_on_alike() -> None:
    walk, at = held()
    walk.type("rollback checkout")
    exact(walk)
    with pytest.raises(Refused, match=f"group fraud is not carried: orders/0: .* orders/0 at {at} "):
        walk.type("rollback fraud")
    accepting(walk, ORDERS).type("rollback fraud")
    exact(walk)


def started(walk: Walk) -> Walk:
    """The writer's move, of which the process died as it was about to start the application."""
    return next(life for life in walk.copy().lives("cutover checkout") if last(life) == ("STARTED", "start-workloads"))


def test_between_the_start_in_the_journal_and_the_start_itself_it_holds_and_goes_on_once_it_is_accepted() -> None:
    died = started(prepared())
    at = stray(died, Side.SOURCE)
    with pytest.raises(Blocked, match=f"orders/0 at {at} ") as told:
        died.copy().type("cutover checkout")
    assert not isinstance(told.value, TurnBack)
    assert "KM-FOREIGN-WRITE" in told.value.hint
    for command, accepts in (("cutover checkout", (ORDERS,)), ("rollback checkout", ())):
        life = accepting(died.copy(), *accepts)
        life.type(command)
        life.rest()
        exact(life)
        assert [each.offset for each in met(life)[Side.SOURCE]] == [at]


def test_on_the_way_back_a_record_on_the_side_left_is_accepted_too() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    lives = walk.copy().lives("rollback checkout")
    died = next(life for life in lives if last(life) == ("VERIFIED", "hand-over-topics"))
    at = stray(died, Side.TARGET)
    died = accepting(died, ORDERS)
    died.type("rollback checkout")
    assert [each.offset for each in met(died)[Side.TARGET]] == [at]
    exact(died)


def test_what_only_looks_tells_that_it_is_refused() -> None:
    walk, at = held(PAID, may_stay(PLAN))
    world = MemoryWorld(walk.estate).bound(walk.journal().past())
    lanes = forward_lanes(PLAN)
    seen = translated(world, {PAID: at, FIRST: 3}, lanes)
    assert (seen[PAID].grade, seen[PAID].offset) == (Grade.REFUSED, None)
    assert "never be given" in seen[PAID].reason
    assert seen[FIRST].offset is not None
    walk.estate.groups[Side.SOURCE].held_by["fraud"][PAID] = at
    (found,) = standing(world, "fraud", [PAID], lanes)
    assert found.position is not None
    assert found.position.grade is Grade.REFUSED


def test_the_source_is_not_left_while_more_come() -> None:
    walk, _ = held()
    walk = accepting(walk, ORDERS)
    walk.type("cutover checkout")
    soaking(walk, lambda: stray(walk, Side.SOURCE) and None, times=100)
    with pytest.raises(Blocked, match="orders grows"):
        walk.type("decommission")


def test_the_source_is_not_left_with_records_that_stand_there_alone_but_by_name() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    (first, *_) = after_the_soak(walk, FIRST)
    walk.estate.settle()
    with pytest.raises(Blocked, match=f"somebody writes on the source: orders/0 at {first} "):
        walk.type("decommission")
    accepting(walk, ORDERS).type("decommission")


@pytest.mark.parametrize("died", ["prove-idle", "stop-lanes"])
def test_a_source_that_was_idle_before_the_process_died_is_proven_idle_again(died: str) -> None:
    walk = prepared()
    walk.type("cutover checkout")
    walk.estate.settle()
    die_after(walk, died, "decommission")
    at = stray(walk, Side.SOURCE)
    with pytest.raises(Blocked, match=f"somebody writes on the source: orders/0 at {at} "):
        walk.type("decommission")
    unit = walk.journal().units["decommission"]
    assert (unit.sealed, unit.started("stop-lanes")) == (False, died == "stop-lanes")
    accepting(walk, ORDERS).type("decommission")
    assert walk.journal().units["decommission"].sealed


def test_where_retention_took_what_was_compared_last_copies_are_still_told_from_writers() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    walk.estate.turns(5)
    log = walk.estate.clusters[Side.SOURCE].logs[FIRST]
    log.expire(log.end - 2)
    busy = walk.copy()
    busy.type("decommission")
    soaking(walk, lambda: stray(walk, Side.SOURCE) and None, times=100)
    with pytest.raises(Blocked, match="orders grows"):
        walk.type("decommission")


def test_a_later_look_names_what_came_since_and_an_accept_bears_it() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    walk.estate.settle()
    at = stray(walk, Side.SOURCE)
    journal = walk.journal()
    world = MemoryWorld(walk.estate).bound(journal.past(journal.attempts("checkout")[-1]))
    soak = walk.plan.unit("checkout", Direction.CUTOVER, 1).steps[-1]
    with pytest.raises(Blocked, match=f"orders/0 at {at} "):
        soak.verify(world)
    told = accepting(walk, ORDERS).plan.unit("checkout", Direction.CUTOVER, 1).steps[-1].verify(world)
    assert isinstance(told, dict)


def test_what_comes_as_it_is_about_to_be_started_is_known_to_the_way_back() -> None:
    died = started(prepared())
    unit = died.plan.unit("checkout", Direction.CUTOVER, 1)
    (start,) = (step for step in unit.steps if step.name == "start-workloads")
    at = stray(died, Side.SOURCE)
    world = MemoryWorld(died.estate).bound(died.journal().ledger(unit.name, unit.fingerprint))
    with pytest.raises(Blocked, match=f"orders/0 at {at} ") as told:
        start.apply(world)
    assert not isinstance(told.value, TurnBack)
    assert "kmigrate rollback --app checkout" in told.value.hint
    assert not died.estate.workloads["checkout"].running
    died.type("rollback checkout")
    exact(died)


def after_the_soak(walk: Walk, partition: Partition, times: int = 3) -> list[int]:
    """Records that come while nobody watches any more, between the copies."""
    places = []
    for _ in range(times):
        places.append(stray(walk, Side.SOURCE, partition))
        walk.estate.turns(5)
    return places


def test_what_came_after_the_watch_is_found_before_the_way_back_and_does_not_bar_it() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    places = after_the_soak(walk, FIRST)
    walk.type("rollback checkout")
    exact(walk)
    assert {each.offset for each in met(walk)[Side.SOURCE]} == set(places)
    with pytest.raises(Refused, match="group fraud is not carried: orders/0"):
        walk.type("rollback fraud")
    accepting(walk, ORDERS).type("rollback fraud")
    exact(walk)


def test_what_came_after_the_watch_where_the_application_reads_is_told_before_it_is_stopped() -> None:
    walk = prepared()
    walk.type("cutover checkout")
    (first, *_) = after_the_soak(walk, PAID)
    with pytest.raises(Blocked, match=f"somebody writes on the source: payments/0 at {first} "):
        walk.type("rollback checkout")
    assert walk.estate.workloads["checkout"].running
    with pytest.raises(Refused, match="group checkout is not carried: payments/0"):
        walk.type("rollback checkout")
    assert walk.estate.workloads["checkout"].running
    walk = accepting(walk, PAYMENTS)
    for command in ("rollback checkout", "rollback fraud", "cutover fraud", "cutover checkout"):
        walk.type(command)
        exact(walk)


def test_status_tells_what_stands_on_one_side_alone() -> None:
    walk, at = held()
    world = MemoryWorld(walk.estate).bound(walk.journal().past())
    seen = views.look(PLAN, walk.plan, walk.journal(), world)
    (told,) = seen.foreign
    assert told == f"orders/0 at {at} (1970-01-01T00:00:00.077000+00:00) on the source"
    assert pictures.status_json(seen)["onOneSideAlone"] == [told]
    console = Console(width=300, record=True, file=StringIO())
    console.print(pictures.status_picture(seen))
    assert f"somebody whom the plan does not know: {told}; kmigrate explain KM-FOREIGN-WRITE" in console.export_text()


def test_what_comes_once_the_time_is_over_and_before_it_is_sealed_is_kept_too() -> None:
    """A record that was only named, and accepted then, would be known to nobody who is carried later."""
    walk, first = held()
    walk.estate.clock.sleep(10 * PLAN.policy.soak_ms)
    second = stray(walk, Side.SOURCE)
    with pytest.raises(Blocked, match=f"orders/0 at {first} "):
        walk.type("cutover checkout")
    walk = accepting(walk, ORDERS)
    walk.type("cutover checkout")
    assert [each.offset for each in met(walk)[Side.SOURCE]] == [first, second]
    exact(walk)
