"""Proof 5: stop, alter, read back, start of one of ten connectors disturbs no other, with one worker and with two."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from mirror_group import NAMES, MirrorGroup, lane
from traffic import Writer, count, whole_log
from turning import await_equal
from two_clusters import Figures

from kmigrate.lab.operator.status import mapping, objects
from kmigrate.model import Lane

pytestmark = pytest.mark.kafka

CONNECTORS, ROUNDS, PARTITIONS, RATE = 10, 6, 2, 40


@pytest.fixture
def lanes(group: MirrorGroup, workers: int) -> Iterator[tuple[Lane, ...]]:
    """Ten running lanes, spread over that many workers."""
    made = tuple(lane(f"ten-{workers}-{number}") for number in range(CONNECTORS))
    for way in made:
        group.two.topic(way.topics[0], PARTITIONS)
        group.forward(way)
    while len(group.workers) < workers:
        group.add_worker()
    each = CONNECTORS // workers
    group.two.until("tasks to be spread", lambda: spread(group, made) == [each] * workers, 180_000)
    yield made
    group.delete(*(way.connector for way in made))
    while len(group.workers) > 1:
        group.remove_worker()


def spread(group: MirrorGroup, lanes: tuple[Lane, ...]) -> list[int]:
    """Running tasks by worker."""
    tasks = [task for way in lanes for task in objects(group.status(way.connector).get("tasks"))]
    return list(Counter(str(task.get("worker_id")) for task in tasks if task.get("state") == "RUNNING").values())


def task_starts(group: MirrorGroup) -> Counter[str]:
    """How often the task of each connector began to run, by what Connect wrote into its status topic."""
    starts: Counter[str] = Counter()
    for records in whole_log(group.two.target, NAMES.status).values():
        for record in records:
            _, key, value, _ = record.identity
            if key is not None and value is not None and key.startswith(b"status-task-"):
                name = key.decode().removeprefix("status-task-").rpartition("-")[0]
                starts[name] += mapping(json.loads(value)).get("state") == "RUNNING"
    return starts


@pytest.mark.parametrize("workers", [1, 2])
def test_no_other_task_restarts_or_loses_a_record(
    group: MirrorGroup, lanes: tuple[Lane, ...], workers: int, figures: Figures
) -> None:
    two = group.two
    writers = [
        Writer(cluster=two.source, topic=way.topics[0], partitions=PARTITIONS, rate=RATE).start() for way in lanes
    ]
    spent: dict[str, list[float]] = {"stop": [], "alter": [], "read back": [], "start": []}
    restarts = 0
    try:
        for writer in writers:
            writer.await_written(RATE)
        for way in lanes[:ROUNDS]:
            before = task_starts(group)
            one_round(group, way, spent)
            after = task_starts(group)
            assert after[way.connector] == before[way.connector] + 1
            restarts += sum(after[other.connector] - before[other.connector] for other in lanes if other != way)
    finally:
        for writer in writers:
            writer.stop()
    assert restarts == 0
    for way in lanes:
        await_equal(two, way.topics[0])
    assert sum(count(whole_log(two.target, way.topics[0])) for way in lanes) == sum(one.total for one in writers)
    figures(workers=workers, rounds=ROUNDS, other_tasks_restarted=restarts, records=sum(one.total for one in writers))
    figures(**{f"{step}_s_median_and_max": told(times) for step, times in spent.items()})


def one_round(group: MirrorGroup, way: Lane, spent: dict[str, list[float]]) -> None:
    """Stop, set the offsets to where it stands, read them back, start; seconds of each step."""

    def timed(step: str, do: Callable[[], object]) -> None:
        begun = time.monotonic()
        do()
        spent[step].append(time.monotonic() - begun)

    timed("stop", lambda: group.stop(way.connector))
    offsets = group.offsets(way)
    timed("alter", lambda: group.alter(way, offsets))
    timed("read back", lambda: group.read_back(way, offsets))

    def start() -> None:
        group.resume(way.connector)
        group.await_running(way.connector)

    timed("start", start)


def told(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} / {max(times):.2f}"
