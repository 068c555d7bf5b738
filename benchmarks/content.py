"""The full content proof beside a bare consumer: records/s, MB/s, their ratio, and peak memory by topic size.

`./dev python benchmarks/content.py [--ten-million]` fills two clusters of its own with equal records, without a mirror.
Each figure is of a fresh process that reads both logs whole. The bare consumer is confluent-kafka's `consume`, with the
same settings as ours, one log after the other; it looks at no field but the value's length. Memory is the proof's
process with its workers, at its highest (resident bytes, counted every 50 ms). The CPU per record, of all that was
read, workers included, says what the figures would be on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

import psutil
from clusters import Filled, fill, two_clusters
from confluent_kafka import TopicPartition
from watch import Memory, processor

from kmigrate.adapters.kafka import Connection, KafkaCluster, Login
from kmigrate.adapters.kafka.messages import FLAT
from kmigrate.adapters.system import SystemClock
from kmigrate.model import Partition, Side
from kmigrate.probes.content import Ends, prove
from kmigrate.world import Reporter, World

_PARTITIONS = 8
_SIZE = 200
_BATCH = 2_000
_BUDGET = 0.5


@dataclass(frozen=True)
class BothSides:
    """As much of a world as a proof needs."""

    sides: Mapping[Side, KafkaCluster]
    clock: SystemClock
    reporter: Reporter

    def cluster(self, side: Side) -> KafkaCluster:
        """Read a cluster."""
        return self.sides[side]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one process counted: records of both sides, seconds, seconds of CPU, and its highest memory in MB."""

    records: int
    seconds: float
    cpu: float
    memory: float

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    @property
    def effort(self) -> float:
        """Microseconds of CPU per record."""
        return self.cpu * 1e6 / self.records


def bare(connections: Mapping[Side, Connection], topic: str) -> int:
    """Read both logs and compare nothing; returns how many records there were."""
    records = size = 0
    for connection in connections.values():
        consumer, left = connection.new_consumer(ahead=FLAT), _PARTITIONS
        consumer.assign([TopicPartition(topic, number, 0) for number in range(_PARTITIONS)])
        while left:
            for message in consumer.consume(_BATCH, 0.1):
                if message.error() is None:
                    records, size = records + 1, size + len(message.value() or b"")
                else:
                    left -= 1
        consumer.close()
    return records


def proof(connections: Mapping[Side, Connection], topic: str) -> int:
    """Prove that both sides are equal; returns how many records were read."""
    sides = {side: KafkaCluster(connection) for side, connection in connections.items()}
    world = cast("World", BothSides(sides, SystemClock(), Reporter()))
    wanted = [Partition(topic, number) for number in range(_PARTITIONS)]
    here, there = (world.cluster(side).ranges(wanted) for side in Side)
    found = prove(world, {p: Ends(source=here[p].end, target=there[p].end, seen=there[p].end) for p in wanted})
    if found.differences:
        raise RuntimeError(str(found.differences))
    return 2 * sum(each.records for each in found.compared.values())


def one(what: str, topic: str) -> None:
    """Be the fresh process: logins come on stdin, figures go to stdout."""
    connections = {Side(side): Connection(Login(**login)) for side, login in json.load(sys.stdin).items()}
    for connection in connections.values():
        connection.admin()
    memory, began = Memory(), time.perf_counter()
    memory.start()
    records = (bare if what == "bare" else proof)(connections, topic)
    seconds = time.perf_counter() - began
    memory.over.set()
    memory.join()
    print(json.dumps({"records": records, "seconds": seconds, "cpu": processor(), "memory": memory.most}))


def measured(sides: Mapping[Side, Filled], what: str, topic: str) -> Figures:
    """Run one fresh process."""
    logins = json.dumps({side: asdict(each.login) for side, each in sides.items()})
    argv = (sys.executable, __file__, "--one", what, topic)
    ended = subprocess.run(argv, input=logins, capture_output=True, text=True, check=True)
    return Figures(**json.loads(ended.stdout))


def row(sides: Mapping[Side, Filled], topic: str, name: str, runs: int) -> None:
    """Measure one topic, bare and proof by turns, and print its line; medians of the runs, the highest memory."""
    figures = [(measured(sides, "bare", topic), measured(sides, "proof", topic)) for _ in range(runs)]
    by_rate = statistics.median(each.rate for each, _ in figures)
    proven = statistics.median(each.rate for _, each in figures)
    ratio = statistics.median(each.rate / other.rate for other, each in figures)
    effort, ours = (statistics.median(each[which].effort for each in figures) for which in (0, 1))
    per_record = _SIZE + 12 + len("trace") + 8
    most = max(each.memory for _, each in figures)
    sign = "≥" if ratio >= _BUDGET else "below"
    print(
        f"{name:>22}  {by_rate:>10,.0f}  {proven:>10,.0f}  {by_rate * per_record / 1e6:>6.0f}"
        f"  {proven * per_record / 1e6:>6.0f}  {ratio:>5.2f} {sign:>5} {_BUDGET}"
        f"  {effort:>5.1f} µs  {ours:>5.1f} µs  {most:>6.0f} MB",
        flush=True,
    )


def main() -> None:
    """Fill, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ten-million", action="store_true", help="also 10,000,000 records: minutes, and 5 GB of disk")
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "TOPIC"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one)
        return
    print(f"{_PARTITIONS} partitions on each side, values of {_SIZE} bytes, TLS; per second, of both logs:")
    heads = ("bare /s", "proof /s", "MB/s", "MB/s", "ratio    ", "CPU bare", "CPU proof", "memory")
    print(f"{'records per side':>22}  {heads[0]:>10}  {heads[1]:>10}  " + "  ".join(f"{each:>6}" for each in heads[2:]))
    with two_clusters() as sides:
        fill(sides, "warm", partitions=_PARTITIONS, records=300_000, size=_SIZE)
        for _ in range(2):
            measured(sides, "bare", "warm")
        for count in (100_000, 1_000_000, *((10_000_000,) if asked.ten_million else ())):
            fill(sides, f"content-{count}", partitions=_PARTITIONS, records=count, size=_SIZE)
            row(sides, f"content-{count}", f"{count:,}", 3 if count <= 1_000_000 else 1)
        fill(sides, "keyed", partitions=_PARTITIONS, records=1_000_000, size=_SIZE, policy="compact")
        row(sides, "keyed", "1,000,000 by key", 1)
    ram = psutil.virtual_memory().total / 1e9
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {ram:.0f} GB, {platform.machine()}; load {load}"
    )


if __name__ == "__main__":
    main()
