"""Single positions with records named by letters: equal letters are twins, a dot is an offset without a record."""

from __future__ import annotations

import pytest

from kmigrate.model import Grade, OffsetRange, Record, Sync
from kmigrate.positions import Answer, Search, SyncIndex, Windows

PROVEN, MATCHED, LOWER = Grade.EXACT_PROVEN, Grade.EXACT_MATCHED, Grade.SAFE_LOWER_BOUND


def log(letters: str, start: int = 0) -> list[Record]:
    return [
        Record(offset=start + at, timestamp=0, digest=letter.encode())
        for at, letter in enumerate(letters)
        if letter != "."
    ]


def ask(
    position: int,
    originals: str,
    copies: str,
    *syncs: tuple[int, int],
    back: bool = False,
    compacted: bool = False,
    once: bool = True,
    starts: tuple[int, int] = (0, 0),
) -> Answer | None:
    """The answer, or None where syncs cannot help."""
    index = SyncIndex()
    for sync in syncs:
        index.add(Sync(*sync))
    sides = [
        OffsetRange(start=start, end=start + len(text)) for start, text in zip(starts, (originals, copies), strict=True)
    ]
    search = Search(
        position=position,
        syncs=index,
        originals=sides[0],
        copies=sides[1],
        begins=starts == (0, 0),
        back=back,
        compacted=compacted,
        once=once,
    )
    here, there = log(originals, starts[0]), log(copies, starts[1])
    while (windows := search.windows()) is not None:
        end = sides[0].end if windows.originals_to is None else windows.originals_to
        answer = search.answer(
            [r for r in here if windows.originals_from <= r.offset < end],
            [r for r in there if windows.copies.start <= r.offset < windows.copies.end],
        )
        if answer is not None:
            return answer
    return search.best


@pytest.mark.parametrize(
    ("position", "originals", "copies", "syncs", "offset"),
    [
        (0, "abcd", "abcd", [], 0),
        (2, "abcd", "ab.cd", [(0, 0), (3, 4)], 2),
        (3, "ab.cd", "abcd", [(0, 0), (4, 3)], 2),
        (2, "ab.cd", "abcd", [(0, 0), (4, 3)], 2),  # the position stands on a marker
        (4, "abcd", "abcd", [(0, 0)], 4),  # caught up
        (5, "abcd.", "abcd.", [(0, 0)], 4),  # caught up past a marker; the copies' own marker comes after
        (2, "aaaa", "aaaa", [(0, 0), (3, 3)], 2),  # twins
        (2, "abcdef", "abc", [(0, 0)], 2),  # still being copied
    ],
)
def test_a_mirror_that_writes_once_is_followed_exactly(
    position: int, originals: str, copies: str, syncs: list[tuple[int, int]], offset: int
) -> None:
    answer = ask(position, originals, copies, *syncs)
    assert answer is not None
    assert (answer.offset, answer.grade, answer.repeats_at_most) == (offset, PROVEN, 0)


def test_what_is_read_begins_and_ends_with_both_records_of_a_mark() -> None:
    index = SyncIndex()
    for sync in ((0, 0), (4, 5), (9, 12)):
        index.add(Sync(*sync))
    whole = OffsetRange(start=0, end=20)
    search = Search(position=6, syncs=index, originals=whole, copies=whole, begins=True)
    assert search.windows() == Windows(copies=OffsetRange(start=5, end=13), originals_from=4, originals_to=10)
    assert search.windows() == Windows(copies=OffsetRange(start=0, end=20), originals_from=0, originals_to=None)


def test_a_record_read_that_has_no_copy_yet_is_waited_for() -> None:
    answer = ask(3, "abcdef", "ab", (0, 0))
    assert answer is not None
    assert (answer.offset, answer.not_yet) == (None, True)


def test_the_way_back_uses_the_same_marks() -> None:
    answer = ask(3, "ab.cd", "abcd", (0, 0), (4, 3), back=True)
    assert answer is not None
    assert (answer.offset, answer.grade) == (4, PROVEN)


