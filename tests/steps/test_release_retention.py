"""While a way back is promised the target deletes nothing; once it is closed it deletes again as the source did."""

from __future__ import annotations

import pytest
from memory_estate import TOPIC, Estate, migration
from walking import command, journal_of

from kmigrate.adapters.memory import MemoryLines, MemoryWorld
from kmigrate.engine import run_unit
from kmigrate.errors import VerifyFailed
from kmigrate.model import Side, Topic
from kmigrate.steps.carried import RELEASED
from kmigrate.steps.decommission import ReleaseRetention
from kmigrate.story import story

STEP = ReleaseRetention(migration=migration())
SHORT = {"retention.ms": "1000", "cleanup.policy": "compact,delete"}


def moved() -> tuple[Estate, MemoryLines]:
    """Everybody has moved, and nobody writes on the source any more."""
    estate = Estate()
    estate.clusters[Side.SOURCE].create(Topic(name=TOPIC, partitions=2, config=SHORT))
    lines = MemoryLines(estate.death)
    for name in ("provision", "replicate", "cutover"):
        command(name, estate, lines)
    estate.settle()
    return estate, lines


def settings(estate: Estate) -> dict[str, str]:
    return dict(estate.clusters[Side.TARGET].made[TOPIC].config)


def world(estate: Estate, lines: MemoryLines) -> MemoryWorld:
    return MemoryWorld(estate).bound(journal_of(estate, lines).past())


def test_what_was_held_off_is_told_and_put_back_by_the_door_that_closes_the_way_back() -> None:
    estate, lines = moved()
    assert settings(estate)["retention.ms"] == "-1"
    (change,) = STEP.check(world(estate, lines)).changes
    assert str(change) == f"change KafkaTopic kafka/{TOPIC} (retention.ms=1000)"
    command("decommission", estate, lines)
    assert settings(estate) == SHORT
    told = [e.data for e in journal_of(estate, lines).entries if (e.step, e.event) == ("release-retention", "VERIFIED")]
    assert told == [{TOPIC: {"retention.ms": "1000"}}]


def test_it_is_written_down_before_a_record_may_go_and_earlier_phases_know_of_it() -> None:
    estate, lines = moved()
    command("decommission", estate, lines)
    facts = [n for n, line in enumerate(lines.written) if f'"{RELEASED}":true' in line]
    started = [n for n, line in enumerate(lines.written) if '"STARTED","step":"release-retention"' in line]
    applied = [n for n, line in enumerate(lines.written) if '"APPLIED","step":"release-retention"' in line]
    assert started[0] < facts[0] < applied[0]
    provision = story(migration()).phase("provision").unit
    assert provision is not None
    (topics,) = (step for step in provision.steps if step.name == "create-topics")
    assert topics.check(world(estate, lines)).changes == ()
    topics.verify(world(estate, lines))


def test_a_target_that_still_holds_it_off_is_not_believed() -> None:
    estate, lines = moved()
    command("decommission", estate, lines)
    held = Topic(name=TOPIC, partitions=2, config={**SHORT, "retention.ms": "-1"})
    estate.clusters[Side.TARGET].create(held)
    with pytest.raises(VerifyFailed, match=r"retention\.ms=-1 instead of 1000"):
        STEP.verify(world(estate, lines))


def test_until_then_it_stays_held_off_whatever_is_provisioned_again() -> None:
    estate, lines = moved()
    unit = story(migration()).phase("provision").unit
    assert unit is not None
    run_unit(unit, MemoryWorld(estate), journal_of(estate, lines))
    assert settings(estate)["retention.ms"] == "-1"
    assert settings(estate)["min.compaction.lag.ms"] == settings(estate)["max.compaction.lag.ms"]
