"""Which attempt of a move comes next, over every state the journal can be in."""

from __future__ import annotations

import pytest
from memory_estate import migration

from kmigrate.adapters.memory import Death, MemoryClock, MemoryLines
from kmigrate.engine import back, forward, where
from kmigrate.errors import Blocked
from kmigrate.journal import Event, Journal
from kmigrate.story import story

APP = "ml-features"
C1, R1, C2 = "cutover/ml-features#1", "rollback/ml-features#1", "cutover/ml-features#2"
APPROVED, BEGUN, STARTED, SEALED, WENT = "approved", "begun", "started", "sealed", "went back"


def journal(*states: tuple[str, str]) -> Journal:
    """A journal in which units stand as told."""
    kept = Journal(MemoryLines(Death()), MemoryClock(), "me", "shop")
    for unit, state in states:
        kept.record(unit, "f", Event.APPROVED)
        if state != APPROVED:
            kept.record(unit, "f", Event.STARTED, "stop-workloads")
        if state in (STARTED, SEALED):
            kept.record(unit, "f", Event.STARTED, "start-workloads")
        if state == SEALED:
            kept.record(unit, "f", Event.SEALED)
        if state == WENT:
            kept.record(unit, "f", Event.UNDONE, "stop-workloads")
            kept.record(unit, "f", Event.WENT_BACK)
    return kept


ROWS = [
    ((), C1, None, "source"),
    (((C1, APPROVED),), C1, None, "source"),
    (((C1, BEGUN),), C1, (C1, True), "source"),
    (((C1, STARTED),), C1, (R1, False), "source"),
    (((C1, SEALED),), None, (R1, False), "target"),
    (((C1, WENT),), C2, None, "source"),
    (((C1, STARTED), (R1, BEGUN)), "blocked", (R1, False), "source"),
    (((C1, STARTED), (R1, SEALED)), C2, None, "source"),
    (((C1, STARTED), (R1, APPROVED)), C1, (R1, False), "source"),
    (((C1, STARTED), (R1, WENT)), C1, ("rollback/ml-features#2", False), "source"),
    (((C1, SEALED), (R1, WENT)), None, ("rollback/ml-features#2", False), "target"),
    (((C1, SEALED), (R1, APPROVED)), None, (R1, False), "target"),
    (((C1, SEALED), (R1, STARTED)), "blocked", (R1, False), "target"),
    (((C1, SEALED), (R1, SEALED)), C2, None, "source"),
    (((C1, SEALED), (R1, SEALED), (C2, BEGUN)), C2, (C2, True), "source"),
    (((C1, SEALED), (R1, SEALED), (C2, STARTED)), C2, ("rollback/ml-features#2", False), "source"),
    (((C1, SEALED), (R1, SEALED), (C2, SEALED)), None, ("rollback/ml-features#2", False), "target"),
    (((C1, WENT), (C2, SEALED)), None, (R1, False), "target"),
]


@pytest.mark.parametrize(("states", "on", "way", "side"), ROWS)
def test_every_state_of_the_journal_has_one_way_on_and_one_way_back(
    states: tuple[tuple[str, str], ...], on: str | None, way: tuple[str, bool] | None, side: str
) -> None:
    plan, kept = story(migration()), journal(*states)
    if on == "blocked":
        with pytest.raises(Blocked, match="half done"):
            forward(plan, kept, APP)
    else:
        unit = forward(plan, kept, APP)
        assert (unit.name if unit else None) == on
    going = back(plan, kept, APP)
    assert ((going.unit.name, going.undo) if going else None) == way
    assert where(kept, APP) == side