def test_a_group_older_than_the_first_sync_is_counted_back_from_it() -> None:
    answer = ask(102, "abcdef", "cdef", (104, 2), starts=(100, 0))
    assert answer is not None
    assert (answer.offset, answer.grade) == (0, PROVEN)


def test_what_was_never_copied_has_no_place() -> None:
    assert ask(101, "abcdef", "cdef", (104, 2), starts=(100, 0)) is None


def test_nothing_is_counted_back_over_records_that_differ() -> None:
    assert ask(102, "abcdef", "cxef", (105, 3), starts=(100, 0)) is None


def test_nothing_is_counted_back_through_a_mirror_that_writes_twice() -> None:
    assert ask(102, "abcdef", "cdef", (104, 2), starts=(100, 0), once=False) is None


def test_records_written_again_after_a_crash_leave_the_first_copy() -> None:
    answer = ask(3, "abcdef", "abcbcdef", (0, 0), (5, 7), once=False)
    assert answer is not None
    assert (answer.offset, answer.grade) == (5, PROVEN)  # d was written once


def test_a_twin_that_may_be_a_second_copy_leaves_a_lower_bound() -> None:
    answer = ask(2, "aabc", "aaabc", (0, 0), (3, 4), once=False)
    assert answer is not None
    assert (answer.offset, answer.grade, answer.repeats_at_most) == (3, PROVEN, 0)
    before = ask(1, "aabc", "aaabc", (0, 0), (3, 4), once=False)
    assert before is not None
    assert (before.offset, before.repeats_at_most) == (1, 1)


def test_somebody_elses_record_between_the_marks_is_no_place_for_a_guess() -> None:
    assert ask(2, "abcd", "abxcd", (0, 0), (3, 4)) is None


def test_a_twin_written_by_somebody_else_is_not_taken_for_a_copy() -> None:
    assert ask(2, "abcd", "abbcd", (0, 0), (3, 4)) is None


def test_where_copying_goes_on_a_twin_may_be_a_second_copy() -> None:
    answer = ask(1, "aa", "aa", (0, 0), once=False)
    assert answer is not None
    assert (answer.offset, answer.grade, answer.repeats_at_most) == (1, MATCHED, 1)


def test_a_sync_that_names_other_records_is_not_believed() -> None:
    answer = ask(3, "abcdef", "abcdef", (0, 0), (2, 1), (5, 5))
    assert answer is not None
    assert (answer.offset, answer.grade) == (3, PROVEN)
    assert answer.bracket.low == Sync(0, 0)


def test_compaction_on_either_side_leaves_what_is_sure() -> None:
    gone_here = ask(3, "a..def", "abcdef", (0, 0), (5, 5), compacted=True)
    assert gone_here is not None
    assert (gone_here.offset, gone_here.grade, gone_here.repeats_at_most) == (1, LOWER, 2)
    gone_there = ask(3, "abcdef", "a.c.ef", (0, 0), (5, 5), compacted=True)
    assert gone_there is not None
    assert (gone_there.offset, gone_there.grade) == (3, MATCHED)
    nothing_gone = ask(3, "abcdef", "abcdef", (0, 0), (5, 5), compacted=True)
    assert nothing_gone is not None
    assert nothing_gone.grade is PROVEN


@pytest.mark.parametrize(
    ("position", "originals", "copies", "syncs", "told"),
    [
        (3, "a.bxe", "axbxe", [(0, 0), (4, 4)], (3, MATCHED, 0)),  # the first x was read, and is gone
        (3, "ab.xe", "abxxe", [(0, 0), (4, 4)], (2, LOWER, 1)),  # the same, and nothing after it tells
        (2, "a.x", "ax", [(0, 0)], (1, MATCHED, 1)),  # the second x may not be copied yet
        (3, "abxxe", "ab.x.", [(0, 0), (4, 4)], (2, MATCHED, 0)),  # the copy of the first x is gone
    ],
)
def test_a_copy_may_be_of_an_older_twin_that_compaction_took(
    position: int, originals: str, copies: str, syncs: list[tuple[int, int]], told: tuple[int, Grade, int]
) -> None:
    answer = ask(position, originals, copies, *syncs, compacted=True)
    assert answer is not None
    assert (answer.offset, answer.grade, answer.repeats_at_most) == told


