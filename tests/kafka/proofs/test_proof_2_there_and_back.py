"""Proof 2: forward, reverse, forward again by stop, alter, read back, start copies no record a second time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from mirror_group import MirrorGroup, lane
from traffic import Writer, doubled, numbered, values, whole_log, write
from turning import arm, await_equal, still_ends
from two_clusters import Figures, OneCluster

from kmigrate.model import Lane

pytestmark = pytest.mark.kafka

PARTITIONS, EACH = 4, 30
RIGHT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Records that stood more than once, and records that never came, on both sides together."""

    doubled: int
    lost: int


def there_and_back(group: MirrorGroup, topic: str, *, reverse: int = RIGHT, forward: int | None = RIGHT) -> Counted:
    """Three legs. `reverse` and `forward` are what is added to T_c and E_r when a lane is armed; None: not armed.

    As in a move, applications write on the side entered before the lane that leads away from it is turned.
    """
    two, way, back = group.two, lane(topic), lane(topic, direction="reverse")
    two.topic(topic, PARTITIONS)
    first = written_with_holes(two.source, topic)
    group.forward(way)
    await_equal(two, topic)
    group.stop(way.connector)
    group.reverse(back, all_begin_written=True)
    begin = still_ends(two.target, topic, PARTITIONS)
    second = written_on(two.target, topic, "second")
    arm(group, back, begin, shift=reverse)
    run_until_copied(group, back, two.source, second)
    group.stop(back.connector)
    begin = still_ends(two.source, topic, PARTITIONS)
    third = written_on(two.source, topic, "third")
    if forward is not None:
        arm(group, way, begin, shift=forward)
    run_until_copied(group, way, two.target, third)
    group.delete(way.connector, back.connector)
    return compared(group, topic, {n: [*first[n], *second[n], *third[n]] for n in range(PARTITIONS)})


def written_with_holes(cluster: OneCluster, topic: str) -> dict[int, list[bytes]]:
    """Committed and aborted transactions, so that offsets have holes."""
    writer = Writer(cluster=cluster, topic=topic, partitions=PARTITIONS, prefix="first", transactional_id=topic).start()
    writer.await_written(EACH * PARTITIONS)
    writer.stop()
    return writer.written


def written_on(cluster: OneCluster, topic: str, name: str) -> dict[int, list[bytes]]:
    records = numbered(name, range(PARTITIONS), EACH)
    write(cluster, topic, records)
    return records


def run_until_copied(group: MirrorGroup, way: Lane, other: OneCluster, written: dict[int, list[bytes]]) -> None:
    """Start a lane and wait until the last record of every partition stands on the other side."""
    (topic,) = way.topics
    group.resume(way.connector)
    group.await_running(way.connector)
    group.two.until(
        f"the lane {way.name} to have copied",
        lambda: all(written[n][-1] in log for n, log in values(whole_log(other, topic)).items()),
    )


def compared(group: MirrorGroup, topic: str, written: dict[int, list[bytes]]) -> Counted:
    logs = [values(whole_log(cluster, topic)) for cluster in (group.two.source, group.two.target)]
    lost = sum(len(set(written[number]) - set(log[number])) for log in logs for number in written)
    if not lost and not any(doubled(log) for log in logs):
        assert all(log == written for log in logs), "out of order"
    return Counted(doubled=sum(doubled(log) for log in logs), lost=lost)


def test_no_record_is_copied_twice_or_left_out(group: MirrorGroup, figures: Figures) -> None:
    counted = there_and_back(group, "there-and-back")
    assert counted == Counted(doubled=0, lost=0)
    figures(legs=3, doubled=counted.doubled, lost=counted.lost)


def test_armed_at_the_end_instead_of_one_before_it_loses_the_first_record(group: MirrorGroup, figures: Figures) -> None:
    """The change that makes it fail: T_c, or E_r, instead of T_c - 1, or E_r - 1."""
    reverse = there_and_back(group, "reverse-at-the-end", reverse=0)
    forward = there_and_back(group, "forward-at-the-end", forward=0)
    assert reverse == forward == Counted(doubled=0, lost=PARTITIONS)
    figures(lost_by_the_reverse_lane=reverse.lost, lost_by_the_forward_lane=forward.lost)


def test_a_forward_lane_started_again_as_it_was_echoes_every_reverse_copy(group: MirrorGroup, figures: Figures) -> None:
    """The change that makes it fail: forward offsets left as they were when it stopped."""
    counted = there_and_back(group, "echo", forward=None)
    assert counted == Counted(doubled=PARTITIONS * EACH, lost=0)
    figures(doubled=counted.doubled)


def test_a_forward_lane_armed_past_the_end_copies_everything_again(group: MirrorGroup, figures: Figures) -> None:
    """Why the read-back must be compared with the end: out of range, `auto.offset.reset=earliest` begins anew."""
    two, topic = group.two, "past-the-end"
    way = lane(topic)
    two.topic(topic, PARTITIONS)
    first = written_on(two.source, topic, "first")
    group.forward(way)
    await_equal(two, topic)
    group.stop(way.connector)
    arm(group, way, still_ends(two.source, topic, PARTITIONS), shift=0)
    run_until_copied(group, way, two.target, first)
    two.until("copies to stand twice", lambda: doubled(values(whole_log(two.target, topic))) == PARTITIONS * EACH)
    group.delete(way.connector)
    figures(doubled=PARTITIONS * EACH)
