"""Content is equal, record for record; the first difference of a partition is named, at both offsets, by its field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from shelves import Entry, P, TwoShelves, record, two

from kmigrate.errors import Blocked, Interrupted, Transient, VerifyFailed
from kmigrate.model import OffsetRange, Partition, Side
from kmigrate.probes.content import Compared, Ends, Proof, estimate, prove, refuse_differences
from kmigrate.probes.content.compacted import compare_keys, groups
from kmigrate.probes.content.reading import Pace
from kmigrate.probes.content.spill import Spill, last, parts_for

MANY = 2_500


def ends_of(shelves: TwoShelves, unknown: str = "") -> dict[Partition, Ends]:
    ends = {side: {p: len(log) for p, log in shelf.logs.items()} for side, shelf in shelves.sides.items()}
    here, there = ends[Side.SOURCE], ends[Side.TARGET]
    return {p: Ends(source=here[p], target=there[p], seen=there[p], unknown=unknown) for p in here}


def proof(shelves: TwoShelves, **more: object) -> Proof:
    return prove(shelves.world, ends_of(shelves), **more)  # type: ignore[arg-type]


def told(shelves: TwoShelves) -> list[str]:
    return [str(each) for each in proof(shelves).differences]


def records(count: int = 6) -> list[Entry]:
    return [record(number) for number in range(count)]


def changed(at: int, count: int = 6, **other: object) -> list[Entry]:
    log = records(count)
    log[at] = record(at, **other)
    return log


@pytest.mark.parametrize("count", [0, 1, 999, 1_000, 1_001, MANY])
def test_equal_logs_are_equal_wherever_the_markers_and_aborted_records_lie(count: int) -> None:
    log = records(count)
    gapped = [each for number, entry in enumerate(log) for each in ([None, entry] if number % 3 else [entry])]
    found = proof(two(log, [*gapped, None, None]))
    assert (found.differences, found.compared[P].records) == ((), count)
    assert found.compared[P].source == OffsetRange(start=0, end=count)
    assert found.compared[P].finished


FIELDS = [
    ({"timestamp": 1_004}, "the timestamp is 1 ms later on the target"),
    ({"timestamp": 903}, "the timestamp is 100 ms earlier on the target"),
    ({"key": b"kx"}, "the key differs: 2 bytes (sha256 2f5052c9fd15…) on the source, 2 bytes (sha256 "),
    ({"key": None}, "the key differs: 2 bytes (sha256 2f5052c9fd15…) on the source, null on the target"),
    ({"value": b""}, "on the source, empty on the target"),
    ({"value": None}, "on the source, null on the target"),
    ({"headers": (("trace", b"4"), ("kind", b"plain"))}, "the value of header 1 differs: 1 bytes (sha256 "),
    ({"headers": (("trace", b"3"), ("kinD", b"plain"))}, "the name of header 2 differs: 4 bytes (sha256 "),
    ({"headers": (("trace", b"3"), ("kind", None))}, "on the source, null on the target"),
    ({"headers": (("kind", b"plain"), ("trace", b"3"))}, "the headers stand in another order"),
    ({"headers": ()}, "2 headers on the source, 0 on the target"),
]


@pytest.mark.parametrize(("other", "says"), FIELDS)
def test_a_changed_record_is_named_by_the_field(other: dict[str, object], says: str) -> None:
    (line,) = told(two(records(), [None, *changed(3, **other)]))
    assert line.startswith("orders/0: source offset 3, target offset 4: ")
    assert says in line


def test_null_made_empty_and_contents_are_never_told() -> None:
    secret = b"4111 1111 1111 1111"
    here = changed(2, value=None, headers=(("h", secret),))
    there = changed(2, value=b"", headers=(("h", secret + b"!"),))
    (line,) = told(two(here, there))
    assert line.startswith(
        "orders/0: source offset 2, target offset 2: the value differs: null on the source, empty on"
    )
    assert "the value of header 1 differs: 19 bytes" in line
    assert "4111" not in line


A, B, C, D, E = (record(number) for number in range(5))
SHIFTS = [
    ([A, B, C, D], [A, C, B, D], 1, 1, "the record is swapped with the next one"),
    ([A, B, C], [A, C, B], 1, 1, "the record is swapped with the next one"),
    ([A, B, C, D], [A, C, D], 1, 1, "1 record of the source missing on the target"),
    ([A, B, C, D, E], [A, D, E], 1, 1, "2 records of the source missing on the target"),
    ([A, B, C], [B, C], 0, 0, "1 record of the source missing on the target"),
    ([A, B], [A], 1, None, "1 record of the source missing on the target"),
    ([A, B], [], 0, None, "2 records of the source missing on the target"),
    ([A, B, C], [A, B, B, C], 2, 2, "1 record more on the target: a duplicate of its offset 1"),
    ([A, B, C], [A, B, A, B, C], 2, 2, "2 records more on the target: a duplicate of its offset 0"),
    ([A, B], [A, B, B], None, 2, "1 record more on the target: a duplicate of its offset 1"),
    ([A, B, C], [A, E, B, C], 1, 1, "1 record on the target missing on the source"),
    ([A, B], [A, B, E], None, 2, "1 record on the target missing on the source"),
    ([], [A], None, 0, "1 record on the target missing on the source"),
    ([A, A, B], [A, B], 1, 1, "1 record of the source missing on the target"),
]


@pytest.mark.parametrize(("source", "target", "here", "there", "what"), SHIFTS)
def test_a_record_too_many_too_few_or_out_of_place_is_named(
    source: list[Entry], target: list[Entry], here: int | None, there: int | None, what: str
) -> None:
    (found,) = proof(two(source, target)).differences
    assert (found.source, found.target, found.what) == (here, there, what)


@pytest.mark.parametrize("at", [0, 1, 998, 999, 1_000, 1_001, 1_999, 2_498, MANY - 1])
def test_it_is_named_wherever_it_lies_in_the_stretches(at: int) -> None:
    here = records(MANY)
    twice = [*here[: at + 1], here[at], *here[at + 1 :]]
    for target, what in (
        (changed(at, MANY, timestamp=1_001 + at), "the timestamp is 1 ms later on the target"),
        ([*here[:at], *here[at + 1 :]], "1 record of the source missing on the target"),
        (twice, f"1 record more on the target: a duplicate of its offset {at}"),
    ):
        (found,) = proof(two(here, target)).differences
        assert found.what == what
        expected = at + 1 if target is twice else at
        assert found.source == (expected if expected < MANY else None)


def test_only_the_first_difference_of_each_partition_is_named_and_the_others_are_compared() -> None:
    shelves = two(records(), changed(1, timestamp=0))
    for side, shelf in shelves.sides.items():
        shelf.logs[Partition("orders", 1)] = records()
        shelf.logs[Partition("orders", 2)] = records() if side is Side.SOURCE else records(4)
        shelf.logs[P][4] = record(4, value=str(side).encode())
    found = proof(shelves)
    assert [(d.partition.number, d.source) for d in found.differences] == [(0, 1), (2, 4)]
    assert found.compared[Partition("orders", 1)].finished
    with pytest.raises(VerifyFailed, match=r"(?s)differs in 2 partitions.*orders/0: source offset 1.*orders/2: source"):
        refuse_differences(found.differences)
    refuse_differences(())


# --- what goes on meanwhile -------------------------------------------------------------------------------------------


def test_only_what_lies_before_the_ends_is_compared_and_younger_copies_are_no_difference() -> None:
    shelves = two(records(9), [*records(8), None])
    ends = {P: Ends(source=6, target=6, seen=9)}
    found = prove(shelves.world, ends)
    assert (found.differences, found.compared[P].records) == ((), 6)


@pytest.mark.parametrize("after", [[record(77)], [record(6), record(77)], [record(7)], [record(6), record(6)]])
def test_a_foreign_record_after_the_ends_is_named(after: list[Entry]) -> None:
    shelves = two(records(7), [*records(6), *after])
    found = prove(shelves.world, {P: Ends(source=6, target=6, seen=6 + len(after))})
    (line,) = map(str, found.differences)
    assert line.endswith("a record on the target that the source does not have")
    assert f"target offset {6 + len(after) - 1}" in line


def test_what_stood_after_the_ends_cannot_be_told_once_retention_has_taken_it() -> None:
    shelves = two(records(9), [*records(6), record(6)])
    shelves.sides[Side.SOURCE].starts[P] = 8
    assert prove(shelves.world, {P: Ends(source=6, target=6, seen=7)}).differences == ()


def test_where_the_place_on_the_target_is_not_known_a_difference_is_still_named() -> None:
    shelves = two(records(8), [*changed(3, 6, value=b"?"), record(6)])
    ends = {P: Ends(source=6, target=7, seen=7, unknown="its records are not unique")}
    (line,) = map(str, prove(shelves.world, ends).differences)
    assert line.startswith("orders/0: source offset 3, target offset 3: the value differs")
    shelves.sides[Side.TARGET].logs[P][3] = record(3)
    found = prove(shelves.world, ends)
    assert (found.differences, found.compared[P].records, found.compared[P].finished) == ((), 6, True)
    shelves.sides[Side.TARGET].logs[P][6] = record(77)
    (line,) = map(str, prove(shelves.world, ends).differences)
    assert line.endswith("a record on the target that the source does not have")


def test_where_neither_beginning_nor_end_is_known_for_sure_nothing_is_guessed() -> None:
    shelves = two(records(8), records(7))
    shelves.sides[Side.SOURCE].starts[P] = 2
    ends = {P: Ends(source=6, target=7, seen=7, unknown="its records are not unique")}
    (line,) = map(str, prove(shelves.world, ends).differences)
    assert line.endswith("the place on the target is not known: its records are not unique")


@pytest.mark.parametrize("gone", [1, 5, 1_200, MANY])
def test_what_retention_took_from_the_source_is_not_compared(gone: int) -> None:
    log = records(MANY)
    shelves = two([None] * gone + log[gone:], [None, *log])
    shelves.sides[Side.SOURCE].starts[P] = gone
    found = proof(shelves)
    assert (found.differences, found.compared[P].records) == ((), MANY - gone)


def test_a_difference_right_where_the_source_begins_is_named() -> None:
    log = records(200)
    shelves = two(log, [*log[:53], record(53, timestamp=1), *log[54:]])
    shelves.sides[Side.SOURCE].starts[P] = 50
    (found,) = proof(shelves).differences
    assert (found.source, found.target) == (53, 53)
    shelves = two(log, [*log[:50], *log[60:]])
    shelves.sides[Side.SOURCE].starts[P] = 50
    (found,) = proof(shelves).differences
    assert found.source == 50


def test_a_source_whose_first_records_are_nowhere_on_the_target_is_different() -> None:
    shelves = two(records(100), [record(n, timestamp=5_000 + n) for n in range(100)])
    shelves.sides[Side.SOURCE].starts[P] = 10
    (found,) = proof(shelves).differences
    assert (found.source, found.target) == (10, None)


def test_twins_of_where_the_source_begins_do_not_mislead() -> None:
    twins = [record(0)] * 80
    shelves = two([*twins, *records(30)], [*twins, *records(30)])
    shelves.sides[Side.SOURCE].starts[P] = 4
    found = proof(shelves)
    assert (found.differences, found.compared[P].records) == ((), 106)
    shelves.sides[Side.TARGET].logs[P][-1] = None
    assert len(proof(shelves).differences) == 1


def test_a_read_that_stalls_goes_on_where_it_was_and_one_that_never_moves_is_given_up() -> None:
    shelves = two(records(MANY), records(MANY))
    shelves.sides[Side.SOURCE].stalls_at = [2, 0]
    found = proof(shelves)
    assert (found.differences, found.compared[P].records) == ((), MANY)
    assert [each.start for each in shelves.sides[Side.SOURCE].asked] == [0, 2_000, 2_000]
    shelves.sides[Side.TARGET].stalls_at = [0] * 9
    with pytest.raises(Transient):
        proof(shelves)


def test_retention_that_overtakes_the_reading_is_followed() -> None:
    shelves = two(records(MANY), records(MANY))
    source = shelves.sides[Side.SOURCE]
    source.stalls_at = [1]

    def keep(compared: Mapping[Partition, Compared]) -> None:
        source.starts[P] = 1_500

    found = proof(shelves, keep=keep)
    assert (found.differences, found.compared[P].source) == ((), OffsetRange(start=1_500, end=MANY))


def test_an_interrupted_proof_goes_on_after_the_last_compared_checkpoint() -> None:
    shelves, kept = two(records(MANY), [None, *records(MANY)]), list[str]()

    def keep(compared: Mapping[Partition, Compared]) -> None:
        kept.append(json.dumps({str(p): each.told() for p, each in compared.items()}))
        if len(kept) == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        proof(shelves, keep=keep)
    compared = {Partition.parse(p): Compared.read(each) for p, each in json.loads(kept[-1]).items()}
    ends = {p: Ends.read(json.loads(json.dumps(each.told()))) for p, each in ends_of(shelves).items()}
    shelves.sides[Side.SOURCE].asked.clear()
    found = prove(shelves.world, ends, compared=compared)
    assert shelves.sides[Side.SOURCE].asked == [OffsetRange(start=2_000, end=MANY)]
    assert (found.differences, found.compared[P].records) == ((), MANY)
    shelves.sides[Side.SOURCE].asked.clear()
    assert prove(shelves.world, ends, compared=found.compared).compared == found.compared
    assert shelves.sides[Side.SOURCE].asked == []


def test_how_much_will_be_read_is_said_beforehand_and_how_far_it_is_meanwhile() -> None:
    shelves = two([*records(MANY), None], records(MANY))
    said = str(estimate(shelves.world, [P.topic]))
    assert said == (
        "reads at most 2,501 records of 1 partitions on each side, about 40 kB before compression; "
        "that is at most 40 kB of egress from the source: less than a cent"
    )
    shelves.clock.work = lambda: None

    def keep(compared: Mapping[Partition, Compared]) -> None:
        shelves.clock.now += 1_000

    proof(shelves, keep=keep)
    assert shelves.reporter.lines[0] == (
        "comparing content: 0 of 1 partitions equal, 3,000 of at most 5,001 records, 3,000 records/s, 48 kB/s, "
        "about 1 s left"
    )


# --- compacted topics -------------------------------------------------------------------------------------------------

COMPACT = {"cleanup.policy": "compact"}


def put(key: str, value: str | None, **other: object) -> Entry:
    return record(0, key=key.encode(), value=None if value is None else value.encode(), **other)


def test_on_a_compacted_topic_the_last_value_of_each_key_counts_whatever_is_compacted_already() -> None:
    source = [put("a", "1"), put("b", "1"), put("c", "1"), put("a", "2"), put("b", None)]
    target = [None, None, put("c", "1"), put("a", "2")]
    found = proof(two(source, target, COMPACT))
    assert (found.differences, found.compared[P].records, found.compared[P].finished) == ((), 2, True)


KEYED = [
    ([put("a", "1"), put("a", None)], [put("a", "1")], 1, 0, "the tombstone that is the last record of its key"),
    (
        [put("a", "1")],
        [put("a", "1"), put("a", None)],
        0,
        1,
        "a tombstone on the target, and has a value on the source",
    ),
    ([put("a", "1"), put("b", "1")], [put("a", "1")], 1, None, "the last value of a key is missing on the target"),
    ([put("a", "1")], [put("a", "1"), put("b", "1")], None, 1, "a value on the target and no record on the source"),
    ([put("a", "1")], [put("a", "22")], 0, 0, "the value differs: 1 bytes"),
    ([put("a", "1")], [put("a", "1", timestamp=1_001)], 0, 0, "the timestamp is 1 ms later on the target"),
    ([put("a", "1"), put("a", "2")], [put("a", "2"), put("a", "1")], 1, 1, "the value differs: 1 bytes"),
]


@pytest.mark.parametrize(("source", "target", "here", "there", "what"), KEYED)
def test_the_first_key_whose_last_value_differs_is_named(
    source: list[Entry], target: list[Entry], here: int | None, there: int | None, what: str
) -> None:
    (found,) = proof(two(source, target, COMPACT)).differences
    assert (found.source, found.target) == (here, there)
    assert what in found.what


def test_a_key_written_again_meanwhile_is_counted_and_not_compared() -> None:
    shelves = two([None, put("b", "1")], [put("a", "1"), put("b", "1")], COMPACT)
    shelves.sides[Side.SOURCE].logs[P].append(put("a", "2"))
    ends = {P: Ends(source=2, target=2, seen=2)}
    found = prove(shelves.world, ends)
    assert (found.differences, found.compared[P].records, found.compared[P].rewritten) == ((), 1, 1)


def test_keys_that_retention_took_from_the_source_are_counted_as_gone() -> None:
    log = [put("a", "1"), put("b", "1")]
    shelves = two([None, log[1]], log, {"cleanup.policy": "compact,delete"})
    shelves.sides[Side.SOURCE].starts[P] = 1
    found = proof(shelves)
    assert (found.differences, found.compared[P].records, found.compared[P].gone) == ((), 1, 1)


def test_a_topic_that_only_one_side_compacts_is_compared_by_key() -> None:
    shelves = two([put("a", "1"), put("a", "2")], [None, put("a", "2")])
    shelves.sides[Side.TARGET].configs[P.topic] = dict(COMPACT)
    assert proof(shelves).differences == ()


def test_the_keys_of_a_long_partition_are_compared_part_by_part() -> None:
    log = [put(f"key {n % 300}", str(n)) for n in range(1_000)]
    other = [*log[200:-2], put("key 98", "?"), log[-1]]
    for target, differs in ((log[200:], 0), (other, 1)):
        shelves = two(log, target, COMPACT)
        pace = Pace(shelves.world, 1, 1)
        found = compare_keys(shelves.world, ends_of(shelves), pace, deletes=(), per_part=50)[P]
        if differs:
            assert str(found).startswith("orders/0: source offset 998, target offset 798: the value differs")
        else:
            assert isinstance(found, Compared)
            assert (found.records, pace.done) == (300, 1_800)


def test_compacted_partitions_are_read_in_groups_of_enough_offsets() -> None:
    ends = {Partition("t", n): Ends(source=s, target=s, seen=s) for n, s in enumerate([10, 3_000_000, *[7] * 20])}
    assert [len(group) for group in groups(ends)] == [2, 16, 4]


def test_the_keys_of_many_offsets_are_cut_into_so_many_parts() -> None:
    assert [parts_for(n) for n in (0, 250_000, 250_001, 10_000_000, 10**12)] == [1, 1, 2, 64, 256]


def test_rows_come_back_from_the_file_and_more_keys_than_fit_are_refused() -> None:
    rows = [n.to_bytes(16, "big") + n.to_bytes(8, "big") + b"d" * 16 for n in range(5_000)]
    with Spill(2, most_keys=2_500) as spill:
        for number, row in enumerate(rows):
            spill.add(number % 2, row)
        kept = spill.last(1)
        assert [last(each).offset for each in kept.values()] == list(range(1, 5_000, 2))
        spill.add(1, b"one key more...." + bytes(24))
        with pytest.raises(Blocked, match="more keys than can be compared: 5,000"):
            spill.last(1)


def test_ends_and_progress_survive_the_journal() -> None:
    ends = Ends(source=1, target=2, seen=3, unknown="why")
    compared = replace(Compared(source=OffsetRange(start=0, end=1), target=OffsetRange(start=2, end=3)), gone=4)
    assert Ends.read(json.loads(json.dumps(ends.told()))) == ends
    assert Compared.read(json.loads(json.dumps(compared.told()))) == compared
