"""Where a lane begins without an offset is said when it is armed, and one that makes no progress is told."""

from __future__ import annotations

import pytest
from mirror_estate import TARGET, MirrorEstate, lane_of

from kmigrate.adapters.memory import MemoryFacts, MemoryWorld
from kmigrate.errors import Blocked, StillUnderWay
from kmigrate.manifests.mirror import RESET, STOPPED
from kmigrate.model import Partition, Side, part
from kmigrate.positions import Seam
from kmigrate.probes.lanes import connector_spec, lane_key
from kmigrate.probes.ownership import SEAMS, write_seams
from kmigrate.steps.feeding import await_first_copies, begin_as_it_must, begins_as_it_must, feed, feeds
from kmigrate.steps.lanes import set_reset

FIRST, SECOND = Partition("orders", 0), Partition("orders", 1)
SOON_MS = 60_000


class Handed:
    """A stopped lane whose topics were handed over to the side that it copies from, behind so many records each."""

    def __init__(self, *, behind: int) -> None:
        self.made = MirrorEstate(lane_of("reverse"))
        facts = MemoryFacts()
        self.world = MemoryWorld(self.made.estate, facts)
        places = {Partition(topic, number): behind for topic in self.made.lane.topics for number in (0, 1)}
        places[SECOND] = 5
        for p, count in places.items():
            for side in Side:
                for _ in range(count):
                    self.made.estate.clusters[side].logs[p].put(1, b"before")
        seams = {p: self._seam(at) for p, at in places.items()}
        facts.put(SEAMS, write_seams(seams))
        self.made.ask(STOPPED)
        self.made.turns(3)

    def _seam(self, at: int) -> Seam:
        return Seam(owner=self.made.origin, source=at, target=at)

    def feed(self) -> None:
        feed(self.world, TARGET, self.made.lane, SOON_MS, allow=lambda: None)

    def reset(self) -> object:
        resource = self.made.estate.store.get(lane_key(self.made.lane, TARGET.namespace))
        assert resource is not None
        spec = connector_spec(resource, self.made.lane)
        assert spec is not None
        return part(spec, "config").get(RESET)


def test_where_every_partition_begins_behind_a_record_a_lost_offset_is_an_error() -> None:
    handed = Handed(behind=3)
    assert not begins_as_it_must(handed.world, TARGET, handed.made.lane)
    handed.feed()
    assert handed.reset() == "none"
    assert begins_as_it_must(handed.world, TARGET, handed.made.lane)
    assert feeds(handed.world, TARGET, handed.made.lane)
    handed.made.write(FIRST, 2)
    handed.made.turns(5)
    assert handed.made.copies(FIRST)[3:] == [3, 4]
    # its offset is lost: nothing is copied again
    del handed.made.estate.mirror.lanes(handed.made.lane).last[FIRST]
    handed.made.turns(5)
    assert handed.made.copies(FIRST)[3:] == [3, 4]


def test_where_a_partition_begins_at_nothing_all_of_it_is_copied() -> None:
    handed = Handed(behind=0)
    handed.made.write(FIRST, 2)
    handed.feed()
    assert handed.reset() == "earliest"
    await_first_copies(handed.world, handed.made.lane, SOON_MS)
    assert handed.made.copies(FIRST) == [0, 1]


def test_a_lane_that_runs_otherwise_is_told_so_and_goes_on_from_its_offsets() -> None:
    handed = Handed(behind=3)
    handed.feed()
    set_reset(handed.world, TARGET, handed.made.lane, "earliest", SOON_MS)
    assert not begins_as_it_must(handed.world, TARGET, handed.made.lane)
    for _ in range(2):
        begin_as_it_must(handed.world, TARGET, handed.made.lane, SOON_MS)
        assert handed.reset() == "none"
    handed.made.write(FIRST, 1)
    await_first_copies(handed.world, handed.made.lane, SOON_MS)
    assert handed.made.copies(FIRST)[3:] == [3]


def test_a_lane_that_runs_and_copies_nothing_is_an_alarm_and_nothing_to_copy_is_none() -> None:
    handed = Handed(behind=3)
    handed.feed()
    await_first_copies(handed.world, handed.made.lane, SOON_MS)
    handed.made.estate.mirror.back.held_up = True
    handed.made.write(FIRST, 1)
    with pytest.raises(StillUnderWay, match="it runs and copies nothing of orders/0, which has records"):
        await_first_copies(handed.world, handed.made.lane, SOON_MS)
    handed.made.estate.mirror.back.failed = "OffsetOutOfRange"
    handed.made.turns(3)
    with pytest.raises(Blocked, match=r"lane-1-reverse copies nothing: .*OffsetOutOfRange"):
        await_first_copies(handed.world, handed.made.lane, SOON_MS)
