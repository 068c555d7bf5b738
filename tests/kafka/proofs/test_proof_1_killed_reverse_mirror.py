"""Proof 1: a reverse mirror under exactly-once, killed -9 in mid-transaction, doubles nothing and leaves nothing out.

Partitions that were empty when it was armed (T_c = 0) and are written the moment it is started included.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from mirror_group import MirrorGroup, lane
from traffic import UNCOMMITTED, Ends, Writer, count, doubled, numbered, uncommitted, values, whole_log, write
from turning import arm, await_equal, still_ends
from two_clusters import Figures

pytestmark = pytest.mark.kafka

PARTITIONS, WRITTEN_BEFORE, KILLS = 4, (0, 1), 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What was written on the target, and what stood on the source in the end, both without what was there before.

    `left_by_kills` are the copies that no committed reader saw, counted with the worker frozen before each kill.
    """

    written: dict[int, list[bytes]]
    committed: dict[int, list[bytes]]
    all_copies: dict[int, list[bytes]]
    left_by_kills: list[int]


def handed_over(group: MirrorGroup, topic: str) -> dict[int, int]:
    """A topic copied to the target, forward stopped; returns T_c, which is 0 for half of the partitions."""
    two = group.two
    two.topic(topic, PARTITIONS)
    write(two.source, topic, numbered("before", WRITTEN_BEFORE, 50))
    forward = group.forward(lane(topic))
    await_equal(two, topic)
    group.stop(forward)
    begin = still_ends(two.target, topic, PARTITIONS)
    assert [begin[number] == 0 for number in range(PARTITIONS)] == [False, False, True, True]
    return begin


@pytest.fixture(scope="module")
def killed(group: MirrorGroup) -> Killed:
    """The reverse mirror's worker killed three times in mid-transaction under live traffic."""
    two, topic = group.two, "killed"
    begin = handed_over(group, topic)
    back = lane(topic, direction="reverse")
    group.reverse(back, all_begin_written=False)
    arm(group, back, begin)
    group.resume(back.connector)
    writer = Writer(cluster=two.target, topic=topic, partitions=PARTITIONS, rate=1_000).start()
    left: list[int] = []
    try:
        ends = Ends(two.source, topic, PARTITIONS)
        for _ in range(KILLS):
            group.kill_in_transaction(ends, lambda: left.append(uncommitted(two.source, topic)))
    finally:
        writer.stop()
    await_equal(two, topic)
    group.delete(back.connector, lane(topic).connector)
    return Killed(
        written=writer.written,
        committed=came_back(values(whole_log(two.source, topic))),
        all_copies=came_back(values(whole_log(two.source, topic, UNCOMMITTED))),
        left_by_kills=left,
    )


def came_back(log: dict[int, list[bytes]]) -> dict[int, list[bytes]]:
    """Without what was written there in the first place."""
    return {number: [value for value in records if value.startswith(b"live")] for number, records in log.items()}


def test_the_source_holds_each_record_once_and_in_order(killed: Killed, figures: Figures) -> None:
    assert killed.committed == killed.written
    assert all(killed.written.values())
    figures(
        written=count(killed.written), copied=count(killed.committed), doubled=doubled(killed.committed), kills=KILLS
    )


def test_without_committed_reading_the_same_log_holds_records_twice(killed: Killed, figures: Figures) -> None:
    """The change that makes it fail: every kill left copies of an open transaction, which were copied again."""
    assert killed.all_copies != killed.written
    assert len(set(killed.left_by_kills)) == KILLS
    assert doubled(killed.all_copies) == killed.left_by_kills[-1] > killed.left_by_kills[0] > 0
    figures(copies_in_aborted_transactions_after_each_kill=killed.left_by_kills)


@pytest.mark.parametrize(("reset", "lost"), [("earliest", 0), ("latest", 10)])
def test_an_empty_partition_written_before_the_mirrors_first_look_needs_earliest(
    group: MirrorGroup, reset: str, lost: int, figures: Figures
) -> None:
    """`latest` is the change that makes it fail: it loses what was written before the mirror's first look.

    In a move the applications write before the reverse lane is turned, so this is what is written first of all.
    """
    two, topic = group.two, f"empty-{reset}"
    begin = handed_over(group, topic)
    back = lane(topic, direction="reverse")
    group.reverse(back, all_begin_written=False, changes={"consumer.auto.offset.reset": reset})
    arm(group, back, begin)
    write(two.target, topic, numbered("first", [2], 10))
    group.resume(back.connector)
    group.await_running(back.connector)

    def news() -> list[bytes]:
        write(two.target, topic, {2: [b"later"]})
        return values(whole_log(two.source, topic))[2]

    two.until("something to come back", lambda: b"later" in news())
    group.delete(back.connector, lane(topic).connector)
    came = [value for value in values(whole_log(two.source, topic))[2] if value != b"later"]
    assert 10 - len(came) == lost
    figures(written_before_the_first_look=10, lost=10 - len(came))
