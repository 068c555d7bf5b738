"""Proof 10: positions are exact after the brokers of both sides were killed -9 while an exactly-once mirror copied.

Two clusters of its own, since others would not bear their brokers to die. Truth comes from both whole logs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from live_world import live_world
from mirror_group import MirrorGroup, lane
from traffic import Ends, Log, Writer, count, identities, values, whole_log
from two_clusters import Figures, OneCluster, TwoClusters, running

from kmigrate.errors import KmigrateError, Transient
from kmigrate.model import Grade, Partition, Position, Side
from kmigrate.probes.translation import Translator
from kmigrate.wiring import LiveWorld

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS, COPIED, SPREAD = "after-broker-kills", 4, 300, 40
KILLED = (Side.TARGET, Side.SOURCE, Side.TARGET)
DEADLINE_MS = 240_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Both whole logs once everything is copied, and the world to ask; `restarts` counts tasks that had FAILED."""

    world: LiveWorld
    written: dict[int, list[bytes]]
    logs: dict[Side, Log]
    restarts: int


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoClusters]:
    with running(tmp_path_factory.mktemp("pair")) as clusters:
        yield clusters


@pytest.fixture(scope="module")
def copied(pair: TwoClusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    group, way = MirrorGroup(two=pair), lane(TOPIC)
    group.start()
    pair.topic(TOPIC, PARTITIONS)
    group.forward(way)
    restarts = 0
    writer = Writer(
        cluster=pair.source, topic=TOPIC, partitions=PARTITIONS, transactional_id=TOPIC, twins=True, rate=500
    ).start()
    try:
        for side in KILLED:
            restarts += _goes_on(pair, group, way.connector)
            _kill(pair.sides[side])
        restarts += _goes_on(pair, group, way.connector)
    finally:
        writer.stop()
    restarts += _all_copied(pair, group, way.connector)
    world = live_world(pair, Path(tmp_path_factory.mktemp("store")))
    logs = {side: whole_log(one, TOPIC) for side, one in pair.sides.items()}
    yield Copied(world=world, written=writer.written, logs=logs, restarts=restarts)
    world.close()


def _kill(cluster: OneCluster) -> None:
    """Kill -9 the only broker, and start it again on what lies on its disk."""
    (node,) = cluster.running.layout.nodes
    cluster.running.kill_node(node.id)
    cluster.running.start_node(node.id)


def _goes_on(pair: TwoClusters, group: MirrorGroup, connector: str) -> int:
    """Wait until more was copied; how many tasks had to be started again for that."""
    ends, restarts, goal = Ends(pair.target, TOPIC, PARTITIONS), 0, -1

    def more() -> bool:
        nonlocal restarts, goal
        restarts += group.restart_failed(connector)
        seen = sum(ends.at().values())
        goal = seen + COPIED if goal < 0 else goal
        return seen > goal

    pair.until("the mirror to go on", more, DEADLINE_MS)
    return restarts


def _all_copied(pair: TwoClusters, group: MirrorGroup, connector: str) -> int:
    restarts = 0

    def equal() -> bool:
        nonlocal restarts
        restarts += group.restart_failed(connector)
        return identities(whole_log(pair.source, TOPIC)) == identities(whole_log(pair.target, TOPIC))

    pair.until("both sides to be equal", equal, DEADLINE_MS)
    return restarts


def asked(copied: Copied, leaving: Side) -> Iterator[tuple[Position, int, Log]]:
    """Positions spread over each log, holes included; with the number of records that come before each."""
    translator = Translator(world=copied.world, leaving=leaving, lanes=(lane(TOPIC),), once=True)
    here, there = copied.logs[leaving], copied.logs[leaving.other]
    longest = max(records[-1].offset for records in here.values()) + 2
    for offset in range(0, longest, max(1, longest // SPREAD)):
        wanted = {Partition(TOPIC, n): offset for n, records in here.items() if offset <= records[-1].offset + 1}
        for partition, position in translator.translate(wanted).positions.items():
            yield position, sum(record.offset < offset for record in here[partition.number]), there


def right(position: Position, read: int, there: Log) -> bool:
    """Whether the next record there is the one after so many read."""
    left = sum(record.offset < (position.offset or 0) for record in there[position.partition.number])
    return position.offset is not None and left == read


def test_the_killed_brokers_left_every_record_once(copied: Copied, figures: Figures) -> None:
    assert values(copied.logs[Side.SOURCE]) == copied.written
    assert identities(copied.logs[Side.SOURCE]) == identities(copied.logs[Side.TARGET])
    figures(killed=[str(side) for side in KILLED], records=count(copied.written), tasks_restarted=copied.restarts)


@pytest.mark.parametrize("leaving", list(Side))
def test_every_position_is_proven_and_is_the_truth(copied: Copied, leaving: Side, figures: Figures) -> None:
    found = list(asked(copied, leaving))
    assert len(found) > 100
    assert [position for position, read, there in found if not right(position, read, there)] == []
    assert Counter(position.grade for position, _, _ in found) == {Grade.EXACT_PROVEN: len(found)}
    figures(leaving=str(leaving), positions=len(found), exact="100 %")


def test_one_record_further_is_seen_to_be_wrong(copied: Copied) -> None:
    """The change that makes it fail."""
    wrong = [
        position
        for position, read, there in asked(copied, Side.SOURCE)
        if not right(replace(position, offset=(position.offset or 0) + 1), read, there)
    ]
    assert len(wrong) > 100


def test_a_broker_that_is_away_gives_an_error_and_no_position(copied: Copied, pair: TwoClusters) -> None:
    """What does not answer is told; once it is back, its leaders renewed, the same client gets the same answer."""
    wanted = {Partition(TOPIC, n): records[len(records) // 2].offset for n, records in copied.logs[Side.SOURCE].items()}
    translator = Translator(world=copied.world, leaving=Side.SOURCE, lanes=(lane(TOPIC),), once=True)
    before = translator.translate(wanted).positions
    (node,) = pair.target.running.layout.nodes
    pair.target.running.kill_node(node.id)
    try:
        with pytest.raises(Transient):
            Translator(world=copied.world, leaving=Side.SOURCE, lanes=(lane(TOPIC),), once=True).translate(wanted)
    finally:
        pair.target.running.start_node(node.id)
    again: list[dict[Partition, Position]] = []

    def answers() -> bool:
        try:
            again.append(dict(translator.translate(wanted).positions))
        except KmigrateError:
            return False
        return True

    pair.until("the target to answer", answers, DEADLINE_MS)
    assert again[-1] == dict(before)
