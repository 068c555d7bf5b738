"""Translating 1,000 partitions x 5 lagging groups beside a bare consumer that fetches the same brackets.

`./dev python benchmarks/translation.py [--partitions 1000] [--groups 5]` fills two clusters of its own with equal
records, without a mirror, and makes up the syncs that a mirror would have told: one every 200 records. Each figure is
of a fresh process with those it starts. The bare consumer is confluent-kafka's `consume` with our settings; it reads
the brackets of one group after the other, the copies, then the originals, and looks at nothing but offsets.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

from clusters import Filled, fill, two_clusters
from confluent_kafka import TopicPartition
from watch import Memory, processor

from kmigrate.adapters.kafka import Connection, KafkaCluster, Login
from kmigrate.model import Grade, Lane, OffsetRange, Partition, Side, Sync
from kmigrate.positions import SyncIndex
from kmigrate.probes.translation import Translator
from kmigrate.world import World

_EACH, _SPACING, _SIZE, _BUDGET = 1_000, 200, 200, 1.5


@dataclass(frozen=True)
class Marks:
    """As much of a mirror as a translation needs."""

    partitions: int

    def syncs(self, lane: Lane) -> Mapping[Partition, SyncIndex]:
        """One sync every 200 records; both sides have the same offsets, and nobody relies on it."""
        return {Partition(topic, number): marks() for topic in lane.topics for number in range(self.partitions)}

    def once(self, lane: Lane) -> bool:
        """It would write exactly once, as the one that `replicate` makes."""
        return True


def marks() -> SyncIndex:
    """The syncs of one partition."""
    index = SyncIndex()
    for offset in range(0, _EACH, _SPACING):
        index.add(Sync(offset, offset))
    return index


@dataclass(frozen=True)
class BothSides:
    """As much of a world as a translation needs."""

    sides: Mapping[Side, KafkaCluster]
    mirror: Marks

    def cluster(self, side: Side) -> KafkaCluster:
        """Read a cluster."""
        return self.sides[side]


def positions(partitions: int, group: int, groups: int) -> dict[Partition, int]:
    """Where a group stands: somewhere between two syncs, the groups spread over the log."""
    base = _EACH * group // groups
    return {
        Partition("t", n): base // _SPACING * _SPACING + 1 + (n * 37 + group) % (_SPACING - 1)
        for n in range(partitions)
    }


def ours(logins: Mapping[Side, Login], partitions: int, groups: int) -> int:
    """Translate every group; how many positions were proven."""
    connections = {side: Connection(login) for side, login in logins.items()}
    world = BothSides({side: KafkaCluster(each) for side, each in connections.items()}, Marks(partitions))
    lane = Lane(name="l", direction="forward", source_alias="s", target_alias="t", topics=("t",))
    translator = Translator(world=cast("World", world), leaving=Side.SOURCE, lanes=(lane,), once=True)
    proven = 0
    for group in range(groups):
        wanted = positions(partitions, group, groups)
        found = translator.translate(wanted).positions
        proven += sum(at.grade is Grade.EXACT_PROVEN and at.offset == wanted[p] for p, at in found.items())
    for each in connections.values():
        each.close()
    return proven


def bare(logins: Mapping[Side, Login], partitions: int, groups: int) -> int:
    """Fetch the same brackets; how many records came."""
    connections = {side: Connection(login) for side, login in logins.items()}
    seen = 0
    for group in range(groups):
        wanted = positions(partitions, group, groups)
        brackets = {p: _bracket(at) for p, at in wanted.items()}
        for side in (Side.TARGET, Side.SOURCE):
            seen += _fetch(connections[side], brackets)
    return seen


def _bracket(position: int) -> OffsetRange:
    low = (position - 1) // _SPACING * _SPACING
    return OffsetRange(start=low, end=min(low + _SPACING + 1, _EACH))


def _fetch(connection: Connection, brackets: Mapping[Partition, OffsetRange]) -> int:
    consumer = connection.consumer()
    consumer.assign([TopicPartition(p.topic, p.number, bracket.start) for p, bracket in brackets.items()])
    ends = {p.number: bracket.end for p, bracket in brackets.items()}
    seen = 0
    while ends:
        first, done = consumer.poll(30.0), []
        for message in (first, *consumer.consume(2_000, 0.0)) if first is not None else ():
            number, offset = message.partition() or 0, message.offset() or 0
            end = ends.get(number)
            if end is None or message.error() is not None:
                continue
            seen += offset < end
            if offset >= end - 1:
                del ends[number]
                done.append(TopicPartition("t", number))
        if done:
            consumer.incremental_unassign(done)
    consumer.unassign()
    return seen


def measured(what: str, sides: Mapping[Side, Filled], partitions: int, groups: int) -> dict[str, float]:
    """Run one of both in a fresh process; seconds, peak memory (MB), bytes received, and its count."""
    told = json.dumps({str(side): asdict(one.login) for side, one in sides.items()})
    argv = [sys.executable, __file__, "--only", what, "--partitions", str(partitions), "--groups", str(groups)]
    ended = subprocess.run(argv, input=told, capture_output=True, text=True, check=True)
    return cast("dict[str, float]", json.loads(ended.stdout))


def one(what: str, partitions: int, groups: int) -> None:
    """What the fresh process does."""
    logins = {Side(side): Login(**raw) for side, raw in json.loads(sys.stdin.read()).items()}
    memory, began, cpu = Memory(), time.perf_counter(), processor()
    memory.start()
    count = (ours if what == "ours" else bare)(logins, partitions, groups)
    seconds = time.perf_counter() - began
    memory.over.set()
    memory.join()
    print(json.dumps({"seconds": seconds, "cpu": processor() - cpu, "mb": memory.most, "count": count}))


def _told(took: Mapping[str, float]) -> str:
    return f"{took['seconds']:5.1f} s, {took['cpu']:5.1f} s of processor, at most {took['mb']:.0f} MB"


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--partitions", type=int, default=1_000)
    asked.add_argument("--groups", type=int, default=5)
    asked.add_argument("--only", choices=("ours", "bare"))
    args = asked.parse_args()
    if args.only:
        one(args.only, args.partitions, args.groups)
        return
    with two_clusters() as sides:
        fill(sides, "t", partitions=args.partitions, records=args.partitions * _EACH, size=_SIZE)
        runs = [
            (
                measured("bare", sides, args.partitions, args.groups),
                measured("ours", sides, args.partitions, args.groups),
            )
            for _ in range(3)
        ]
    for number, (floor, took) in enumerate(runs, 1):
        wall, cpu = took["seconds"] / floor["seconds"], took["cpu"] / floor["cpu"]
        print(f"run {number}: bare consumer {_told(floor)}, {floor['count']:,.0f} records")
        print(f"       translation   {_told(took)}, {took['count']:,.0f} of {args.partitions * args.groups:,} proven")
        print(f"       ratio {wall:.2f} (processor {cpu:.2f}) of a budget of {_BUDGET}")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; load {load}")


if __name__ == "__main__":
    main()
