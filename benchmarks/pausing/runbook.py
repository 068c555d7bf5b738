"""What an operator gets with MirrorMaker 2's own sync (`sync.group.offsets`, KIP-545) and the usual runbook.

Stop the applications; wait until the mirror has copied what was there when they stopped; wait one interval more, so
that the sync may come by; point to the target; start. The sync is the real MirrorCheckpointConnector's. As look at the
mirror's lag Connect's own offsets are taken, the most exact there is; MirrorMaker 2 by itself shows a metric.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from redelivery import checkpoints

from kmigrate.manifests.lanes import forward_lanes
from kmigrate.manifests.users import Rule
from kmigrate.model import Lane, Partition, Side
from pausing.cells import Cell
from pausing.measuring import Bench, now
from pausing.truth import Verdict

_DEADLINE_MS = 120_000
_APART_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """A move by the runbook: how long its applications stood still (ms), what of it was waiting, what they were given.

    `lag` is the wait for the mirror, `interval` the one for the sync.
    """

    stood_still: int
    lag: int
    interval: int
    verdict: Verdict


def walk(bench: Bench, cells: Iterable[Cell], interval_s: int) -> dict[Cell, ByHand]:
    """Walk the runbook with every move, one setting out four seconds after the other, since most of it is waiting."""
    chosen = tuple(cells)
    lane = next(lane for lane in forward_lanes(bench.migration) if chosen[0].reads in lane.topics)
    _sync(bench, lane, chosen, interval_s)
    walks = _Walks(bench=bench, lane=lane, interval_s=interval_s)
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        begun = [pool.submit(walks.walk, cell, number * _APART_S) for number, cell in enumerate(chosen)]
        return {cell: each.result() for cell, each in zip(chosen, begun, strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walks:
    """Several moves on their way; `hand` is held by whoever looks at the mirror or runs a program of kmigrate's."""

    bench: Bench
    lane: Lane
    interval_s: int
    hand: threading.Lock = field(default_factory=threading.Lock)

    def walk(self, cell: Cell, after_s: float) -> ByHand:
        """One move, once its turn has come."""
        time.sleep(after_s)
        bench, began = self.bench, self.bench.feeder.ends(cell.reads)
        bench.estate.stand(cell, began)
        bench.start(cell)
        since = now()
        bench.stop_and_wait(cell, Side.SOURCE)
        ends = {Partition(cell.reads, number): end for number, end in bench.feeder.ends(cell.reads).items()}
        lag_since = time.monotonic()
        bench.wait(lambda: self._copied(ends), f"{cell} copied")
        lag = time.monotonic() - lag_since
        time.sleep(self.interval_s)
        with self.hand:
            bench.workload(cell).switch(Side.TARGET, _DEADLINE_MS)
            bench.workload(cell).start(_DEADLINE_MS)
        took = bench.stood_still(cell, since)
        verdict = bench.finish(cell, began)
        return ByHand(stood_still=took, lag=round(lag * 1000), interval=self.interval_s * 1000, verdict=verdict)

    def _copied(self, ends: Mapping[Partition, int]) -> bool:
        with self.hand:
            copied = self.bench.world.mirror.copied(self.lane)
        return all(copied.get(partition, -1) >= end - 1 for partition, end in ends.items())


def _sync(bench: Bench, lane: Lane, cells: Iterable[Cell], interval_s: int) -> None:
    """Add the checkpoint connector, with the rights to move these groups; Connect goes on with what it does."""
    settings = {
        "sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": str(interval_s),
        "emit.checkpoints.interval.seconds": str(interval_s),
        "groups": "m.*",
    }
    rules = [Rule(resource="group", name=g, operations=("Describe", "Read")) for cell in cells for g in cell.groups]
    rules += [Rule(resource="topic", name=name, operations=("Read",)) for name in sorted({c.reads for c in cells})]
    checkpoints.start(bench.world, bench.migration, lane, settings, rules)
