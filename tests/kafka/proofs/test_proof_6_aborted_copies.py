"""Proof 6: the aborted copies ahead of a read_uncommitted reader are counted right, at every position.

The mirror's worker is killed -9 in mid-transaction, so that the target holds copies that were aborted and made again.
The truth it is held against is a real reader's: how many records it was given twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import pytest
from mirror_group import MirrorGroup, lane
from traffic import UNCOMMITTED, Ends, Log, Seen, Writer, count, doubled, identities, read_with_group, whole_log
from turning import await_equal
from two_clusters import Figures, TwoClusters

from kmigrate.adapters.kafka import KafkaCluster, KafkaGroups
from kmigrate.model import Partition
from kmigrate.positions.aborted import aborted_ahead
from kmigrate.probes.uncommitted import aborted

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS, KILLS = "aborted-copies", 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The target's log as both kinds of readers see it, and its last stable offsets."""

    two: TwoClusters
    everything: Log
    committed: Log
    ends: dict[int, int]
    left_by_kills: list[int]
    counted_while_open: int

    def counted(self, number: int, position: int) -> int:
        return counted(self.everything, self.committed, self.ends, number, position)


def counted(everything: Log, committed: Log, stable_ends: dict[int, int], number: int, position: int) -> int:
    return aborted_ahead(position, stable_ends[number], offsets(everything[number]), offsets(committed[number]))


def offsets(records: Sequence[Seen]) -> list[int]:
    return [record.offset for record in records]


@pytest.fixture(scope="module")
def target(group: MirrorGroup) -> Target:
    two = group.two
    two.topic(TOPIC, PARTITIONS)
    group.forward(lane(TOPIC))
    ends = Ends(two.target, TOPIC, PARTITIONS)
    writer = Writer(cluster=two.source, topic=TOPIC, partitions=PARTITIONS, rate=500).start()
    left: list[int] = []
    aborted_then: list[int] = []

    def look_while_open() -> None:
        """Of the frozen worker's transaction nothing is aborted yet, however much lies past the last stable offset."""
        everything, committed, stable = (
            whole_log(two.target, TOPIC, UNCOMMITTED),
            whole_log(two.target, TOPIC),
            ends.at(),
        )
        left.append(count(everything) - count(committed))
        aborted_then.append(sum(counted(everything, committed, stable, n, 0) for n in range(PARTITIONS)))

    try:
        for _ in range(KILLS):
            group.kill_in_transaction(ends, look_while_open)
    finally:
        writer.stop()
    await_equal(two, TOPIC)
    group.delete(lane(TOPIC).connector)
    return Target(
        two=two,
        everything=whole_log(two.target, TOPIC, UNCOMMITTED),
        committed=whole_log(two.target, TOPIC),
        ends=ends.at(),
        left_by_kills=left,
        counted_while_open=aborted_then[0],
    )


def test_at_every_position_the_count_is_what_a_reader_from_there_is_given_twice(
    target: Target, figures: Figures
) -> None:
    positions = 0
    for number, records in target.everything.items():
        for at in looked_at(records, target.committed[number]):
            rest = Counter(record.identity for record in records if record.offset >= at)
            assert target.counted(number, at) == sum(times - 1 for times in rest.values())
            positions += 1
    whole = sum(target.counted(number, 0) for number in target.everything)
    assert whole == target.left_by_kills[-1] > target.left_by_kills[0] > 0
    figures(
        positions=positions, committed_records=count(target.committed), aborted_after_each_kill=target.left_by_kills
    )


def looked_at(everything: Sequence[Seen], committed: Sequence[Seen]) -> list[int]:
    """Every aborted record, the offset after it, and each 25th record of the rest."""
    aborted = set(offsets(everything)) - set(offsets(committed))
    return sorted(aborted | {offset + 1 for offset in aborted} | set(offsets(everything)[::25]))


def test_what_carries_positions_counts_the_same_and_passes_what_lies_right_behind(
    target: Target, figures: Figures
) -> None:
    cluster = KafkaCluster(target.two.target.connection("target"))
    looked = {n: looked_at(records, target.committed[n]) for n, records in target.everything.items()}
    counted, skipped = 0, 0
    for row in zip_longest(*([(Partition(TOPIC, n), at) for at in places] for n, places in looked.items())):
        for (topic, number), seen in aborted(cluster, asked := dict(each for each in row if each)).items():
            at = asked[Partition(topic, number)]
            later = [record.offset for record in target.committed[number] if record.offset >= at]
            assert seen.next == (later[0] if later else target.ends[number])
            assert seen.ahead == target.counted(number, seen.next)
            assert seen.passed + seen.ahead == target.counted(number, at)
            counted, skipped = counted + 1, skipped + (seen.passed > 0)
    assert skipped > 0
    figures(positions=counted, of_them_with_aborted_copies_right_behind=skipped)


@pytest.mark.parametrize("place", ["beginning", "middle", "end"])
def test_a_real_reader_is_given_twice_exactly_what_was_counted(target: Target, place: str, figures: Figures) -> None:
    """The reader's position is committed by kmigrate, and it reads as Java's default does: uncommitted."""
    chosen = {number: position_at(records, place) for number, records in target.committed.items()}
    name = f"{TOPIC}-{place}"
    groups = KafkaGroups(target.two.target.connection("target"))
    groups.commit({name: {Partition(TOPIC, number): offset for number, offset in chosen.items()}})
    expected = sum(target.counted(number, offset) for number, offset in chosen.items())
    given = read_with_group(target.two.target, TOPIC, name, at_least=None, isolation=UNCOMMITTED)
    assert doubled(given) == expected
    figures(place=place, counted_beforehand=expected, given_twice=doubled(given), given=count(given))


def position_at(committed: Sequence[Seen], place: str) -> int:
    """Where a committed group could stand: at the first record, in the middle, after the last."""
    if place == "end":
        return committed[-1].offset + 1
    return committed[0 if place == "beginning" else len(committed) // 2].offset


def test_a_committed_reader_is_given_nothing_twice(target: Target) -> None:
    assert all(len(set(records)) == len(records) for records in identities(target.committed).values())


def test_an_open_transaction_is_not_counted_as_aborted(target: Target, figures: Figures) -> None:
    assert target.left_by_kills[0] > 0
    assert target.counted_while_open == 0
    figures(records_past_the_last_stable_offset=target.left_by_kills[0], counted=target.counted_while_open)


def test_subtracting_offsets_counts_wrong(target: Target, figures: Figures) -> None:
    """The change that makes it fail: the end less the committed records, which counts transaction markers too."""
    right = sum(target.counted(number, 0) for number in target.everything)
    by_offsets = sum(target.ends.values()) - count(target.committed)
    assert by_offsets > right
    figures(counted=right, by_offsets=by_offsets)
