"""The mirror back on a real lab under live traffic: made stopped, exactly as declared, unable to write, gone again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from kmigrate.engine import run_unit, undo_unit
from kmigrate.errors import Blocked
from kmigrate.lab import compose, shop
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.walk import Walk, walking
from kmigrate.manifests.internal import topics_on_source
from kmigrate.manifests.lanes import REVERSE, reverse_lanes
from kmigrate.manifests.users import reverse_source_rules, rights_of
from kmigrate.model import Lane, Partition, Right, Side
from kmigrate.plan import Unit
from kmigrate.probes.lanes import connector_status, lane_key
from kmigrate.steps.lanes import lane_state, start_lane, stop_lane
from kmigrate.story import as_begun, story
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.wiring import bind, open_journal
from kmigrate.world import Reporter

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_200)]

MIRROR = f"User:{shop.MIRROR_REVERSE}"
_DEADLINE_MS = 120_000


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = LabFolder(tmp_path_factory.mktemp("back") / "lab")
    with compose.lab(folder, brokers=1, empty=False, reporter=Reporter()), walking(folder, Reporter()) as walk:
        yield walk


@pytest.fixture(scope="module")
def before(lab: Walk) -> tuple[set[str], set[Right]]:
    """Topics and rights of the source before kmigrate did anything."""
    return source(lab)


def source(lab: Walk) -> tuple[set[str], set[Right]]:
    cluster = lab.world.cluster(Side.SOURCE)
    return set(cluster.all_topics()), set(cluster.rights())


def each(lab: Walk, *phases: str, undo: bool = False) -> None:
    """What the command line does: open the journal, run the unit or take it back."""
    for phase in phases:
        with open_journal(lab.migration, lab.world) as journal:
            bind(journal, lab.world, read_only=False)
            unit = story(as_begun(lab.migration, journal)).phase(phase).unit
            assert isinstance(unit, Unit)
            (undo_unit if undo else run_unit)(unit, lab.world, journal)


def test_the_source_gets_exactly_the_declared_topics_and_rights(lab: Walk, before: tuple[set[str], set[Right]]) -> None:
    topics, rights = before
    assert not {right for right in rights if right.principal == MIRROR}
    each(lab, "assess", "provision")
    lanes = reverse_lanes(lab.migration)
    now, granted = source(lab)
    assert now - topics == {topic.name for topic in topics_on_source(REVERSE, lanes)}
    assert granted - rights == set(rights_of(MIRROR, reverse_source_rules(lanes, REVERSE, lab.migration.topics)))
    assert not {right.name for right in granted - rights if right.operation == "Write"} & set(lab.migration.topics)
    assert (topics - now, rights - granted) == (set(), set())


def test_its_lanes_are_there_stopped_and_have_written_nothing(lab: Walk) -> None:
    each(lab, "replicate")
    for lane in reverse_lanes(lab.migration):
        connector = lab.world.resources.get(lane_key(lane, lab.migration.target.namespace))
        assert connector is not None
        assert connector.spec["state"] == "stopped"
        told = connector_status(connector, lane)
        assert (told["connector"]["state"], told["tasks"]) == ("STOPPED", [])
        assert lane_state(lab.world, lab.migration.target, lane).stopped
        assert written(lab) == 0


def test_a_lane_that_is_started_by_mistake_fails_for_want_of_the_right_and_writes_nothing(lab: Walk) -> None:
    lane = reverse_lanes(lab.migration)[0]
    with suppress(Blocked):  # Connect says RUNNING until the task writes for the first time
        start_lane(lab.world, lab.migration.target, lane, _DEADLINE_MS)
    wait_until(
        lambda: Ready(None) if failed(lab, lane) else NotYet("it runs"),
        what="the lane to fail",
        clock=lab.world.clock,
        reporter=Reporter(),
        deadline_ms=_DEADLINE_MS,
    )
    stop_lane(lab.world, lab.migration.target, lane, _DEADLINE_MS)
    assert lab.world.mirror.copied(lane) == {}


def test_taken_back_nothing_of_it_is_left_on_the_source(lab: Walk, before: tuple[set[str], set[Right]]) -> None:
    each(lab, "replicate", "provision", undo=True)
    assert source(lab) == before
    for kind in ("KafkaConnect", "KafkaConnector"):
        assert lab.world.resources.list(kind, lab.migration.target.namespace) == ()


def failed(lab: Walk, lane: Lane) -> bool:
    """Whether it FAILED, or did and the operator has started it again since.

    A task that is refused takes half a minute to close its producer and is RUNNING meanwhile; the operator starts it
    again as soon as Connect says FAILED, so that can be read for a moment only.
    """
    connector = lab.world.resources.get(lane_key(lane, lab.migration.target.namespace))
    again = connector.status.get("autoRestart") if connector is not None else None
    return bool(again) or any("FAILED" in told for told in lab.world.mirror.trouble(lane))


def written(lab: Walk) -> int:
    """The records in the lanes' own topics on the source, uncommitted ones too."""
    places = [Partition(REVERSE.connector_offsets(lane), 0) for lane in reverse_lanes(lab.migration)]
    logs = lab.world.cluster(Side.SOURCE).ranges(places, committed=False)
    return sum(log.end for log in logs.values())
