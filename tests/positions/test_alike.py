"""Where both sides hold the same records, the digest of each makes no difference to the answer; its place does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmigrate.model import OffsetRange, Record, Run, Sync
from kmigrate.positions import Search, SyncIndex, Windows, alike, by_place, enough_as_runs

KINDS = st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=12)
HOLES = st.lists(st.integers(1, 3), min_size=12, max_size=12)


def records(kinds: list[bytes], steps: list[int]) -> tuple[Record, ...]:
    """One record of each kind, with holes before them."""
    offsets = [sum(steps[: at + 1]) for at in range(len(kinds))]
    return tuple(Record(offset, 5, kind) for offset, kind in zip(offsets, kinds, strict=True))


def run(of: tuple[Record, ...]) -> Run:
    return Run(offsets=[each.offset for each in of], digest=b"".join(each.digest for each in of))


@given(KINDS, HOLES, HOLES, st.integers(0, 40), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_the_answer_is_that_of_the_records_themselves_twins_included(
    kinds: list[bytes],
    here: list[int],
    there: list[int],
    position: int,
    back: bool,
    low: bool,
    begins: bool,
    over: bool,
) -> None:
    originals, copies = records(kinds, here), records(kinds, there)
    syncs = SyncIndex()
    for at in ([0] if low else []) + ([] if over else [-1]):
        syncs.add(Sync(originals[at].offset, copies[at].offset))
    search = Search(
        position=position,
        syncs=syncs,
        originals=OffsetRange(start=0, end=originals[-1].offset + 1),
        copies=OffsetRange(start=0, end=copies[-1].offset + 1),
        begins=begins,
        back=back,
        over=over,
    )
    windows = search.windows()
    if windows is None or not enough_as_runs(search, windows):
        return
    mine = tuple(r for r in originals if windows.originals_from <= r.offset < (windows.originals_to or 0))
    theirs = tuple(r for r in copies if windows.copies.start <= r.offset < windows.copies.end)
    if alike(run(mine), run(theirs)):
        assert search.answer(by_place(run(mine)), by_place(run(theirs))) == search.answer(mine, theirs)


@pytest.mark.parametrize("other", [[b"a"], [b"b", b"a"], [b"a", b"a"], [b"a", b"b", b"b"]])
def test_another_order_number_or_record_is_not_alike(other: list[bytes]) -> None:
    steps = [1] * 12
    assert alike(run(records([b"a", b"b"], steps)), run(records([b"a", b"b"], [3] * 12)))
    assert not alike(run(records([b"a", b"b"], steps)), run(records(other, steps)))


def test_as_many_records_are_needed_also_where_digests_agree() -> None:
    assert not alike(Run(offsets=[1], digest=b"x"), Run(offsets=[1, 2], digest=b"x"))


def test_records_must_be_told_apart_where_twins_matter_or_the_end_is_open() -> None:
    log = OffsetRange(start=0, end=9)
    search = Search(position=1, syncs=SyncIndex(), originals=log, copies=log, begins=True)
    marked = Windows(copies=log, originals_from=0, originals_to=9)
    assert enough_as_runs(search, marked)
    assert not enough_as_runs(search, replace(marked, originals_to=None))
    assert not enough_as_runs(replace(search, compacted=True), marked)
    assert not enough_as_runs(replace(search, once=False), marked)


def test_the_places_of_a_long_run_are_all_different_and_those_of_a_shorter_one_too() -> None:
    for size in (0, 1, 4_095, 4_096, 4_097, 10_000):
        told = by_place(Run(offsets=range(size), digest=b"x"))
        assert [each.offset for each in told] == list(range(size))
        assert len({each.digest for each in told}) == size
        assert told[:3] == by_place(Run(offsets=range(3), digest=b"y"))[:size]
