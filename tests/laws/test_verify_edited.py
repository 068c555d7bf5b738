"""Looking again once the plan file says something else: what was sealed is held to what it was about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from laws import BEFORE, Walk
from planted_lies import LANE, Scene, lane_asked, scene
from test_verify_lies import assert_calm, looked

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.engine import phase_unit, run_unit
from kmigrate.manifests.mirror import STOPPED
from kmigrate.model import Accepted, Reads, Side, Topic


def fewer_topics(reads: Reads) -> Reads:
    return replace(reads, topics=("payments",))


def another_group(reads: Reads) -> Reads:
    return replace(reads, group="fraud-2")


@pytest.mark.parametrize("edit", [fewer_topics, another_group])
@pytest.mark.parametrize("move", ["fraud back", "fraud over"])
def test_a_move_is_not_held_to_what_the_plan_file_says_otherwise_since(
    move: str, edit: Callable[[Reads], Reads]
) -> None:
    at = scene(move)
    said = at.estate.migration
    apps = [
        replace(app, reads=tuple(map(edit, app.reads))) if app.name == "fraud" else app for app in said.applications
    ]
    at.estate.migration = replace(said, applications=tuple(apps))
    edited = Walk(at.estate)
    name = edited.journal().attempts("fraud")[-1].name
    (told,) = (each for each in looked(edited) if each.unit == name)
    assert "it was moved with group fraud of orders, payments" in told.skipped
    assert told.wrong == ()


def prepared_anew(walk: Walk) -> Walk:
    """A topic was added, and every phase before the moves was run once more."""
    said, audit = walk.estate.migration, Topic(name="audit", partitions=2)
    unused = Accepted(id="KM-TOPIC-UNUSED", subject=audit.name, reason="nobody reads it")
    walk.estate.clusters[Side.SOURCE].create(audit)
    walk.estate.migration = replace(said, topics=(*said.topics, audit.name), accept=(unused,))
    edited = Walk(walk.estate)
    for phase in BEFORE:
        journal = edited.journal()
        unit = phase_unit(edited.plan, journal, phase)
        assert unit is not None
        assert unit.name == f"{phase}#2"
        run_unit(unit, MemoryWorld(edited.estate), journal)
    return edited


def test_a_lane_that_was_across_when_all_was_prepared_anew_and_came_back_is_as_it_must_be() -> None:
    walk = prepared_anew(scene("checkout over").walk)
    walk.type("rollback checkout")
    walk.estate.turns(30)
    assert_calm(walk, "checkout is back")
    at = Scene(walk, "checkout", Side.TARGET)
    lane_asked(LANE, STOPPED)(at)
    assert {wrong.step for unit in looked(walk) for wrong in unit.wrong} == {"start-mirror", "turn-mirror"}
