"""Positions carried over hand-overs, single cases by letters: where they lie, what lies at a seam, what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kmigrate.model import Grade, OffsetRange, Record, Side, Sync
from kmigrate.positions import Answer, Carrier, Epochs, Seam, Seen, SyncIndex

SOURCE, TARGET = Side.SOURCE, Side.TARGET
HERE = "abc.de..fgh.ij"  # abc written here; de, fgh came back from the target; ij written here again
THERE = "abc..de.fgh..ij."
EPOCHS = Epochs(
    (
        Seam(owner=SOURCE),
        Seam(owner=TARGET, source=4, target=5),
        Seam(owner=SOURCE, source=12, target=12),
    )
)


def index(*pairs: tuple[int, int]) -> SyncIndex:
    made = SyncIndex()
    for pair in pairs:
        made.add(Sync(*pair))
    return made


FORWARD, REVERSE = index((0, 0), (2, 2), (12, 13)), index((5, 4), (8, 8))


def carry(
    side: Side,
    position: int,
    epochs: Epochs = EPOCHS,
    *,
    syncs: Mapping[Side, SyncIndex] | None = None,
    starts: tuple[int, int] = (0, 0),
) -> Answer | None:
    """The answer, or None where the syncs cannot help; dots are markers, and records before `starts` are gone."""
    text = {SOURCE: HERE, TARGET: THERE}
    logs = {each: OffsetRange(start=start, end=len(text[each])) for each, start in zip(Side, starts, strict=True)}
    told = {SOURCE: FORWARD, TARGET: REVERSE} if syncs is None else syncs
    search = Carrier(epochs=epochs, logs=logs, syncs=told).carry(side, position)
    if isinstance(search, Answer):
        return search
    owner = side.other if search.back else side
    while (windows := search.windows()) is not None:
        end = search.originals.end if windows.originals_to is None else windows.originals_to
        originals = read(text[owner], OffsetRange(start=windows.originals_from, end=end))
        answer = search.answer(originals, read(text[owner.other], windows.copies))
        if answer is not None:
            return answer
    return None


def read(text: str, wanted: OffsetRange) -> list[Record]:
    return [
        Record(offset=at, timestamp=0, digest=text[at].encode())
        for at in range(wanted.start, wanted.end)
        if text[at] != "."
    ]


def rest(side: Side, position: int) -> str:
    """What a reader there is still given."""
    return (HERE if side is SOURCE else THERE)[position:].replace(".", "")


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("syncs", [None, {}], ids=["by syncs", "by nothing but seams"])
def test_every_position_of_every_epoch_reads_the_same_rest_on_the_other_side(
    side: Side, syncs: Mapping[Side, SyncIndex] | None
) -> None:
    for position in range(len(HERE if side is SOURCE else THERE) + 1):
        answer = carry(side, position, syncs=syncs)
        assert answer is not None
        assert answer.offset is not None
        assert (answer.grade, answer.repeats_at_most) == (Grade.EXACT_PROVEN, 0)
        assert rest(side.other, answer.offset) == rest(side, position)


def test_there_and_back_and_there_again_ends_where_it_began() -> None:
    for position in range(len(HERE) + 1):
        side, at = SOURCE, position
        for _ in range(5):
            answer = carry(side, at)
            assert answer is not None
            assert answer.offset is not None
            side, at = side.other, answer.offset
        assert rest(side, at) == rest(SOURCE, position)


def test_right_at_a_seam_the_ledger_answers() -> None:
    for side, position, offset in ((SOURCE, 4, 5), (TARGET, 5, 4), (SOURCE, 12, 12), (TARGET, 12, 12)):
        answer = carry(side, position, syncs={})
        assert answer is not None
        assert (answer.offset, answer.reason) == (offset, "both sides stood here at the hand-over")


@pytest.mark.parametrize("missing", list(Seen))
def test_nothing_leans_on_a_seam_that_was_not_seen_whole(missing: Seen) -> None:
    first, _, again = EPOCHS.seams
    unseen = Seam(owner=TARGET, source=4, target=5, seen=frozenset(Seen) - {missing})
    epochs = Epochs((first, unseen, again))
    at_the_seam = carry(SOURCE, 4, epochs)
    assert at_the_seam is not None
    assert (at_the_seam.offset, at_the_seam.grade) == (None, Grade.REFUSED)
    assert missing in at_the_seam.reason
    assert carry(SOURCE, 5, Epochs((first, unseen)), syncs={}) is None  # nothing but this seam could have told
    from_the_next_seam = carry(SOURCE, 5, epochs, syncs={})
    assert from_the_next_seam is not None
    assert from_the_next_seam.offset == 6
    between_syncs = carry(TARGET, 7, epochs)
    assert between_syncs is not None
    assert (between_syncs.offset, between_syncs.grade) == (6, Grade.EXACT_PROVEN)


def test_an_epoch_of_which_nobody_saw_the_end_is_not_counted_back_from_it() -> None:
    unseen = Seam(owner=TARGET, source=4, target=5, seen=frozenset())
    assert carry(SOURCE, 2, Epochs((Seam(owner=SOURCE), unseen)), syncs={}, starts=(0, 1)) is None
    seen = carry(SOURCE, 2, Epochs((Seam(owner=SOURCE), Seam(owner=TARGET, source=4, target=5))), starts=(0, 1))
    assert seen is not None
    assert seen.offset == 2


def test_an_epoch_holds_what_lies_between_its_seams_as_far_as_the_log_still_does() -> None:
    first, second = EPOCHS.of(SOURCE, 3), EPOCHS.of(TARGET, 5)
    assert first is not None
    assert second is not None
    whole = OffsetRange(start=0, end=15)
    assert first.within(SOURCE, whole) == OffsetRange(start=0, end=4)
    assert second.within(SOURCE, whole) == OffsetRange(start=4, end=12)
    assert second.within(TARGET, OffsetRange(start=7, end=15)) == OffsetRange(start=7, end=12)
    assert first.within(TARGET, OffsetRange(start=7, end=15)) == OffsetRange(start=7, end=7)


def test_before_the_first_epoch_nothing_was_copied() -> None:
    epochs = Epochs((Seam(owner=SOURCE, source=2, target=2),))
    answer = carry(SOURCE, 1, epochs)
    assert answer is not None
    assert (answer.offset, answer.grade) == (None, Grade.REFUSED)


def test_a_seam_whose_records_retention_took_across_is_no_place_to_go() -> None:
    assert carry(SOURCE, 4, starts=(0, 7), syncs={}) is None
    assert carry(SOURCE, 12, starts=(0, 7), syncs={}) is not None


def test_records_of_an_ended_epoch_are_never_waited_for() -> None:
    short = Epochs((Seam(owner=SOURCE), Seam(owner=TARGET, source=4, target=2)))  # c has no copy, whatever was said
    answer = carry(SOURCE, 3, short)
    assert answer is None or not answer.not_yet


def test_epochs_in_which_nothing_was_written_share_a_seam() -> None:
    epochs = Epochs((Seam(owner=SOURCE), *(Seam(owner=each, source=4, target=5) for each in (TARGET, SOURCE, TARGET))))
    assert epochs.of(SOURCE, 4) == epochs.of(TARGET, 5)
    assert epochs.owner is TARGET
    answer = carry(SOURCE, 4, epochs)
    assert answer is not None
    assert answer.offset == 5


@pytest.mark.parametrize(
    "seams",
    [
        (),
        (Seam(owner=SOURCE), Seam(owner=SOURCE, source=1, target=1)),
        (Seam(owner=SOURCE, source=5), Seam(owner=TARGET, source=4, target=1)),
        (Seam(owner=SOURCE, target=5), Seam(owner=TARGET, source=4, target=4)),
    ],
)
def test_a_life_that_cannot_have_been_is_no_life(seams: tuple[Seam, ...]) -> None:
    with pytest.raises(ValueError, match=r"epoch|follow"):
        Epochs(seams)


@pytest.mark.parametrize("side", list(Side))
def test_a_log_that_ends_before_what_was_copied_from_it_was_made_anew(side: Side) -> None:
    answer = carry(side, 3, syncs={SOURCE: index((0, 0), (2, 2), (15, 15))})
    assert answer is not None
    assert (answer.offset, answer.grade) == (None, Grade.REFUSED)
    assert "made anew" in answer.reason
