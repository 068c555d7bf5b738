"""What the product reads from clusters it carries over hand-overs as the adversary knows."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pytest
from judge import epochs_of, judge, leaving, positions
from simulator import History, history

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.model import Grade, Lane, Partition, Side, Sync, Topic
from kmigrate.positions import Answer, SyncIndex
from kmigrate.probes.translation import Translator
from kmigrate.world import World

SOURCE, TARGET = Side.SOURCE, Side.TARGET


def index(*pairs: tuple[int, int]) -> SyncIndex:
    made = SyncIndex()
    for pair in pairs:
        made.add(Sync(*pair))
    return made


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
