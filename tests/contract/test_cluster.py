"""What every Cluster promises (kmigrate.world), looked at after records were written with a producer of one's own."""

from __future__ import annotations

import pytest
from stages import NOW, Stage, told

from kmigrate.errors import KmigrateError
from kmigrate.model import OffsetRange, Partition
from kmigrate.positions import digest


def span(start: int, end: int) -> OffsetRange:
    return OffsetRange(start=start, end=end)


def test_it_has_an_id_and_brokers_with_addresses(stage: Stage) -> None:
    assert stage.cluster.id() == stage.cluster.id() != ""
    assert all(address.rpartition(":")[2].isdecimal() for address in stage.cluster.brokers())
    assert list(stage.cluster.brokers()) == sorted(stage.cluster.brokers())


def test_a_topic_has_its_partitions_and_only_the_settings_somebody_made_on_it(stage: Stage) -> None:
    name = stage.topic(3, {"retention.ms": "3600000"})
    seen = stage.cluster.topics([name, "nobody-made-this"])
    assert seen == {name: stage.cluster.all_topics()[name]}
    assert (seen[name].partitions, dict(seen[name].config)) == (3, {"retention.ms": "3600000"})
    assert stage.cluster.topics([]) == {}


def test_kafkas_own_topics_are_not_among_all(stage: Stage) -> None:
    stage.groups.commit({"own": {Partition(stage.topic(), 0): 0}})
    assert not [name for name in stage.cluster.all_topics() if name.startswith("__")]


def test_an_empty_partition_begins_and_ends_at_zero(stage: Stage) -> None:
    topic = stage.topic(2)
    partitions = [Partition(topic, number) for number in range(2)]
    for committed in (True, False):
        assert stage.cluster.ranges(partitions, committed=committed) == dict.fromkeys(partitions, span(0, 0))
        assert stage.cluster.ends(partitions, committed=committed) == dict.fromkeys(partitions, 0)
    assert stage.cluster.ranges([]) == {}
    assert stage.cluster.ends([]) == {}
    nothing = dict.fromkeys(partitions, span(0, 0))
    assert stage.cluster.read(nothing) == dict.fromkeys(partitions, ())
    assert sorted(stage.cluster.stream(nothing)) == [(partition, ()) for partition in partitions]


def test_an_open_transaction_ends_the_log_for_committed_readers_and_its_marker_counts(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, "a", "b")
    writing = stage.begin()
    writing.put(one, "c", "d")
    stage.put(one, "e")
    assert stage.cluster.ranges([one]) == {one: span(0, 2)}
    assert stage.cluster.ranges([one], committed=False) == {one: span(0, 5)}
    assert (stage.cluster.ends([one]), stage.cluster.ends([one], committed=False)) == ({one: 2}, {one: 5})
    seen = stage.cluster.read({one: span(0, 5)}, committed=False)[one]
    assert [record.digest for record in seen] == [told(each) for each in "abcde"]
    writing.commit()
    stage.eventually("the marker is there", lambda: stage.cluster.ranges([one]) == {one: span(0, 6)})
    assert [r.digest for r in stage.cluster.read({one: span(0, 6)})[one]] == [told(each) for each in "abcde"]


def test_on_a_topic_that_stamps_its_own_time_a_digest_without_time_tells_what_was_written(stage: Stage) -> None:
    one = Partition(stage.topic(1, {"message.timestamp.type": "LogAppendTime"}), 0)
    stage.put(one, "a", "b", "a")
    without = stage.cluster.read({one: span(0, 3)}, timed=False)[one]
    assert [record.digest for record in without] == [digest(None, None, each) for each in (b"a", b"b", b"a")]
    with_time = stage.cluster.read({one: span(0, 3)})[one]
    assert [record.offset for record in with_time] == [0, 1, 2]
    assert {record.digest for record in with_time}.isdisjoint(record.digest for record in without)


