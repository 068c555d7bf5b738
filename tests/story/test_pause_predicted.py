"""What a walk learns of its pauses: rehearsed, then measured, then held to maxPause before anything is stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_estate import Estate, migration
from walking import APP, assert_exact, command, crossing, journal_of, plan_of, walk

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.cli import planned
from kmigrate.engine import back, forward, run_unit
from kmigrate.errors import Blocked
from kmigrate.model import Migration, Policy, Side
from kmigrate.probes.pauses import MEASURED, Prediction, predict

(ONE,) = migration().applications


def predicted(estate: Estate, lines: MemoryLines) -> Prediction:
    return predict(journal_of(estate, lines).past(), ONE, Side.SOURCE, migration().policy)


def shortened(most_ms: int) -> Migration:
    return replace(migration(), policy=Policy(max_pause_ms=most_ms, soak_ms=2_000))


def ahead(estate: Estate, lines: MemoryLines, changed: Migration) -> planned.PlanView:
    return planned.look_ahead(changed, plan_of(changed), journal_of(estate, lines), MemoryWorld(estate))


def across_and_back() -> tuple[Estate, MemoryLines]:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("cutover", "rollback"))
    return estate, lines


def test_a_rehearsal_tells_the_pause_of_every_move_and_what_is_not_known_of_it() -> None:
    estate = Estate()
    lines = crossing(estate)
    command("rehearse", estate, lines)
    evidence = [e.data for e in journal_of(estate, lines).entries if (e.step, e.event) == ("try-positions", "VERIFIED")]
    assert isinstance(evidence[-1], dict)
    assert evidence[-1]["pauses"] == {APP: str(predicted(estate, lines))}
    assert predicted(estate, lines).unknown == ("stopping", "starting")


def test_a_pause_that_was_measured_is_what_the_next_one_is_predicted_by() -> None:
    estate, lines = across_and_back()
    there, home = journal_of(estate, lines).attempts(APP)
    seen = predicted(estate, lines)
    assert (seen.ms, seen.unknown) == (there.facts["pause_ms"], ())
    came_home = home.facts[MEASURED]
    assert isinstance(came_home, dict)
    assert seen.way_back.ms == came_home["starting"] + came_home["tool"]


def test_a_move_that_cannot_keep_max_pause_is_refused_before_anything_is_stopped_and_told_by_plan() -> None:
    estate, lines = across_and_back()
    seen = predicted(estate, lines)
    for most, fits in ((seen.ms + (seen.way_back.ms or 0) + 1, True), (seen.ms + (seen.way_back.ms or 0), False)):
        view = ahead(estate, lines, shortened(most))
        assert view.too_long == (() if fits else (APP,))
        assert view.exit_code(detailed=False) == (0 if fits else 3)
    unit = forward(plan_of(shortened(most)), journal_of(estate, lines), APP)
    assert unit is not None
    with pytest.raises(Blocked, match="that does not fit into maxPause") as told:
        run_unit(unit, MemoryWorld(estate), journal_of(estate, lines))
    assert "raise policy.maxPause" in told.value.hint
    assert estate.app.running
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)


def test_the_way_back_is_never_refused_for_a_prediction() -> None:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("cutover",))
    journal = journal_of(estate, lines)
    pause = journal.attempts(APP)[-1].facts["pause_ms"]
    assert isinstance(pause, int)
    way = back(plan_of(shortened(pause)), journal, APP)
    assert way is not None
    way.unit.steps[0].check(MemoryWorld(estate).bound(journal.ledger(way.unit.name, "f")))
