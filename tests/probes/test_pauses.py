"""What is known of a pause beforehand: every part with where it is from, and nothing made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from memory_estate import GROUP, migration

from kmigrate.model import Application, Json, Policy, Side
from kmigrate.probes.pauses import (
    ASSUMED_WAY_BACK_MS,
    MEASURED,
    REHEARSED,
    Prediction,
    measured,
    predict,
    too_long,
    way_back,
)

(APP,) = migration().applications
WRITER = replace(APP, name="writer", writes=("made",))
POLICY = Policy(max_pause_ms=60_000)


@dataclass
class Facts:
    """The facts of earlier units, oldest first."""

    known: dict[str, list[Json]] = field(default_factory=dict)
    sealed: bool = False

    def by_unit(self, name: str) -> dict[str, Json]:
        return {str(number): fact for number, fact in enumerate(self.known.get(name, ()))}

    def get(self, name: str) -> Json:
        return None

    def put(self, name: str, value: Json) -> None:
        raise AssertionError(name)


def pauses(*facts: Json, rehearsed: Sequence[Json] = ()) -> Facts:
    return Facts({MEASURED: list(facts), REHEARSED: list(rehearsed)})


def left(side: Side, stopping: int, tool: int | None, starting: int, *, app: Application = APP) -> Json:
    return measured(app, side, stopping=stopping, starting=starting, tool=tool)


def parts(seen: Prediction) -> list[tuple[str, int | None, str]]:
    return [(each.what, each.ms, each.source) for each in seen.parts]


def test_before_the_first_move_it_says_what_is_not_known() -> None:
    seen = predict(pauses(), APP, Side.SOURCE, POLICY)
    assert (seen.ms, seen.unknown) == (0, ("stopping", "kmigrate", "starting"))
    assert str(seen).startswith("at least 0.0 s: stopping not known (never measured)")
    assert seen.way_back.ms == ASSUMED_WAY_BACK_MS
    assert "assumed" in seen.way_back.source


def test_static_members_and_a_rehearsal_are_what_is_known_before_the_first_move() -> None:
    patient = replace(APP, reads=(replace(APP.reads[0], session_timeout_ms=20_000),))
    seen = predict(pauses(rehearsed=[{GROUP: 900}, {GROUP: 400}]), patient, Side.SOURCE, POLICY)
    assert [(what, ms) for what, ms, _ in parts(seen)] == [("stopping", 20_000), ("kmigrate", 800), ("starting", None)]
    assert "sessionTimeout" in seen.parts[0].source
    assert "as rehearsed" in seen.parts[1].source
    assert seen.told()["unknown"] == ["starting"]


def test_a_move_that_was_measured_is_predicted_by_itself_the_newest_in_its_own_direction_first() -> None:
    known = pauses(left(Side.SOURCE, 9, 9, 9), left(Side.SOURCE, 100, 200, 300), left(Side.TARGET, 7, 8, 9))
    there, back = (predict(known, APP, side, POLICY) for side in Side)
    when = "measured when it last left the source"
    assert parts(there) == [("stopping", 100, when), ("kmigrate", 200, when), ("starting", 300, when)]
    assert (there.ms, there.unknown, back.ms) == (600, (), 24)
    assert str(there).startswith("about 0.6 s")


def test_one_that_was_never_moved_takes_the_longest_part_of_kmigrate_in_moves_of_its_kind() -> None:
    others = [left(Side.SOURCE, 1, tool, 1, app=replace(APP, name=f"other-{tool}")) for tool in (300, 700, 500)]
    writer = left(Side.SOURCE, 1, 9_000, 1, app=WRITER)
    seen = predict(pauses(*others, writer, rehearsed=[{GROUP: 5}]), APP, Side.SOURCE, POLICY)
    assert parts(seen)[1] == ("kmigrate", 700, "the longest of 3 moves that only read")
    assert seen.unknown == ("stopping", "starting")
    assert predict(pauses(*others), WRITER, Side.SOURCE, POLICY).parts[1].ms is None


def test_the_way_back_is_what_its_start_and_our_part_took_when_it_last_came_there() -> None:
    known = pauses(left(Side.TARGET, 50, 700, 900), left(Side.SOURCE, 50, 1, 2))
    assert way_back(known, APP, Side.SOURCE, POLICY).ms == 1_600
    assert way_back(known, APP, Side.TARGET, POLICY).ms == 3
    assert way_back(pauses(left(Side.SOURCE, 50, 1, 2)), APP, Side.SOURCE, POLICY).ms == 3


def test_a_pause_that_outgrew_its_budget_says_nothing_of_our_part_the_next_time() -> None:
    known = pauses(left(Side.SOURCE, 100, None, 300))
    seen = predict(known, APP, Side.SOURCE, POLICY)
    assert [(each.what, each.ms) for each in seen.parts] == [("stopping", 100), ("kmigrate", None), ("starting", 300)]
    assert seen.way_back.ms == ASSUMED_WAY_BACK_MS


@pytest.mark.parametrize(("most", "fits"), [(901, True), (900, False)])
def test_it_fits_when_what_is_known_and_the_way_back_are_less_than_may_be(most: int, fits: bool) -> None:
    policy = replace(POLICY, max_pause_ms=most)
    seen = predict(pauses(left(Side.SOURCE, 100, 200, 200)), APP, Side.SOURCE, policy)
    assert (seen.ms, seen.way_back.ms, seen.fits(policy)) == (500, 400, fits)
    told = too_long(APP.name, seen, policy)
    assert told.startswith(f"{APP.name} would stand still for about 0.5 s: stopping 0.1 s (measured")
    assert "way back 0.4 s (measured when it last left the source) that does not fit into maxPause (0.9 s)" in told