def test_aborted_records_and_markers_are_hidden_and_the_order_is_kept(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, "a")
    for number, end in enumerate(("abort", "commit", "abort"), 1):
        writing = stage.begin()
        writing.put(one, end, end)
        getattr(writing, end)()
        marked = {one: span(0, 1 + 3 * number)}
        stage.eventually("the marker is there", lambda marked=marked: stage.cluster.ranges([one]) == marked)
    stage.put(one, "z")
    stage.eventually("all is there", lambda: stage.cluster.ranges([one]) == {one: span(0, 11)})
    seen = stage.cluster.read({one: span(0, 11)})[one]
    assert [(r.offset, r.digest) for r in seen] == [
        (0, told("a")),
        (4, told("commit")),
        (5, told("commit")),
        (10, told("z")),
    ]
    assert stage.cluster.reading({one: span(0, 11)})() == {one: seen}
    streamed = [batch for partition, batch in stage.cluster.stream({one: span(0, 11)}) if partition == one]
    assert [record for batch in streamed for record in batch] == list(seen)
    assert streamed[-1] == ()
    everything = stage.cluster.read({one: span(0, 11)}, committed=False)[one]
    assert [r.offset for r in everything] == [0, 1, 2, 4, 5, 7, 8, 10]


def test_a_range_that_ends_with_hidden_records_comes_to_its_end(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, "a")
    writing = stage.begin()
    writing.put(one, "b", "c")
    writing.abort()
    stage.eventually("the marker is there", lambda: stage.cluster.ranges([one]) == {one: span(0, 4)})
    assert [r.offset for r in stage.cluster.read({one: span(0, 4)})[one]] == [0]
    assert stage.cluster.read({one: span(1, 3)})[one] == ()
    assert list(stage.cluster.stream({one: span(1, 4)})) == [(one, ())]


