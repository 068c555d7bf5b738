"""Proof 4: positions of stopped readers found by matching, exact, while a transactional writer goes on writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from mirror_group import MirrorGroup, lane
from traffic import Log, Writer, count, read_with_group, values, whole_log
from turning import await_equal
from two_clusters import Figures, TwoClusters

from kmigrate.model import Grade, Partition, Position, Side
from kmigrate.probes.translation import Translation, Translator
from kmigrate.wiring import LiveWorld

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS = "live", 6
STOPPED_AFTER = (150, 600, 1_200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A reader that was stopped on the source and went on reading on the target; values by partition."""

    positions: Mapping[Partition, Position]
    read_here: Mapping[int, list[bytes]]
    read_there: Mapping[int, list[bytes]]
    written_when_stopped: int
    written_when_placed: int

    def read(self) -> dict[int, list[bytes]]:
        return {number: [*records, *self.read_there[number]] for number, records in self.read_here.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Three readers moved under one writer that never paused, and both logs in the end."""

    moved: tuple[Moved, ...]
    written: Mapping[int, list[bytes]]
    source: Log
    target: Log


@pytest.fixture(scope="module")
def walk(group: MirrorGroup, world: LiveWorld) -> Walk:
    two = group.two
    two.topic(TOPIC, PARTITIONS)
    group.forward(lane(TOPIC))
    writer = Writer(cluster=two.source, topic=TOPIC, partitions=PARTITIONS, transactional_id=TOPIC, twins=True).start()
    try:
        stopped = [stop_and_place(group, world, writer, number) for number in range(len(STOPPED_AFTER))]
    finally:
        writer.stop()
    await_equal(two, TOPIC)
    moved = tuple(
        Moved(
            positions=positions,
            read_here=read_here,
            read_there=read_with_group(two.target, TOPIC, f"reader-{number}", at_least=None),
            written_when_stopped=before,
            written_when_placed=after,
        )
        for number, (positions, read_here, before, after) in enumerate(stopped)
    )
    group.delete(lane(TOPIC).connector)
    return Walk(
        moved=moved, written=writer.written, source=whole_log(two.source, TOPIC), target=whole_log(two.target, TOPIC)
    )


def stop_and_place(
    group: MirrorGroup, world: LiveWorld, writer: Writer, number: int
) -> tuple[Mapping[Partition, Position], dict[int, list[bytes]], int, int]:
    """Read and stop on the source, find the positions on the target, commit them there; the writer goes on."""
    name = f"reader-{number}"
    read_here = read_with_group(group.two.source, TOPIC, name, at_least=STOPPED_AFTER[number])
    before = writer.total
    group.two.until(f"{name} to be Empty", lambda: world.groups(Side.SOURCE).describe([name])[name].stopped)
    there = world.groups(Side.SOURCE).positions({name: [Partition(TOPIC, n) for n in range(PARTITIONS)]})[name]
    wanted = {partition: offset for partition, offset in there.items() if offset is not None}
    assert len(wanted) == PARTITIONS
    positions = placed(group.two, world, wanted).positions
    offsets = {partition: at.offset for partition, at in positions.items() if at.offset is not None}
    world.groups(Side.TARGET).commit({name: offsets})
    writer.await_written(100)
    return positions, read_here, before, writer.total


def placed(two: TwoClusters, world: LiveWorld, wanted: Mapping[Partition, int]) -> Translation:
    """Translate until the mirror has copied the last record before each position; no log end is asked for."""
    found: list[Translation] = []
    translator = Translator(world=world, leaving=Side.SOURCE, lanes=(), once=True)

    def all_found() -> bool:
        found.append(translator.translate(wanted))
        return not found[-1].waiting

    two.until("every position to be found", all_found)
    return found[-1]


def test_every_position_is_proven_and_no_record_is_lost_or_read_twice(walk: Walk, figures: Figures) -> None:
    positions = [position for moved in walk.moved for position in moved.positions.values()]
    assert {position.grade for position in positions} == {Grade.EXACT_PROVEN}
    for moved in walk.moved:
        assert moved.written_when_placed > moved.written_when_stopped
        assert moved.read() == walk.written == values(walk.source)
    figures(
        positions=f"{len(positions)}, all {Grade.EXACT_PROVEN}",
        where_both_sides_have_the_same_offset=sum(at.offset == at.came_from for at in positions),
        written=count(walk.written),
        read_on_the_target=[count(moved.read_there) for moved in walk.moved],
        written_while_positions_were_looked_for=[m.written_when_placed - m.written_when_stopped for m in walk.moved],
        lost_or_twice=0,
    )


def same_offset(position: Position, log: Log) -> int:
    return position.came_from


def one_record_back(position: Position, log: Log) -> int:
    return [record.offset for record in log[position.partition.number] if record.offset < (position.offset or 0)][-1]


def one_record_on(position: Position, log: Log) -> int:
    return next(r.offset for r in log[position.partition.number] if r.offset >= (position.offset or 0)) + 1


EVERY = len(STOPPED_AFTER) * PARTITIONS


@pytest.mark.parametrize(("choose", "at_least"), [(same_offset, 1), (one_record_back, EVERY), (one_record_on, EVERY)])
def test_any_other_position_is_seen_to_be_wrong(
    walk: Walk, choose: Callable[[Position, Log], int], at_least: int, figures: Figures
) -> None:
    """The change that makes it fail: the offset of the source, or one record beside the right one."""
    wrong = 0
    for moved in walk.moved:
        for partition, position in moved.positions.items():
            number, begin = partition.number, choose(position, walk.target)
            rest = [r.identity[2] or b"" for r in walk.target[number] if r.offset >= begin]
            wrong += [*moved.read_here[number], *rest] != walk.written[number]
    assert at_least <= wrong <= EVERY
    figures(wrong_positions=f"{wrong} of {EVERY}")
