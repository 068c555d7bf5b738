"""Positions carried over hand-overs: single cases by letters, and the product's own reading of the adversary's logs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pytest
from judge import epochs_of, judge, leaving, positions
from simulator import History, history

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.model import Grade, Lane, OffsetRange, Partition, Record, Side, Sync, Topic
from kmigrate.positions import Answer, Carrier, Epochs, Seam, Seen, SyncIndex
from kmigrate.probes.translation import Translator
from kmigrate.world import World

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


# ---- the product reads what the adversary left ----

P = Partition("t", 0)
LANES = tuple(
    Lane(name=way, direction=way, source_alias=way, target_alias="x", topics=("t",)) for way in ("forward", "reverse")
)


@dataclass(frozen=True)
class Seas:
    """As much of a world as a translation needs: what lies on both sides, and what each lane told."""

    sides: Mapping[Side, MemoryCluster]
    told: Mapping[str, SyncIndex]

    @property
    def mirror(self) -> Seas:
        return self

    def cluster(self, side: Side) -> MemoryCluster:
        return self.sides[side]

    def once(self, lane: Lane) -> bool:
        return True

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        return {P: self.told[lane.direction]}


def seas(made: History, *stamping: Side) -> World:
    told = {"forward": index(*made.told[SOURCE]), "reverse": index(*made.told[TARGET])}
    return cast("World", Seas({side: cluster(made, side, stamps=side in stamping) for side in Side}, told))


def cluster(made: History, side: Side, *, stamps: bool) -> MemoryCluster:
    lying = MemoryCluster(name=str(side))
    policy = "compact" if made.compacted else "delete"
    time = "LogAppendTime" if stamps else "CreateTime"
    lying.create(Topic(name="t", partitions=1, config={"cleanup.policy": policy, "message.timestamp.type": time}))
    there = {each.offset: each for each in made.logs[side].records}
    for offset in range(made.logs[side].end):
        each = there.get(offset)
        if each is None:
            lying.logs[P].mark()
        else:
            lying.logs[P].put(each.record.timestamp, each.record.digest)
    lying.logs[P].start = made.logs[side].start
    return lying


ONCE = frozenset({"holes", "twins", "times going back"})
SEVERAL = frozenset({"several epochs"})


@pytest.mark.parametrize("back", [False, True], ids=["to the target", "to the source"])
@pytest.mark.parametrize(
    ("traits", "stamping", "proven"),
    [
        (ONCE | SEVERAL, (), 160),
        (ONCE | SEVERAL | {"lost syncs", "expired copies"}, (), 100),
        (ONCE | {"own times"}, (TARGET,), 160),
        (ONCE | {"own times", "lost syncs", "expired originals"}, (TARGET,), 100),
        (ONCE | SEVERAL | {"own times"}, (SOURCE, TARGET), 160),
    ],
    ids=["whole", "worn", "the target stamps", "the target stamps, worn", "both sides stamp"],
)
def test_what_is_read_from_clusters_is_carried_as_the_adversary_knows(
    traits: frozenset[str], stamping: tuple[Side, ...], proven: int, *, back: bool
) -> None:
    seen = 0
    for seed in range(40):
        made = history(seed, traits)
        translator = Translator(
            world=seas(made, *stamping), leaving=leaving(back=back), lanes=LANES, epochs={P: epochs_of(made)}
        )
        for position in positions(made, random.Random(seed), 4, back=back):
            found = translator.translate({P: position}).positions[P]
            answer = Answer(offset=found.offset, grade=found.grade, reason="", repeats_at_most=found.repeats_at_most)
            outcome = judge(made, position, answer, back=back)
            assert (outcome.lost, outcome.kept) == (0, True)
            seen += outcome.exact and found.grade is Grade.EXACT_PROVEN
    assert seen >= proven


def test_a_partition_that_only_one_side_was_given_is_refused_and_the_others_are_carried() -> None:
    made = history(1, ONCE)
    world = seas(made)
    grown = Partition("t", 1)
    world.cluster(SOURCE).create(Topic(name="t", partitions=2))
    translated = Translator(world=world, leaving=SOURCE, lanes=LANES).translate({P: 0, grown: 0})
    assert translated.positions[P].offset == 0
    assert translated.positions[grown].grade is Grade.REFUSED
    assert "1 partitions" in translated.positions[grown].reason


@pytest.mark.parametrize("side", list(Side))
def test_a_log_that_ends_before_what_was_copied_from_it_was_made_anew(side: Side) -> None:
    answer = carry(side, 3, syncs={SOURCE: index((0, 0), (2, 2), (15, 15))})
    assert answer is not None
    assert (answer.offset, answer.grade) == (None, Grade.REFUSED)
    assert "made anew" in answer.reason


def test_without_a_mark_a_side_that_stamps_its_own_time_is_read_whole() -> None:
    made = history(3, frozenset({"holes", "times going back", "own times"}), size=400)
    made.told = {side: [] for side in Side}
    made.logs[SOURCE].start = made.logs[SOURCE].written[3].offset
    made.logs[SOURCE].records = made.logs[SOURCE].records[3:]
    world = seas(made, TARGET)
    assert len(made.logs[SOURCE].records) > 100
    position = made.logs[SOURCE].records[60].offset
    found = Translator(world=world, leaving=SOURCE, lanes=LANES).translate({P: position}).positions[P]
    answer = Answer(offset=found.offset, grade=found.grade, reason="")
    assert judge(made, position, answer, back=False).exact
