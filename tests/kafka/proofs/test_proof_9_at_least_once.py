"""Proof 9: positions are never past the truth where the mirror writes at least once and its worker is killed -9.

What it copied since its offsets were last flushed is copied again, so records stand on the target twice. Every record
is written once with a value of its own, so each copy names its original, and the truth follows from both whole logs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

import pytest
from mirror_group import MirrorGroup, lane
from traffic import Ends, Identity, Log, Writer, count, identities, values, whole_log
from two_clusters import Figures, TwoClusters

from kmigrate.manifests.internal import MirrorNames
from kmigrate.model import Grade, Partition, Position, Side
from kmigrate.probes.translation import Translator
from kmigrate.wiring import LiveWorld

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS, KILLS, COPIED = "at-least-once", 4, 3, 1_500
SPREAD, AROUND = 30, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Both whole logs once everything is copied; `copies` has, by partition, the original of each copy by its index."""

    world: LiveWorld
    written: dict[int, list[bytes]]
    logs: dict[Side, Log]
    copies: dict[int, tuple[int, ...]]
    syncs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A position beside the truth: how many records it loses, and repeats beyond the first place that loses none."""

    position: Position
    lost: int
    repeated: int

    @property
    def exact(self) -> bool:
        return self.lost == 0 and self.repeated <= 0


@pytest.fixture(scope="module")
def group(two: TwoClusters) -> Iterator[MirrorGroup]:
    made = MirrorGroup(two=two, names=MirrorNames(group="loose"), once=False)
    made.start()
    yield made
    made.remove_worker()


@pytest.fixture(scope="module")
def copied(group: MirrorGroup, world: LiveWorld) -> Copied:
    two, way = group.two, lane(TOPIC)
    two.topic(TOPIC, PARTITIONS)
    group.forward(way)
    writer = Writer(cluster=two.source, topic=TOPIC, partitions=PARTITIONS, transactional_id=TOPIC, rate=500).start()
    try:
        ends = Ends(two.target, TOPIC, PARTITIONS)
        for _ in range(KILLS):
            group.kill_copying(ends, COPIED)
    finally:
        writer.stop()
    two.until("all to be copied", lambda: _last(whole_log(two.source, TOPIC)) == _last(whole_log(two.target, TOPIC)))
    group.stop(way.connector)  # a worker that is still behind would copy some again
    logs = {Side.SOURCE: whole_log(two.source, TOPIC), Side.TARGET: whole_log(two.target, TOPIC)}
    syncs = sum(len(index) for index in world.mirror.syncs(way).values())
    return Copied(world=world, written=writer.written, logs=logs, copies=_originals(logs), syncs=syncs)


def _last(log: Log) -> dict[int, Identity]:
    return {number: records[-1].identity for number, records in log.items() if records}


def _originals(logs: dict[Side, Log]) -> dict[int, tuple[int, ...]]:
    """The index of every copy's original; each value was written once."""
    numbers = {n: {i: at for at, i in enumerate(of)} for n, of in identities(logs[Side.SOURCE]).items()}
    return {n: tuple(numbers[n][i] for i in of) for n, of in identities(logs[Side.TARGET]).items()}


def judge(copied: Copied, position: Position, leaving: Side) -> Judged:
    """To the target: every record not read must still come. Back: all has been read up to the highest that was met."""
    number, at = position.partition.number, position.offset
    assert at is not None, position
    copies = copied.copies[number]
    here, there = copied.logs[leaving][number], copied.logs[leaving.other][number]
    read = sum(record.offset < position.came_from for record in here)
    stands = sum(record.offset < at for record in there)
    if leaving is Side.TARGET:
        met = max(copies[:read], default=-1) + 1
        return Judged(position=position, lost=max(0, stands - met), repeated=met - stands)
    first = next((place for place, original in enumerate(copies) if original >= read), len(copies))
    lost = set(range(read, len(here))) - set(copies[stands:])
    again = [sum(original < read for original in copies[place:]) for place in (stands, first)]
    return Judged(position=position, lost=len(lost), repeated=again[0] - again[1])


