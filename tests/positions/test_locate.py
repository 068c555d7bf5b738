"""Locating a position never answers anything but the truth: a small simulator of a log and its exactly-once copy."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmigrate.model import Grade, Record
from kmigrate.positions import CONTEXT, Answer, digest, locate


@dataclass(frozen=True)
class Log:
    """The visible records of a partition, each with the number of the original; offsets have holes."""

    records: tuple[Record, ...]
    end: int

    def up_to(self, offset: int) -> tuple[Record, ...]:
        return tuple(r for r in self.records if r.offset < offset)

    def since(self, offset: int) -> tuple[Record, ...]:
        return tuple(r for r in self.records if r.offset >= offset)

    def since_time(self, timestamp: int) -> tuple[Record, ...]:
        first = next((r.offset for r in self.records if r.timestamp >= timestamp), self.end)
        return self.since(first)


def lay(kinds: list[tuple[int, int]], holes: list[int], *, first: int = 0) -> Log:
    """Lay records (time, value) down with a hole of so many markers or aborted records before each."""
    offset, records = first, []
    for (time, value), hole in zip(kinds, holes, strict=True):
        offset += hole
        records.append(Record(offset=offset, timestamp=time, digest=digest(time, b"k", b"%d" % value)))
        offset += 1
    return Log(tuple(records), offset)


def ask(left: Log, right: Log, position: int, *, left_is_owner: bool = True, left_start: int = 0) -> Answer:
    """Ask as probes.translation asks: the same ranges, read in the same order."""
    seen = Log(left.since(left_start), left.end)
    context = seen.up_to(position)[-CONTEXT:]
    from_start = left_start == 0 and len(context) < CONTEXT
    oldest = min((r.timestamp for r in context), default=0)
    reach = tuple(r for r in seen.since_time(oldest) if r.offset < position) if context else ()
    candidates = right.since_time(oldest) if context else right.records[: 4 * CONTEXT]
    after = seen.since(position)
    before = reach if len(reach) > len(context) else context
    return locate(before, after, candidates, from_log_start=from_start, left_is_owner=left_is_owner)


def truth(left: Log, right: Log, position: int) -> set[int | None]:
    """Every offset on the right at which a reader reads exactly what is left to read on the left: none twice."""
    index = len(left.up_to(position))
    if len(right.records) < index:
        return set()
    low = right.records[index - 1].offset + 1 if index else 0
    high = right.records[index].offset if index < len(right.records) else right.end
    return set(range(low, high + 1))


kinds = st.tuples(st.integers(0, 90), st.integers(0, 1 << 16)).map(
    lambda drawn: [(c.randrange(3), c.randrange(2)) for c in [Random(drawn[1])] for _ in range(drawn[0])]
)
bursts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 45)), max_size=6).map(
    lambda runs: [(time, value) for time, value, count in runs for _ in range(count)]
)


@st.composite
def mirrored(draw: st.DrawFn) -> tuple[Log, Log, int]:
    """A log, the copy of some prefix of it, and a position; times go back and forth, twins and bursts are frequent."""
    told = draw(kinds | bursts)
    told = sorted(told) if draw(st.booleans()) else told
    if draw(st.booleans()):
        told = told + told  # a producer without idempotence that sends its batch again
    chance = Random(draw(st.integers(0, 1 << 16)))
    left = lay(told, [chance.randrange(4) for _ in told])
    copied = draw(st.integers(0, len(told)) | st.just(len(told)))
    right = lay(told[:copied], [chance.randrange(4) for _ in told[:copied]])
    position = draw(st.integers(0, left.end) | st.just(left.end))
    return left, right, position


@given(mirrored())
@settings(max_examples=150, deadline=None)
def test_the_answer_is_the_truth_or_none_at_every_state_of_the_copy(case: tuple[Log, Log, int]) -> None:
    left, right, position = case
    answer = ask(left, right, position)
    assert answer.offset is None or answer.offset in truth(left, right, position)
    assert (answer.offset is None) == (answer.grade is Grade.REFUSED)


@given(mirrored())
@settings(max_examples=80, deadline=None)
def test_on_the_way_back_the_answer_is_the_truth_or_none_while_the_owner_is_written_to(
    case: tuple[Log, Log, int],
) -> None:
    owner, copy, position = case
    position = min(position, copy.end)
    answer = ask(copy, owner, position, left_is_owner=False)
    assert answer.offset is None or answer.offset in truth(copy, owner, position)


@given(mirrored())
@settings(max_examples=60, deadline=None)
def test_what_is_not_copied_yet_is_waited_for_and_never_found(case: tuple[Log, Log, int]) -> None:
    left, right, position = case
    if len(right.records) < len(left.up_to(position)):
        assert ask(left, right, position).offset is None


@given(st.integers(0, 1 << 16), st.integers(0, 80))
@settings(max_examples=40, deadline=None)
def test_distinct_records_are_always_found(seed: int, index: int) -> None:
    chance = Random(seed)
    holes = [chance.randrange(4) for _ in range(80)]
    told = [(n, n) for n in range(80)]
    left, right = lay(told, holes), lay(told, holes[::-1])
    position = left.records[index].offset if index < 80 else left.end
    answer = ask(left, right, position)
    assert answer.grade is Grade.EXACT_PROVEN
    assert answer.offset in truth(left, right, position)


@given(mirrored(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_foreign_record_among_the_copies_never_leads_to_a_wrong_position(
    case: tuple[Log, Log, int], data: st.DataObject
) -> None:
    left, right, position = case
    place = data.draw(st.integers(0, len(right.records)))
    foreign = Record(offset=0, timestamp=data.draw(st.integers(0, 3)), digest=b"foreign".ljust(16))
    mixed = [*right.records[:place], foreign, *right.records[place:]]
    wrong = Log(
        tuple(Record(offset=n, timestamp=r.timestamp, digest=r.digest) for n, r in enumerate(mixed)), len(mixed)
    )
    answer = ask(left, wrong, position)
    if answer.offset is not None:
        own = [r for r in wrong.records if r.digest != foreign.digest and r.offset < answer.offset]
        assert len(own) == len(left.up_to(position))


def test_the_same_run_again_after_the_position_is_refused_when_the_first_copy_is_broken() -> None:
    """Found by the test above: the copy of the second run would have been taken for that of the first."""
    told = [(n, n) for n in range(CONTEXT)] * 2
    left, right = lay(told, [0] * len(told)), lay(told, [1] * len(told))
    foreign = Record(offset=right.records[5].offset - 1, timestamp=5, digest=b"f" * 16)
    wrong = Log((*right.records[:5], foreign, *right.records[5:]), right.end)
    assert ask(left, wrong, CONTEXT).grade is Grade.REFUSED


def plain(count: int = 100) -> tuple[Log, Log]:
    told = [(n, n) for n in range(count)]
    return lay(told, [0] * count), lay(told, [1] * count)


@pytest.mark.parametrize("distance", [0, 1, CONTEXT - 1])
def test_a_foreign_record_within_the_context_after_the_position_is_refused(distance: int) -> None:
    left, right = plain()
    place = 50 + distance
    foreign = Record(offset=right.records[place].offset - 1, timestamp=place, digest=b"f" * 16)
    wrong = Log((*right.records[:place], foreign, *right.records[place:]), right.end)
    assert ask(left, wrong, 50).grade is Grade.REFUSED


def test_a_foreign_record_at_the_end_of_the_copy_is_refused_when_the_owner_has_nothing_there() -> None:
    left, right = plain(40)
    foreign = Record(offset=right.end, timestamp=41, digest=b"f" * 16)
    assert ask(left, Log((*right.records, foreign), right.end + 1), left.end).grade is Grade.REFUSED


def test_sides_that_begin_differently_are_refused_also_where_nothing_follows() -> None:
    left, right = plain(3)
    foreign = Record(offset=0, timestamp=0, digest=b"f" * 16)
    answer = ask(left, Log((foreign, *right.records[1:]), right.end), left.end, left_is_owner=False)
    assert answer.grade is Grade.REFUSED


@pytest.mark.parametrize("missing", [49, 45, 20])
def test_a_missing_copy_within_the_context_before_the_position_is_refused(missing: int) -> None:
    left, right = plain()
    wrong = Log(right.records[:missing] + right.records[missing + 1 :], right.end)
    assert ask(left, wrong, 50).grade is Grade.REFUSED


@pytest.mark.parametrize("missing", [50, 51, 60])
def test_a_missing_copy_within_the_context_after_the_position_is_refused(missing: int) -> None:
    left, right = plain()
    wrong = Log(right.records[:missing] + right.records[missing + 1 :], right.end)
    assert ask(left, wrong, 50).grade is Grade.REFUSED


def test_copies_whose_content_is_shifted_by_one_are_refused() -> None:
    left, right = plain()
    told = [
        Record(offset=r.offset, timestamp=r.timestamp, digest=d.digest)
        for r, d in zip(right.records, right.records[1:], strict=False)
    ]
    told[30] = right.records[30]
    assert ask(left, Log(tuple(told), right.end), 50).grade is Grade.REFUSED


def test_two_copies_in_the_wrong_order_are_refused() -> None:
    left, right = plain()
    told = list(right.records)
    for offset in (45,):
        one, other = told[offset], told[offset + 1]
        told[offset] = Record(offset=one.offset, timestamp=other.timestamp, digest=other.digest)
        told[offset + 1] = Record(offset=other.offset, timestamp=one.timestamp, digest=one.digest)
    assert ask(left, Log(tuple(told), right.end), 50).grade is Grade.REFUSED


def test_a_batch_sent_twice_of_which_one_copy_is_there_is_not_taken_for_the_other() -> None:
    told = [(n, n) for n in range(40)] * 2
    left, right = lay(told, [0] * 80), lay(told[:40], [0] * 40)
    assert ask(left, right, left.end).offset is None


def test_a_long_run_of_identical_records_is_refused_and_not_guessed() -> None:
    told = [(5, 5)] * 40
    left, right = lay(told, [0] * 40), lay(told[:CONTEXT], [0] * CONTEXT)
    assert ask(left, right, left.end).offset is None


def test_twins_at_the_very_beginning_of_a_log_are_told_apart() -> None:
    told = [(5, 5), (5, 5), (5, 5), (6, 6)]
    left, right = lay(told, [0] * 4), lay(told, [2] * 4)
    for position in range(5):
        assert ask(left, right, position).offset in truth(left, right, position)


def test_where_retention_left_fewer_records_than_the_context_the_grade_is_lower() -> None:
    left, right = plain()
    assert ask(left, right, 50, left_start=45).grade is Grade.EXACT_MATCHED
    assert ask(left, right, 50, left_start=10).grade is Grade.EXACT_PROVEN


def test_a_position_before_every_record_is_the_beginning_of_both() -> None:
    left, right = plain()
    assert ask(left, right, 0).offset == 0


def test_a_position_before_every_record_that_is_left_is_refused() -> None:
    left, right = plain()
    assert ask(left, right, 50, left_start=50).grade is Grade.REFUSED
