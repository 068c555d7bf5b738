"""Passages are read in parts: each partition once, the next part begun before a part is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from kmigrate.model import OffsetRange, Partition, Record, Run, Side
from kmigrate.positions import Search, SyncIndex, Windows
from kmigrate.probes.passages import passages
from kmigrate.world import World

Asked = tuple[Side, str, tuple[tuple[int, int], ...]]


@dataclass
class Noting:
    """A cluster whose every offset holds a record, and that notes what it is asked in what order."""

    side: Side
    noted: list[Asked]
    end: int
    strange: frozenset[int]

    def ranges(self, partitions: Iterable[Partition]) -> Mapping[Partition, OffsetRange]:
        self.noted.append((self.side, "ranges", ()))
        return {p: OffsetRange(start=0, end=self.end) for p in partitions}

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        self._note("read", ranges)
        return {p: tuple(Record(n, n, b"%d" % n) for n in range(r.start, r.end)) for p, r in ranges.items()}

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        self._note("begin", ranges)
        return lambda: self.read(ranges, timed=timed)

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        self._note("begin", ranges)

        def finish() -> Mapping[Partition, Run]:
            self._note("runs", ranges)
            return {p: Run(offsets=range(r.start, r.end), digest=self._digest(p)) for p, r in ranges.items()}

        return finish

    def _digest(self, partition: Partition) -> bytes:
        return str(self.side).encode() if partition.number in self.strange else b"alike"

    def _note(self, what: str, ranges: Mapping[Partition, OffsetRange]) -> None:
        self.noted.append((self.side, what, tuple((p.number, r.end - r.start) for p, r in ranges.items())))


@dataclass
class Both:
    noted: list[Asked] = field(default_factory=list)
    end: int = 0
    strange: frozenset[int] = frozenset()
    once: bool = False

    def cluster(self, side: Side) -> Noting:
        return Noting(side, self.noted, self.end, self.strange)

    def search(self) -> Search:
        log = OffsetRange(start=0, end=self.end)
        return Search(position=1, syncs=SyncIndex(), originals=log, copies=log, begins=True, once=self.once)


def windows(copies: int, originals: int | None) -> Windows:
    return Windows(copies=OffsetRange(start=0, end=copies), originals_from=0, originals_to=originals)


def many(sizes: Iterable[tuple[int, int | None]]) -> dict[Partition, Windows]:
    return {Partition("t", number): windows(*each) for number, each in enumerate(sizes)}


def read(world: Both, wanted: Mapping[Partition, Windows]) -> list[list[int]]:
    """The partitions of each part; what was asked meanwhile is noted among the parts as `looked at`."""
    parts, searches = [], {p: world.search() for p in wanted}
    for each in passages(cast("World", world), Side.SOURCE, wanted, searches, timed=True):
        world.noted.append((Side.SOURCE, "looked at", ()))
        assert each.originals.keys() == each.copies.keys()
        parts.append([p.number for p in each.originals])
    return parts


def test_each_partition_comes_once_and_parts_hold_300_000_offsets_of_both_sides() -> None:
    assert read(Both(), many([(50_000, 50_000)] * 7)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert read(Both(), many([(400_000, 1)] * 2)) == [[0], [1]]
    assert read(Both(), {}) == []


def test_both_sides_are_begun_before_either_is_waited_for_and_the_next_part_before_one_is_looked_at() -> None:
    world = Both()
    read(world, many([(150_000, 150_000)] * 2))
    one, two = (((number, 150_000),) for number in (0, 1))
    assert world.noted == [
        (Side.TARGET, "begin", one),
        (Side.SOURCE, "begin", one),
        (Side.TARGET, "read", one),
        (Side.SOURCE, "read", one),
        (Side.TARGET, "begin", two),
        (Side.SOURCE, "begin", two),
        (Side.SOURCE, "looked at", ()),
        (Side.TARGET, "read", two),
        (Side.SOURCE, "read", two),
        (Side.SOURCE, "looked at", ()),
    ]


def test_the_end_of_open_originals_is_asked_for_before_either_side_is_read() -> None:
    world = Both(end=9)
    assert read(world, many([(5, None), (4, 4), (3, None)])) == [[0, 1, 2]]
    assert world.noted == [
        (Side.SOURCE, "ranges", ()),
        (Side.TARGET, "begin", ((0, 5), (1, 4), (2, 3))),
        (Side.SOURCE, "begin", ((0, 9), (1, 4), (2, 9))),
        (Side.TARGET, "read", ((0, 5), (1, 4), (2, 3))),
        (Side.SOURCE, "read", ((0, 9), (1, 4), (2, 9))),
        (Side.SOURCE, "looked at", ()),
    ]


def test_marked_windows_are_read_as_runs_first_and_those_not_alike_once_more_by_their_records() -> None:
    world = Both(once=True, strange=frozenset([1]))
    searches = {p: world.search() for p in many([(2, 2)] * 3)}
    (read_,) = passages(cast("World", world), Side.SOURCE, many([(2, 2)] * 3), searches, timed=True)
    assert [(side, what) for side, what, _ in world.noted] == [
        (Side.TARGET, "begin"),
        (Side.SOURCE, "begin"),
        (Side.TARGET, "runs"),
        (Side.SOURCE, "runs"),
        (Side.TARGET, "read"),
        (Side.SOURCE, "read"),
    ]
    assert [asked for _, what, asked in world.noted if what == "read"] == [((1, 2),)] * 2
    digests = {p.number: [each.digest for each in of] for p, of in read_.originals.items()}
    assert digests[1] == [b"0", b"1"]
    assert digests[0] == digests[2] == [(0).to_bytes(16, "big"), (1).to_bytes(16, "big")]
    assert read_.copies == read_.originals


def test_nothing_is_read_twice_where_all_is_alike_and_open_ends_are_never_read_as_runs() -> None:
    world = Both(once=True, end=9)
    assert read(world, many([(4, 4), (5, None)])) == [[0], [1]]
    assert [what for _, what, asked in world.noted if asked and asked[0][0] == 0] == ["begin", "begin", "runs", "runs"]
    assert [what for _, what, asked in world.noted if asked and asked[0][0] == 1] == ["begin", "begin", "read", "read"]
