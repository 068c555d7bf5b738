"""Proof 8: positions of groups at any lag are exact after the mirror's worker was killed -9 in mid-transaction.

Truth comes from the writer and from both whole logs, record by record; both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from mirror_group import MirrorGroup, lane
from traffic import Ends, Log, Writer, identities, values, whole_log
from turning import await_equal
from two_clusters import Figures

from kmigrate.model import Grade, Partition, Position, Side
from kmigrate.probes.translation import Translator
from kmigrate.wiring import LiveWorld

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS, KILLS, EVERY = "after-kills", 4, 3, 41


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Both whole logs once everything is copied, and the world to ask."""

    world: LiveWorld
    written: dict[int, list[bytes]]
    logs: dict[Side, Log]
    syncs: int


@pytest.fixture(scope="module")
def copied(group: MirrorGroup, world: LiveWorld) -> Copied:
    two, way = group.two, lane(TOPIC)
    two.topic(TOPIC, PARTITIONS)
    group.forward(way)
    writer = Writer(
        cluster=two.source, topic=TOPIC, partitions=PARTITIONS, transactional_id=TOPIC, twins=True, rate=1_000
    ).start()
    try:
        ends = Ends(two.target, TOPIC, PARTITIONS)
        for _ in range(KILLS):
            group.kill_in_transaction(ends)
    finally:
        writer.stop()
    await_equal(two, TOPIC)
    logs = {Side.SOURCE: whole_log(two.source, TOPIC), Side.TARGET: whole_log(two.target, TOPIC)}
    syncs = sum(len(index) for index in world.mirror.syncs(way).values())
    group.delete(way.connector)
    return Copied(world=world, written=writer.written, logs=logs, syncs=syncs)


def asked(copied: Copied, leaving: Side) -> Iterator[tuple[Position, int, Log]]:
    """Every 41st offset of each log, holes included, translated; with the number of records that come before it."""
    translator = Translator(world=copied.world, leaving=leaving, lanes=(lane(TOPIC),), once=True)
    here, there = copied.logs[leaving], copied.logs[leaving.other]
    longest = max(records[-1].offset for records in here.values()) + 2
    for offset in range(0, longest, EVERY):
        wanted = {Partition(TOPIC, n): offset for n, records in here.items() if offset <= records[-1].offset + 1}
        for partition, position in translator.translate(wanted).positions.items():
            yield position, sum(record.offset < offset for record in here[partition.number]), there


def right(position: Position, read: int, there: Log) -> bool:
    """Whether the next record there is the one after so many read."""
    left = sum(record.offset < (position.offset or 0) for record in there[position.partition.number])
    return position.offset is not None and left == read


def test_the_kills_left_every_record_once(copied: Copied) -> None:
    assert values(copied.logs[Side.SOURCE]) == copied.written
    assert identities(copied.logs[Side.SOURCE]) == identities(copied.logs[Side.TARGET])


@pytest.mark.parametrize("leaving", list(Side))
def test_every_position_is_proven_and_is_the_truth(copied: Copied, leaving: Side, figures: Figures) -> None:
    found = list(asked(copied, leaving))
    assert len(found) > 100
    assert {position.grade for position, _, _ in found} == {Grade.EXACT_PROVEN}
    assert [position for position, read, there in found if not right(position, read, there)] == []
    bracketed = sum(position.bracket.low is not None for position, _, _ in found)
    assert bracketed > len(found) // 2
    figures(leaving=str(leaving), positions=len(found), bracketed_by_syncs=bracketed, syncs=copied.syncs, kills=KILLS)


def one_further(position: Position) -> int:
    return (position.offset or 0) + 1


def same_offset(position: Position) -> int:
    return position.came_from


@pytest.mark.parametrize("change", [one_further, same_offset])
def test_another_position_is_seen_to_be_wrong(copied: Copied, change: Callable[[Position], int]) -> None:
    """The change that makes it fail: one record on, or the source's own offset."""
    found = list(asked(copied, Side.SOURCE))
    wrong = [
        position
        for position, read, there in found
        if read != sum(r.offset < change(position) for r in there[position.partition.number])
    ]
    assert len(wrong) > len(found) // 2


def test_without_syncs_the_same_positions_are_found_by_the_records_alone(copied: Copied) -> None:
    translator = Translator(world=copied.world, leaving=Side.SOURCE, lanes=(), once=True)
    marked = {p.partition: p for p, _, _ in asked(copied, Side.SOURCE)}
    wanted = {partition: position.came_from for partition, position in marked.items()}
    found = translator.translate(wanted).positions
    assert {p: at.offset for p, at in found.items()} == {p: at.offset for p, at in marked.items()}
