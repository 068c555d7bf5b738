"""What several groups ask of the same passages is read once, and never more is kept than a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from kmigrate.model import OffsetRange, Partition, Record, Run, Side
from kmigrate.probes import remembered
from kmigrate.probes.remembered import Remembered

P, Q = Partition("orders", 0), Partition("orders", 1)
NEAR, FAR = OffsetRange(start=0, end=3), OffsetRange(start=2, end=5)
Asked = tuple[str, tuple[Partition, ...]]


@dataclass
class Growing:
    """A cluster whose logs are longer at each look, and that notes what is asked of it."""

    asked: list[Asked] = field(default_factory=list)

    def ranges(self, partitions: Iterable[Partition], *, committed: bool = True) -> Mapping[Partition, OffsetRange]:
        wanted = tuple(partitions)
        self.asked.append(("ranges", wanted))
        return {p: OffsetRange(start=0, end=10 * len(self.asked)) for p in wanted}

    def offsets_at(self, times: Mapping[Partition, int]) -> Mapping[Partition, int]:
        self.asked.append(("offsets_at", tuple(times)))
        return times

    def read(
        self, ranges: Mapping[Partition, OffsetRange], *, committed: bool = True, timed: bool = True
    ) -> Mapping[Partition, tuple[Record, ...]]:
        self.asked.append(("read", tuple(ranges)))
        return {p: tuple(Record(n, n if timed else None, b"%d" % n) for n in _span(r)) for p, r in ranges.items()}

    def reading(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, tuple[Record, ...]]]:
        return lambda: self.read(ranges, timed=timed)

    def runs(
        self, ranges: Mapping[Partition, OffsetRange], *, timed: bool = True
    ) -> Callable[[], Mapping[Partition, Run]]:
        self.asked.append(("runs", tuple(ranges)))
        return lambda: {p: Run(offsets=_span(r), digest=b"timed" if timed else b"bare") for p, r in ranges.items()}


@dataclass
class Two:
    """Both sides."""

    of: dict[Side, Growing] = field(default_factory=lambda: {side: Growing() for side in Side})

    def cluster(self, side: Side) -> Growing:
        return self.of[side]


def _span(of: OffsetRange) -> range:
    return range(of.start, of.end)


@pytest.mark.parametrize("way", ["runs", "reading"])
def test_a_passage_is_read_once_and_another_of_the_same_partition_as_well(way: str) -> None:
    two = Two()
    logs = Remembered(two)

    def ask(ranges: Mapping[Partition, OffsetRange], *, timed: bool = True) -> Mapping[Partition, object]:
        cluster = logs.cluster(Side.SOURCE)
        return dict(cluster.runs(ranges, timed=timed)() if way == "runs" else cluster.reading(ranges, timed=timed)())

    first = ask({P: NEAR, Q: NEAR})
    second = ask({P: FAR, Q: NEAR})
    assert second[Q] == first[Q]
    assert second[P] != first[P]
    assert ask({P: NEAR}) == {P: first[P]}
    assert ask({P: NEAR}, timed=False) != {P: first[P]}
    assert [partitions for _, partitions in two.of[Side.SOURCE].asked] == [(P, Q), (P,), (P,)]
    assert two.of[Side.TARGET].asked == []


def test_an_end_stays_where_it_was_first_seen_and_the_high_watermark_is_asked_anew() -> None:
    logs = Remembered(Two()).cluster(Side.TARGET)
    first = logs.ranges([P])
    assert logs.ranges([P, Q]) == {P: first[P], Q: OffsetRange(start=0, end=20)}
    assert logs.ranges([P], committed=False)[P].end == 30


def test_what_was_aborted_is_never_given_for_what_was_committed() -> None:
    two = Two()
    logs = Remembered(two).cluster(Side.SOURCE)
    for committed in (True, False, True, False):
        logs.read({P: NEAR}, committed=committed)
    assert [what for what, _ in two.of[Side.SOURCE].asked] == ["read"] * 3


def test_beyond_the_bound_a_passage_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_MOST", 3)
    two = Two()
    logs = Remembered(two).cluster(Side.SOURCE)
    found = [logs.runs({P: NEAR, Q: NEAR})() for _ in range(2)]
    assert found[0] == found[1]
    assert two.of[Side.SOURCE].asked == [("runs", (P, Q)), ("runs", (Q,))]