def test_a_range_is_half_open_and_its_records_carry_time_and_digest(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    for number in range(5):
        stage.put(one, str(number), at=NOW + number)
    seen = stage.cluster.read({one: span(1, 3)})[one]
    assert [(r.offset, r.timestamp, r.digest) for r in seen] == [
        (number, NOW + number, told(str(number), NOW + number)) for number in (1, 2)
    ]


def test_what_was_deleted_moves_the_start_and_cannot_be_read(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, *"abcde")
    stage.expire(one, 3)
    stage.eventually("the log starts later", lambda: stage.cluster.ranges([one]) == {one: span(3, 5)})
    assert [r.digest for r in stage.cluster.read({one: span(3, 5)})[one]] == [told("d"), told("e")]
    with pytest.raises(KmigrateError):
        stage.cluster.read({one: span(2, 5)})


def test_a_log_whose_records_are_all_gone_is_empty_and_does_not_begin_at_zero(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, *"abc")
    stage.expire(one, 3)
    stage.eventually("the log is empty", lambda: stage.cluster.ranges([one]) == {one: span(3, 3)})
    assert stage.cluster.offsets_at({one: NOW}) == {one: 3}


def test_the_offset_at_a_time_is_the_first_at_or_after_it_and_the_end_where_there_is_none(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    for number in range(3):
        stage.put(one, "x", at=NOW + 10 * number)
    found = [stage.cluster.offsets_at({one: NOW + after})[one] for after in (-1, 0, 1, 10, 20, 21)]
    assert found == [0, 0, 1, 1, 2, 3]
    assert stage.cluster.offsets_at({}) == {}


def test_a_stream_gives_every_partition_in_order_and_ends_each_with_an_empty_batch(stage: Stage) -> None:
    topic = stage.topic(3)
    full, empty, short = (Partition(topic, number) for number in range(3))
    stage.put(full, *map(str, range(3_000)))
    stage.put(short, "a", "b")
    wanted = {full: span(0, 3_000), empty: span(0, 0), short: span(1, 2)}
    batches = list(stage.cluster.stream(wanted))
    assert [r.digest for p, batch in batches if p == full for r in batch] == [told(str(n)) for n in range(3_000)]
    assert [r.digest for p, batch in batches if p == short for r in batch] == [told("b")]
    assert sorted(p for p, batch in batches if not batch) == [full, empty, short]
    for partition in wanted:
        assert [batch for p, batch in batches if p == partition][-1] == ()


def test_runs_are_alike_where_the_records_are_wherever_they_lie(stage: Stage) -> None:
    topic = stage.topic(4)
    one, same, swapped, shorter = (Partition(topic, number) for number in range(4))
    stage.put(one, *"abab")
    stage.put(same, *"ab")
    writing = stage.begin()
    writing.put(same, "aborted")
    writing.abort()
    stage.eventually("the marker is there", lambda: stage.cluster.ranges([same]) == {same: span(0, 4)})
    stage.put(same, *"ab")
    stage.put(swapped, *"abba")
    stage.put(shorter, *"aba")
    ends = {one: 4, same: 6, swapped: 4, shorter: 3}
    runs = stage.cluster.runs({p: span(0, end) for p, end in ends.items()})()
    assert [list(runs[p].offsets) for p in ends] == [[0, 1, 2, 3], [0, 1, 4, 5], [0, 1, 2, 3], [0, 1, 2]]
    assert runs[one].digest == runs[same].digest
    assert len({runs[p].digest for p in ends}) == 3
    assert stage.cluster.runs({one: span(4, 4)})()[one].offsets == runs[one].offsets[:0]


def test_stretches_hold_as_many_records_as_asked_and_the_last_one_fewer(stage: Stage) -> None:
    topic = stage.topic(2)
    full, empty = (Partition(topic, number) for number in range(2))
    stage.put(full, *map(str, range(2)))
    writing = stage.begin()
    writing.put(full, "aborted")
    writing.abort()
    stage.eventually("the marker is there", lambda: stage.cluster.ranges([full]) == {full: span(0, 4)})
    stage.put(full, "2", "3")
    told_of = list(stage.cluster.stretches({full: span(0, 6), empty: span(0, 0)}, 2))
    seen = [(each.start, each.end, each.records) for p, each in told_of if p == full]
    assert seen == [(0, 2, 2), (2, 6, 2), (6, 6, 0)]
    assert [(each.start, each.end, each.records) for p, each in told_of if p == empty] == [(0, 0, 0)]


def test_equal_records_give_equal_stretches_wherever_they_lie_and_others_do_not(stage: Stage) -> None:
    topic = stage.topic(3)
    one, same, other = (Partition(topic, number) for number in range(3))
    stage.put(one, *"abcde")
    writing = stage.begin()
    writing.put(same, "a", "b")
    writing.commit()
    stage.put(same, *"cde")
    stage.put(other, *"abced")
    stage.eventually("all is there", lambda: stage.cluster.ranges([same]) == {same: span(0, 6)})
    wanted = {one: span(0, 5), same: span(0, 6), other: span(0, 5)}
    told_of = {p: [] for p in wanted}
    for partition, each in stage.cluster.stretches(wanted, 3):
        told_of[partition].append((each.records, each.digest))
    assert told_of[one] == told_of[same]
    assert [a == b for a, b in zip(told_of[one], told_of[other], strict=True)] == [True, False]


def test_records_without_a_key_are_not_among_the_keyed(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, "a", "b")
    assert [(p, each.rows, each.end) for p, each in stage.cluster.keyed({one: span(0, 2)}, 4)] == [(one, b"", 2)]


def test_a_record_in_full_is_a_committed_one(stage: Stage) -> None:
    one = Partition(stage.topic(), 0)
    stage.put(one, "a", at=NOW + 1)
    writing = stage.begin()
    writing.put(one, "b")
    writing.abort()
    stage.eventually("the marker is there", lambda: stage.cluster.ranges([one]) == {one: span(0, 3)})
    found = stage.cluster.records_in_full([(one, offset) for offset in range(5)])
    assert {place: (each.offset, each.timestamp, each.key) for place, each in found.items()} == {
        (one, 0): (0, NOW + 1, None)
    }


def test_a_partition_that_is_not_there_is_told(stage: Stage) -> None:
    with pytest.raises(KmigrateError):
        stage.cluster.ranges([Partition("nobody-made-this", 0)])