@pytest.mark.parametrize(
    ("position", "originals", "copies", "syncs", "told"),
    [
        (4, "a.....g", "a.....g", [(0, 0), (3, 3), (5, 5), (6, 6)], (4, MATCHED, 0)),  # wider marks have records
        (2, "....e", "a...e", [(0, 0), (4, 4)], (1, MATCHED, 0)),  # a is known by its mark, though its original is gone
        (2, "....e", "ab..e", [(0, 0), (4, 4)], (1, LOWER, 1)),  # b may have been read or not
        (3, "a.xxe", "axxxe", [(0, 0), (4, 4)], (3, MATCHED, 0)),  # of three twins the oldest is gone here
        (3, "abxxe", "ab.xe", [(0, 0), (4, 4)], (2, MATCHED, 0)),  # of two twins the younger is left
    ],
)
def test_between_marks_that_were_copied_compaction_leaves_no_doubt_where_no_record_is_doubtful(
    position: int, originals: str, copies: str, syncs: list[tuple[int, int]], told: tuple[int, Grade, int]
) -> None:
    answer = ask(position, originals, copies, *syncs, compacted=True)
    assert answer is not None
    assert (answer.offset, answer.grade, answer.repeats_at_most) == told


def test_marks_of_which_no_record_is_left_anywhere_are_not_called_a_match() -> None:
    syncs = [(100, 100), (103, 103), (105, 105), (106, 106)]
    answer = ask(104, ".......", ".......", *syncs, compacted=True, starts=(100, 100))
    assert answer is not None
    assert (answer.offset, answer.grade, answer.repeats_at_most) == (104, LOWER, 0)


def test_without_marks_and_without_both_beginnings_syncs_cannot_help() -> None:
    assert ask(103, "abcdef", "abcdef", starts=(100, 0)) is None


def test_on_the_way_back_a_compacted_topic_waits_for_a_mark_after_the_position() -> None:
    waits = ask(2, "a.b", "ab", (0, 0), back=True, compacted=True)  # b may be the younger twin, not copied yet
    assert waits is not None
    assert (waits.offset, waits.not_yet) == (None, True)
    at_the_mark = ask(2, "a.b", "ab", (0, 0), (2, 1), back=True, compacted=True)
    assert at_the_mark is not None
    assert (at_the_mark.offset, at_the_mark.grade) == (3, MATCHED)


def test_the_copy_of_a_twin_that_was_not_read_is_never_taken_for_that_of_the_one_that_was() -> None:
    answer = ask(3, "abxxx", "ab.x", (0, 0), compacted=True)  # the copy of the x that was read is gone
    assert answer is not None
    assert (answer.offset, answer.grade) == (2, LOWER)


HUNDRED = "".join(chr(0x100 + number) for number in range(100))
GONE_BACK = HUNDRED[:60] + HUNDRED[20:]
"""The mirror was killed after sixty, and copied again from its last flush on, as a real one does: past many marks."""


@pytest.mark.parametrize("position", [30, 60, 61, 80, 99])
def test_a_mirror_that_goes_back_past_many_marks_is_followed_to_the_first_copy(position: int) -> None:
    marks = [(number, number) for number in range(60)]
    answer = ask(position, HUNDRED, GONE_BACK, *marks, (99, 139), once=False)
    assert answer is not None
    assert answer.offset == (position if position < 60 else position + 40)
    assert answer.grade is not LOWER


def test_back_from_a_second_copy_whose_first_left_no_marks_no_more_is_repeated_than_said() -> None:
    answer = ask(70, HUNDRED, GONE_BACK, (0, 0), (25, 65), (99, 139), back=True, once=False)
    assert answer is not None
    assert (answer.offset, answer.grade) == (30, LOWER)
    assert answer.repeats_at_most >= 60 - 30  # it has read sixty, in the first run
