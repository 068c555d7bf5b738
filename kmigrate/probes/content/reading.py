"""What a proof will read and what that costs, said before it begins; and how far it is while it goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kmigrate.model import OffsetRange, Partition, Side
from kmigrate.world import World

_SAMPLED = 8
"""Partitions of which the newest records are looked at, to learn how large a record is."""
_SAMPLE = 200
_TELL_EVERY_MS = 500
_GB = 1_000_000_000
_DEAREST_USD_PER_GB = 0.05
"""Confluent Cloud's dearest list price for what is read from it (`users-and-confluent-cloud.md` §6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """At most so many records on each side, since offsets have holes; bytes by the mean of a sample, uncompressed."""

    partitions: int
    records: int
    size: int

    def __str__(self) -> str:
        """One sentence for whoever decides."""
        egress = f"{_size(self.size)} of egress from the source"
        usd = self.size / _GB * _DEAREST_USD_PER_GB
        price = f"{usd:.2f} USD at Confluent's dearest list price" if usd >= 0.01 else "less than a cent"
        return (
            f"reads at most {self.records:,} records of {self.partitions} partitions on each side, about"
            f" {_size(self.size)} before compression; that is at most {egress}: {price}"
        )


def estimate(world: World, topics: Iterable[str]) -> Estimate:
    """What comparing the topics would read, if it began now."""
    source = world.cluster(Side.SOURCE)
    found = source.topics(topics)
    logs = source.ranges([partition for topic in found.values() for partition in topic.all()])
    spans = {p: log.end - log.start for p, log in logs.items() if log.end > log.start}
    whole = sum(spans.values())
    size = about_size(world, Side.SOURCE, spans, whole)
    return Estimate(partitions=len(logs), records=whole, size=size)


def about_size(world: World, side: Side, partitions: Iterable[Partition], records: int) -> int:
    """The bytes of so many records of these partitions, uncompressed, by the mean of the newest in the longest."""
    cluster = world.cluster(side)
    logs = {p: log for p, log in cluster.ranges(partitions).items() if log.end > log.start}
    longest = sorted(logs, key=lambda p: logs[p].end - logs[p].start, reverse=True)[:_SAMPLED]
    newest = {p: OffsetRange(start=max(logs[p].start, logs[p].end - _SAMPLE), end=logs[p].end) for p in longest}
    seen = [stretch for _, stretch in cluster.stretches(newest, _SAMPLE)] if newest else []
    count = sum(each.records for each in seen)
    return records * sum(each.size for each in seen) // count if count else 0


@dataclass(slots=True)
class Pace:
    """How far the comparing is: offsets passed of all there are on both sides, which is where records are at most."""

    world: World
    partitions: int
    whole: int
    done: int = 0
    size: int = 0
    equal: int = 0
    began_ms: int = field(init=False)
    told_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self.began_ms = self.told_ms = self.world.clock.monotonic_ms()

    def passed(self, offsets: int, size: int) -> None:
        """So many offsets and bytes more were read, on either side."""
        self.done, self.size = self.done + offsets, self.size + size
        now = self.world.clock.monotonic_ms()
        if now - self.told_ms >= _TELL_EVERY_MS:
            self.told_ms = now
            self.world.reporter.progress("comparing content", self.told(now - self.began_ms))

    def told(self, ms: int) -> str:
        """For humans; the time that is left at the pace since this call began."""
        counted = f"{self.equal} of {self.partitions} partitions equal, {self.done:,} of at most {self.whole:,} records"
        if ms <= 0 or not self.done:
            return counted
        rate, left = self.done * 1000 / ms, max(0, self.whole - self.done)
        return f"{counted}, {rate:,.0f} records/s, {_size(self.size * 1000 // ms)}/s, about {left / rate:.0f} s left"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