def looked_at(copied: Copied, leaving: Side, number: int) -> list[int]:
    """Offsets spread over the log, holes included, and those around where the mirror began to copy again."""
    copies, here = copied.copies[number], copied.logs[leaving][number]
    seams = [at for at in range(1, len(copies)) if copies[at] <= copies[at - 1]]
    if leaving is Side.SOURCE:
        seams = [copies[each] for at in seams for each in (at - 1, at)]
    near = {here[at].offset for seam in seams for at in range(seam - AROUND, seam + AROUND + 1) if 0 <= at < len(here)}
    end = here[-1].offset + 2
    return sorted(near | set(range(0, end, max(1, end // SPREAD))) | {end - 1})


def asked(copied: Copied, leaving: Side, *, once: bool = False) -> Iterator[Position]:
    """Every position that is looked at, translated."""
    translator = Translator(world=copied.world, leaving=leaving, lanes=(lane(TOPIC),), once=once)
    rows = [[(Partition(TOPIC, n), at) for at in looked_at(copied, leaving, n)] for n in copied.logs[leaving]]
    for wanted in zip_longest(*rows):
        yield from translator.translate(dict(each for each in wanted if each)).positions.values()


def test_the_kills_left_copies_twice_and_lost_none(copied: Copied, figures: Figures) -> None:
    assert values(copied.logs[Side.SOURCE]) == copied.written
    twice = {n: len(of) - len(set(of)) for n, of in copied.copies.items()}
    assert {n: sorted(set(of)) for n, of in copied.copies.items()} == {
        n: list(range(len(records))) for n, records in copied.logs[Side.SOURCE].items()
    }
    assert sum(twice.values()) > 0
    figures(kills=KILLS, written=count(copied.written), copied_twice=twice, syncs=copied.syncs)


@pytest.fixture(scope="module")
def carried(copied: Copied) -> dict[Side, list[Position]]:
    """By the side left."""
    return {leaving: list(asked(copied, leaving)) for leaving in Side}


@pytest.mark.parametrize("leaving", list(Side))
def test_no_position_is_past_the_truth_and_none_repeats_more_than_it_says(
    copied: Copied, carried: dict[Side, list[Position]], leaving: Side, figures: Figures
) -> None:
    found = [judge(copied, position, leaving) for position in carried[leaving]]
    assert len(found) > 100
    assert [each for each in found if each.lost] == []
    assert [each for each in found if each.repeated > each.position.repeats_at_most] == []
    assert [each for each in found if each.position.grade is Grade.EXACT_PROVEN and not each.exact] == []
    exact = sum(each.exact for each in found)
    grades = Counter(str(each.position.grade) for each in found)
    figures(leaving=str(leaving), positions=len(found), exact=f"{100 * exact / len(found):.2f} %", **grades)


def test_from_the_source_every_position_is_exact(copied: Copied, carried: dict[Side, list[Position]]) -> None:
    found = [judge(copied, position, Side.SOURCE) for position in carried[Side.SOURCE]]
    assert [each for each in found if not each.exact] == []


def test_a_later_position_is_seen_to_lose_a_record(copied: Copied, carried: dict[Side, list[Position]]) -> None:
    """The change that makes it fail: behind the last copy of the next record to be read."""
    late = 0
    for position in carried[Side.SOURCE]:
        number = position.partition.number
        copies, there = copied.copies[number], copied.logs[Side.TARGET][number]
        read = sum(record.offset < position.came_from for record in copied.logs[Side.SOURCE][number])
        if read in copies:
            last = max(place for place, original in enumerate(copies) if original == read)
            changed = replace(position, offset=there[last].offset + 1)
            assert judge(copied, changed, Side.SOURCE).lost > 0
            late += 1
    assert late > 100


def test_a_mirror_taken_for_an_exactly_once_one_is_refused_where_it_copied_again(
    copied: Copied, figures: Figures
) -> None:
    refused = [position for position in asked(copied, Side.SOURCE, once=True) if position.offset is None]
    figures(refused_when_taken_for_exactly_once=len(refused))
    assert refused
