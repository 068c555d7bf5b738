"""The reverse mirror by resources alone: armed at T_c - 1, read back, started, stopped, and no pod rolls."""

from __future__ import annotations

import signal

import pytest
from operator_stage import READY, told
from reverse_stage import MOVED, PARTITIONS, WORKER, Reverse, identities

from kmigrate.manifests.mirror import RUNNING
from kmigrate.model import Partition

pytestmark = pytest.mark.kafka

(TOPIC,) = MOVED.topics
EACH = 40


def written(reverse: Reverse, prefix: str) -> None:
    """Two committed transactions with an aborted one between them, so that offsets have holes."""
    for turn, abort in enumerate((False, True, False)):
        reverse.write("target", TOPIC, [f"{prefix}-{turn}-{n}" for n in range(EACH)], abort=abort)


def since(reverse: Reverse, begin: dict[int, int]) -> dict[int, list[object]]:
    """What the target holds from those offsets on."""
    log = reverse.log("target", TOPIC)
    return {number: [one for at, one in log[number] if at >= begin[number]] for number in log}


def await_copies(reverse: Reverse, begin: dict[int, int]) -> None:
    wanted = {number: len(records) for number, records in since(reverse, begin).items()}
    reverse.lab.until(
        "the copies",
        lambda: {number: len(records) for number, records in reverse.log("source", TOPIC).items()} == wanted,
    )


def test_a_lane_armed_at_the_hand_over_copies_exactly_what_came_from_there_on(reverse: Reverse) -> None:
    pid, workers = reverse.pid(), reverse.lab.seen("KafkaConnect", "rev").generation
    reverse.until(MOVED, "STOPPED", [])
    written(reverse, "before")
    begin = reverse.ends("target", TOPIC)
    assert sorted(begin.values())[0] == 0
    assert len([end for end in begin.values() if end > EACH]) == PARTITIONS - 1
    armed = {Partition(TOPIC, number): end - 1 for number, end in begin.items() if end > 0}
    reverse.wish(MOVED, armed)
    reverse.served(MOVED, "alter")
    assert reverse.listed(MOVED) == armed
    written(reverse, "after")

    reverse.settled(reverse.body(MOVED, RUNNING))
    reverse.until(MOVED, "RUNNING", ["RUNNING"])
    await_copies(reverse, begin)
    written(reverse, "later")
    await_copies(reverse, begin)
    copied = identities(reverse.log("source", TOPIC))
    assert copied == since(reverse, begin)
    assert sum(map(len, copied.values())) == 4 * EACH

    reverse.settled(reverse.body(MOVED))
    reverse.until(MOVED, "STOPPED", [])
    written(reverse, "stopped")
    there = reverse.listed(MOVED)
    assert identities(reverse.log("source", TOPIC)) == copied
    assert all(there[partition] > offset for partition, offset in armed.items())
    assert told(reverse.seen(MOVED)) == READY
    assert reverse.pid() == pid
    assert reverse.lab.seen("KafkaConnect", "rev").generation == workers


def test_a_lane_whose_worker_is_killed_goes_on_without_a_gap_and_without_a_double(reverse: Reverse) -> None:
    """After the one above: the lane stands where that left it, with records waiting."""
    before = identities(reverse.log("source", TOPIC))
    pid = reverse.pid()
    reverse.settled(reverse.body(MOVED, RUNNING))
    reverse.lab.until("the first copy", lambda: identities(reverse.log("source", TOPIC)) != before)
    written(reverse, "killed")
    reverse.lab.bench.machine.signal(WORKER, signal.SIGKILL)
    written(reverse, "while-away")
    reverse.lab.until("a new worker", lambda: reverse.pid() not in (None, pid), 120_000)
    log = reverse.log("target", TOPIC)
    begin = {n: next(at for at, one in log[n] if one == before[n][0]) if before[n] else 0 for n in log}
    await_copies(reverse, begin)
    assert identities(reverse.log("source", TOPIC)) == since(reverse, begin)
    reverse.settled(reverse.body(MOVED))
    reverse.until(MOVED, "STOPPED", [])
