"""The source is left only when nobody is there: everybody who is, is named at once."""

from __future__ import annotations

import pytest
from memory_estate import GROUP, TOPIC, Estate, migration

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.errors import Blocked
from kmigrate.model import Side
from kmigrate.steps.decommission import ProveIdle

STEP = ProveIdle(migration=migration())


def _moved() -> MemoryWorld:
    estate = Estate()
    estate.writing, estate.app.side = False, Side.TARGET
    estate.groups[Side.SOURCE].members.clear()
    estate.app.held_up = True
    return MemoryWorld(estate)


def test_an_idle_source_is_proven_idle_and_the_keys_to_revoke_are_told() -> None:
    world = _moved()
    assert not STEP.check(world).changes
    assert STEP.verify(world) == {"watched_ms": 5_000, "partitions": 2, "keysToRevoke": ["k", "m", "sa-ml"]}


def test_an_application_and_its_group_that_stay_are_both_named() -> None:
    with pytest.raises(Blocked) as refused:
        STEP.check(MemoryWorld(Estate()))
    assert refused.value.message == (
        f"the source is still in use: ml-features runs there; group {GROUP} has members there"
    )


def test_a_stopped_application_that_never_moved_is_named() -> None:
    world = _moved()
    world.estate.app.side, world.estate.app.running = Side.SOURCE, False
    with pytest.raises(Blocked, match="ml-features is stopped and was not moved"):
        STEP.check(world)


def test_a_log_that_grows_is_named() -> None:
    world = _moved()
    world.estate.writing = True
    with pytest.raises(Blocked, match=f"{TOPIC} grows \\(no application of the plan writes it\\)"):
        STEP.verify(world)
