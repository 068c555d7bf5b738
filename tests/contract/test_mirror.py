"""What every Mirror promises (kmigrate.world): how far it is, whether its tasks run, what is wrong with it.

Lanes of both directions are held to it. On the real side nothing runs: Connect's own offsets and states are written by
hand as Connect writes them (`lab.md`), and so is the status that the operator writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from mirror_estate import bodies
from mirror_stages import KafkaStage, MemoryStage, Stage, another

from kmigrate.adapters.kept_syncs import Known, keep, load
from kmigrate.manifests.lanes import names_of, side_written
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import Partition, Sync
from kmigrate.positions import SyncIndex
from kmigrate.probes.resources import key_of

FIRST, SECOND = Partition("orders", 0), Partition("shipments", 1)
DIRECTIONS = ["forward", "reverse"]


@pytest.fixture(params=DIRECTIONS)
def direction(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stage(request: pytest.FixtureRequest, tmp_path: Path, direction: str) -> Iterator[Stage]:
    if request.param == "memory":
        yield MemoryStage(direction)
        return
    made = KafkaStage(request.getfixturevalue("two"), tmp_path, direction)
    yield made
    made.mirror.close()


def test_nothing_is_copied_and_no_task_runs_before_it_was_asked_for(stage: Stage) -> None:
    assert stage.mirror.copied(stage.lane) == {}
    assert stage.mirror.tasks(stage.lane) == 0
    key = key_of(bodies(stage.lane, RUNNING)[0])
    assert stage.mirror.trouble(stage.lane) == (f"there is no {key.kind} {key.name}",)


def test_the_last_source_offset_copied_is_known_per_partition_and_grows(stage: Stage) -> None:
    stage.ask(RUNNING)
    last = {FIRST: stage.copy(FIRST, 1), SECOND: stage.copy(SECOND, 25)}
    stage.eventually("copied", lambda: stage.mirror.copied(stage.lane) == last)
    assert stage.mirror.copied(stage.lane) == last
    more = {**last, FIRST: stage.copy(FIRST, 12)}
    stage.eventually("more is copied", lambda: stage.mirror.copied(stage.lane) == more)


def test_every_sync_that_was_told_is_known_and_what_cannot_be_read_is_passed_over(stage: Stage) -> None:
    assert stage.mirror.syncs(stage.lane) == {}

    def marks() -> list[int]:
        known = stage.mirror.syncs(stage.lane)
        assert set(known) <= {FIRST}
        return [sync.original for sync in known.get(FIRST, ())]

    stage.ask(RUNNING)
    seen: list[int] = []
    for count in (1, 12):
        last = stage.copy(FIRST, count)
        seen.append(last)
        stage.eventually("copied", lambda last=last: stage.mirror.copied(stage.lane) == {FIRST: last})
        stage.eventually("told", lambda: marks() and marks()[-1] == seen[-1])

    assert set(seen) <= set(marks())
    assert marks() == sorted(marks())
    assert stage.mirror.syncs(another(stage.lane)) == {}


def test_the_task_of_one_lane_is_not_that_of_another(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("it runs", lambda: stage.mirror.tasks(stage.lane) == 1)
    assert stage.mirror.tasks(another(stage.lane)) == 0


def test_what_connect_has_forgotten_is_missing(stage: Stage) -> None:
    stage.ask(RUNNING)
    last = {FIRST: stage.copy(FIRST, 1), SECOND: stage.copy(SECOND, 1)}
    stage.eventually("copied", lambda: stage.mirror.copied(stage.lane) == last)
    stage.lose(FIRST)
    stage.eventually("forgotten", lambda: stage.mirror.copied(stage.lane) == {SECOND: last[SECOND]})


def test_a_lane_that_runs_has_a_task_and_a_stopped_one_has_none_and_is_well(stage: Stage) -> None:
    for _ in range(2):
        stage.ask(RUNNING)
        stage.eventually("it runs", lambda: stage.mirror.tasks(stage.lane) == 1)
        assert stage.mirror.trouble(stage.lane) == ()
        stage.ask(STOPPED)
        stage.eventually("it stands", lambda: stage.mirror.tasks(stage.lane) == 0)
        assert stage.mirror.trouble(stage.lane) == ()


def test_what_the_operator_has_not_looked_at_yet_is_trouble(stage: Stage) -> None:
    stage.ask(RUNNING)
    words = stage.mirror.trouble(stage.lane)
    assert len(words) == len(bodies(stage.lane, RUNNING))
    assert all("has not looked at the last change yet" in word for word in words)
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())


def test_a_lane_writes_once_only_where_workers_and_connector_must(stage: Stage) -> None:
    assert not stage.mirror.once(stage.lane)
    stage.ask(RUNNING)
    assert stage.mirror.once(stage.lane)
    assert not stage.mirror.once(another(stage.lane))
    for part, name, value in (
        ("workers", "exactly.once.source.support", "preparing"),
        ("connector", "exactly.once.support", "requested"),
    ):
        stage.change(part, name, value)
        assert not stage.mirror.once(stage.lane)
        stage.ask(RUNNING)
        assert stage.mirror.once(stage.lane)


def test_a_task_that_failed_is_named_with_the_first_line_of_why_and_does_not_run(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())
    stage.fail("no such host\n\tat some.java.Class")
    stage.eventually("told", lambda: stage.mirror.trouble(stage.lane))
    assert stage.mirror.trouble(stage.lane) == (f"{stage.lane.connector}: task 0 FAILED: no such host",)
    assert stage.mirror.tasks(stage.lane) == 0
    assert not any("FAILED" in told for told in stage.mirror.trouble(another(stage.lane)))


def test_the_last_cause_of_a_failure_is_told_beside_its_first_line(stage: Stage) -> None:
    stage.ask(RUNNING)
    causes = "Caused by: java.Flushing: failed\n\tat b\nCaused by: java.Denied: [orders]\n\t... 9 more"
    stage.fail(f"java.Outer: failed to flush\n\tat a\n{causes}")
    stage.eventually("told", lambda: any("FAILED" in word for word in stage.mirror.trouble(stage.lane)))
    why = "java.Outer: failed to flush; Caused by: java.Denied: [orders]"
    assert stage.mirror.trouble(stage.lane)[-1] == f"{stage.lane.connector}: task 0 FAILED: {why}"


def test_a_lane_whose_own_topic_was_removed_stands_still_and_that_is_told(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())
    stage.drop_syncs()
    stage.eventually("told", lambda: stage.mirror.trouble(stage.lane))
    (why,) = stage.mirror.trouble(stage.lane)
    assert f"its topic {names_of(stage.lane).offset_syncs(stage.lane)} is gone" in why


def test_a_lane_whose_own_offsets_were_removed_stands_still_and_that_is_told(stage: Stage) -> None:
    stage.ask(RUNNING)
    stage.eventually("well", lambda: stage.mirror.trouble(stage.lane) == ())
    stage.drop_offsets()
    stage.eventually("told", lambda: stage.mirror.trouble(stage.lane))
    (why,) = stage.mirror.trouble(stage.lane)
    assert f"its topic {names_of(stage.lane).connector_offsets(stage.lane)} is gone" in why


# ---- on Kafka: syncs kept on disk ----


def _another_process(stage: KafkaStage) -> Mapping[Partition, SyncIndex]:
    mirror = stage.again()
    try:
        return mirror.syncs(stage.lane)
    finally:
        mirror.close()


def _kept(stage: KafkaStage, folder: Path) -> tuple[Path, Known]:
    """A thousand syncs, told and kept; and among what was kept one that nobody told: who knows it has it from there."""
    stage.tell(FIRST, range(1_000))
    assert len(stage.mirror.syncs(stage.lane)[FIRST]) == 1_000
    (file,) = folder.iterdir()
    known = load(file)
    assert known is not None
    known.syncs[SECOND] = SyncIndex()
    known.syncs[SECOND].add(Sync(7, 7))
    return file, known


@pytest.mark.kafka
def test_another_process_goes_on_behind_the_syncs_that_were_kept(two, tmp_path: Path) -> None:
    stage = KafkaStage(two, tmp_path)
    file, known = _kept(stage, tmp_path)
    assert known.next == {0: 1_000}
    keep(file, known)
    stage.tell(FIRST, [1_000])
    seen = _another_process(stage)
    assert list(seen[SECOND]) == [Sync(7, 7)]
    assert len(seen[FIRST]) == 1_001
    stage.mirror.close()


@pytest.mark.kafka
@pytest.mark.parametrize("spoil", ["another topic of that name", "further than the topic", "torn"])
def test_syncs_that_were_kept_of_something_else_are_read_again(two, tmp_path: Path, spoil: str) -> None:
    stage = KafkaStage(two, tmp_path)
    file, known = _kept(stage, tmp_path)
    if spoil == "another topic of that name":
        known.topic_id = "x"
    elif spoil == "further than the topic":
        known.next = {0: 1_001}
    keep(file, known)
    if spoil == "torn":
        file.write_bytes(file.read_bytes()[:-1])
    seen = _another_process(stage)
    assert set(seen) == {FIRST}
    assert len(seen[FIRST]) == 1_000
    stage.mirror.close()


# ---- in memory: markers ----


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_copies_are_in_order_with_a_marker_after_each_batch(direction: str) -> None:
    stage = MemoryStage(direction)
    stage.ask(RUNNING)
    last = stage.copy(FIRST, 20)
    stage.eventually("copied", lambda: stage.mirror.copied(stage.lane) == {FIRST: last})
    entries = stage.made.estate.clusters[side_written(stage.lane)].logs[FIRST].entries
    assert [entry.offset for entry in entries if entry.record is None] == [9, 19, 22]
    assert len(entries) == 23
