"""Edits of the plan file after which an application stays, while it is half done or on the target."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
from memory_estate import TOPIC, Estate, migration
from walking import APP, command, crossing, journal_of, plan_of, run_until, walk

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.cli import views
from kmigrate.cli.migrate import unit_to_apply
from kmigrate.cli.rollback import ways_back
from kmigrate.cli.session import Session
from kmigrate.cli.verify import look_again
from kmigrate.engine import edits
from kmigrate.errors import Blocked, UsageError
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.manifests.mirror import RUNNING
from kmigrate.model import Application, CommandWorkload, Migration, Side, Topic
from kmigrate.probes.lanes import lane_key, with_asked


def writes(app: Application) -> Application:
    return replace(app, writes=("shipments",))


def uncommitted(app: Application) -> Application:
    return replace(app, reads=(replace(app.reads[0], isolation="read_uncommitted"),))


def no_workloads(app: Application) -> Application:
    return replace(app, workloads=())


EDITS = [writes, no_workloads]
Edited = Callable[[Application], Application]


def edited(edit: Edited) -> Migration:
    one = migration()
    return replace(one, applications=tuple(edit(app) for app in one.applications))


def session_of(estate: Estate, lines: MemoryLines, one: Migration) -> Session:
    journal = journal_of(estate, lines)
    return Session(
        migration=one,
        plan=plan_of(one),
        journal=journal,
        world=MemoryWorld(estate),
        read_anew=lambda: nullcontext(journal),
    )


def half_done() -> tuple[Estate, MemoryLines]:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("assess", "rehearse"))
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')
    return estate, lines


def on_the_target() -> tuple[Estate, MemoryLines]:
    estate, lines = half_done()
    command("cutover", estate, lines)
    return estate, lines


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("come", [half_done, on_the_target])
def test_an_edit_after_which_a_moved_application_would_stay_is_refused_with_what_to_roll_back(
    come: Callable[[], tuple[Estate, MemoryLines]], edit: Edited
) -> None:
    s = session_of(*come(), edited(edit))
    assert APP in s.plan.stays
    (told,) = [edit for edit in edits(s.plan, s.journal) if edit.unit == f"cutover/{APP}#1"]
    assert f"kmigrate rollback --app {APP}" in told.refused
    with pytest.raises(Blocked, match="the plan file now says") as back:
        ways_back(s, APP, "")
    assert "put the plan file back as it was" in back.value.hint
    with pytest.raises(Blocked, match="the plan file now says"):
        unit_to_apply(s, "cutover", APP)


@pytest.mark.parametrize("edit", EDITS)
def test_the_next_command_is_about_what_is_half_done_also_when_it_would_stay(edit: Edited) -> None:
    s = session_of(*half_done(), edited(edit))
    assert views.next_command(s.plan, s.journal) == f"kmigrate apply --phase cutover --app {APP}"


def test_who_stays_because_of_another_application_can_go_back_and_cannot_go_on() -> None:
    estate, lines = half_done()
    one = migration()
    (app,) = one.applications
    other = replace(app, name="other", writes=("shipments",), reads=())
    bound = replace(app, transactional_ids=("t",)), replace(other, transactional_ids=("t",))
    s = session_of(estate, lines, replace(one, applications=bound))
    assert "must switch together with other" in s.plan.stays[APP]
    with pytest.raises(Blocked, match="must switch together with other") as told:
        unit_to_apply(s, "cutover", APP)
    assert f"kmigrate rollback --app {APP}" in told.value.hint
    (way,) = ways_back(s, APP, "")
    assert way.undo


def test_an_application_that_is_back_on_the_source_may_stay_there() -> None:
    estate, lines = half_done()
    command("rollback", estate, lines)
    s = session_of(estate, lines, edited(writes))
    assert ways_back(s, APP, "") == ()
    with pytest.raises(UsageError, match=f"{APP} stays on the source"):
        unit_to_apply(s, "cutover", APP)


def test_a_half_done_application_that_is_in_the_plan_file_no_more_is_refused_as_an_edit() -> None:
    estate, lines = half_done()
    s = session_of(estate, lines, replace(migration(), applications=()))
    with pytest.raises(Blocked, match="the plan file now says nothing of it"):
        ways_back(s, APP, "")
    assert views.next_command(s.plan, s.journal) == f"kmigrate apply --phase cutover --app {APP}"


def test_other_programs_are_no_edit_of_what_was_moved() -> None:
    estate, lines = half_done()
    other = CommandWorkload(stop=("a",), switch=("b",), start=("c",), healthy=("d",))
    s = session_of(estate, lines, edited(lambda app: replace(app, workloads=(other,))))
    (way,) = ways_back(s, APP, "")
    assert way.undo


def test_a_phase_that_lacks_what_was_added_comes_before_the_next_move_but_not_before_one_that_goes_on() -> None:
    other = replace(
        migration().applications[0], name="later", reads=(replace(migration().applications[0].reads[0], group="later"),)
    )
    grown = replace(migration(), applications=(*migration().applications, other))
    s = session_of(*on_the_target(), grown)
    with pytest.raises(Blocked, match="was done with another plan file") as told:
        unit_to_apply(s, "cutover", "later")
    assert "kmigrate apply --phase assess" in told.value.hint
    unit = unit_to_apply(session_of(*half_done(), grown), "cutover", APP)
    assert unit is not None
    assert unit.name == f"cutover/{APP}#1"


def test_a_door_is_not_closed_while_the_plan_file_contradicts_a_move() -> None:
    gone = replace(migration(), applications=())
    s = session_of(*on_the_target(), gone)
    with pytest.raises(Blocked, match="the plan file now says nothing of it"):
        unit_to_apply(s, "decommission", "")


def left_for_good() -> tuple[Estate, MemoryLines]:
    estate, lines = on_the_target()
    estate.settle()
    walk(estate, lines, ("decommission",))
    estate.clusters[Side.SOURCE].create(Topic(name="audit", partitions=1))
    return estate, lines


def test_after_decommission_nothing_is_added_and_no_lane_is_started_again() -> None:
    estate, lines = left_for_good()
    s, was = session_of(estate, lines, replace(migration(), topics=(TOPIC, "audit"))), estate.picture()
    for phase in ("assess", "provision", "replicate", "decommission"):
        with pytest.raises(Blocked, match="stop-lanes of decommission was begun") as told:
            unit_to_apply(s, phase, "")
        assert "a migration of its own" in told.value.hint
    assert estate.picture() == was
    assert views.next_command(s.plan, s.journal) == "nothing is left to do"


def test_a_lane_that_runs_again_after_decommission_is_found_also_once_the_plan_file_was_edited() -> None:
    estate, lines = left_for_good()
    s = session_of(estate, lines, replace(migration(), topics=(TOPIC, "audit")))
    (calm,) = (each for each in look_again(s.plan, s.journal, s.world) if each.unit == "decommission")
    assert calm.skipped.startswith("the plan file was edited since")
    (lane,) = forward_lanes(migration())
    mirror = estate.store.get(lane_key(lane, "kafka"))
    assert mirror is not None
    estate.store.apply_by_operator({**with_asked(mirror, lane, {"state": RUNNING}), "status": None})
    estate.turns(3)
    seen = {each.unit: each.wrong for each in look_again(s.plan, s.journal, s.world)}
    assert {each.step for each in seen["decommission"]} == {"stop-lanes"}
    assert all("stopped again" in each.hint for each in seen["decommission"])


@pytest.mark.parametrize("come", [half_done, on_the_target])
def test_another_isolation_is_no_edit_of_what_was_moved_with_the_one_before(
    come: Callable[[], tuple[Estate, MemoryLines]],
) -> None:
    s = session_of(*come(), edited(uncommitted))
    assert APP not in s.plan.stays
    with pytest.raises(Blocked, match="the plan file now says"):
        unit_to_apply(s, "cutover", APP)


def test_an_attempt_that_never_began_holds_the_plan_file_to_nothing() -> None:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("assess", "rehearse"))
    run_until(estate, lines, '"keeps"')
    told = edits(plan_of(edited(writes)), journal_of(estate, lines))
    assert [edit.unit for edit in told if edit.unit.startswith("cutover/")] == []
