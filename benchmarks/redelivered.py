"""Records given twice and lost by group: kmigrate, MirrorMaker 2's own sync, and translation by timestamps, on one run.

Two real Kafka clusters and a real exactly-once MirrorMaker 2, started by kmigrate's own phases; the truth comes from
the workload, which knows every record it wrote. `./dev python benchmarks/redelivered.py [--short | --json]` takes
two minutes; it ends with 4 when kmigrate lost a record, gave one twice at a proven position, or gave more of them twice
than it said at any other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from confluent_kafka.admin import AdminClient
from redelivery import checkpoints
from redelivery.estate import Estate, target_client
from redelivery.methods import Choices, Methods
from redelivery.outcome import Agreement, Outcome, Row, TopicFacts, rows_of, short, table, totals
from redelivery.truth import copies
from redelivery.workload import COMPACTED, KINDS, Sizes, Writer

from kmigrate import interrupt
from kmigrate.cli.draw import TerminalReporter
from kmigrate.errors import KmigrateError
from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Migration, Partition, Side
from kmigrate.wiring import LiveWorld
from kmigrate.world import Reporter

CAUGHT_UP, LIVE = "caught up", "live"
_LIVE_BEHIND = 3
_CLEANER_MS = 45_000


class Run:
    """One run on a lab that is up: what is written, and what every method chooses."""

    def __init__(self, folder: LabFolder, sizes: Sizes, behind: Sequence[int], traffic_s: int, tell: Reporter) -> None:
        self._sizes, self._traffic_s, self._reporter = sizes, traffic_s, tell
        self._began = time.monotonic()
        self._lags = {LIVE: _LIVE_BEHIND} | {f"{lag:,} behind": -(-lag // sizes.partitions) for lag in behind}
        groups = {_group(kind, lag): kind for kind in KINDS for lag in (CAUGHT_UP, *self._lags)}
        self._estate = Estate(folder, groups)
        self._writers: dict[str, Writer] = {}
        self._compaction = (0, 0)

    def measure(self) -> Outcome:
        """Write, mirror, ask, judge."""
        self._estate.make(self._sizes.partitions)
        self._writers = {kind: Writer(kind, self._sizes, self._estate.client) for kind in KINDS}
        self._stock()
        try:
            with self._estate.mirrored(self._reporter) as (world, migration):
                return self._mirrored(world, migration)
        finally:
            self._end()

    def _tell(self, text: str) -> None:
        self._reporter.note(f"{time.monotonic() - self._began:4.0f} s  {text}")

    def _stock(self) -> None:
        """Of the compacted topic one half early, so that compaction finds something before the mirror comes by."""
        half = self._sizes.stock // 2
        for kind, count in ((COMPACTED, half), *((kind, self._sizes.stock) for kind in KINDS if kind != COMPACTED)):
            self._writers[kind].stock(count)
            self._tell(f"{kind}: {count * self._sizes.partitions:,} records written")
        self._writers[COMPACTED].stock(self._sizes.stock - half)

    def _end(self) -> None:
        for writer in self._writers.values():
            writer.end()

    def _mirrored(self, world: LiveWorld, migration: Migration) -> Outcome:
        client = target_client(world)
        methods = Methods(world=world, migration=migration, target=AdminClient(dict(client)))
        asked = self._ask(world, methods)
        self._tell("the writers have ended; MirrorMaker 2's own checkpoints are asked for")
        checkpoints.start(world, migration, *forward_lanes(migration))
        compared = checkpoints.compare(world, migration, client, tuple(asked.values()))
        self._tell("they are told; the target is read")
        facts: list[TopicFacts] = []
        rows: list[Row] = []
        for kind, writer in self._writers.items():
            found = copies(client, kind, writer.logs, whole=kind != COMPACTED)
            for (topic, lag), choices in zip(asked, compared.asked, strict=True):
                if topic == kind:
                    rows += rows_of(topic, lag, choices, writer.logs, found)
            facts.append(
                TopicFacts(
                    topic=kind,
                    written=sum(map(len, writer.logs)),
                    aborted=writer.aborted,
                    on_target=sum(len(each.offsets) for each in found),
                )
            )
        rows.sort(key=lambda row: (KINDS.index(row.topic), row.lag != CAUGHT_UP))
        agreement = Agreement(agreed=compared.agreed, of=compared.of, differ=compared.differ)
        return Outcome(
            rows=tuple(rows),
            topics=tuple(facts),
            compaction=self._compaction,
            checkpoints=agreement,
            sizes=asdict(self._sizes),
        )

    def _ask(self, world: LiveWorld, methods: Methods) -> dict[tuple[str, str], Choices]:
        """Groups that are behind while writers go on, each stopped at its own moment; then those that caught up."""
        for writer in self._writers.values():
            writer.go_on()
        self._tell(f"writers go on; {self._traffic_s} s of it, then every group in turn")
        world.clock.sleep(self._traffic_s * 1000)
        self._await_compaction(world)
        asked: dict[tuple[str, str], Choices] = {}
        for lag, behind in self._lags.items():
            for kind, writer in self._writers.items():
                self._estate.stand(_group(kind, lag), kind, writer.positions(behind))
                asked[kind, lag] = methods.ask(_group(kind, lag), kind, self._sizes.partitions, quiet=False)
                self._tell(f"{kind}: the group that is {lag} was asked about")
        self._end()
        for kind in self._writers:
            partitions = [Partition(kind, number) for number in range(self._sizes.partitions)]
            ends = {p.number: log.end for p, log in world.cluster(Side.SOURCE).ranges(partitions).items()}
            self._estate.stand(_group(kind, CAUGHT_UP), kind, ends)
            asked[kind, CAUGHT_UP] = methods.ask(_group(kind, CAUGHT_UP), kind, self._sizes.partitions, quiet=True)
        return asked

    def _await_compaction(self, world: LiveWorld) -> None:
        """Until the source's cleaner has been at the compacted topic, which it looks at every fifteen seconds."""
        source, deadline = world.cluster(Side.SOURCE), world.clock.monotonic_ms() + _CLEANER_MS
        partitions = [Partition(COMPACTED, number) for number in range(self._sizes.partitions)]
        while True:
            left = sum(len(batch) for _, batch in source.stream(source.ranges(partitions)))
            written = sum(map(len, self._writers[COMPACTED].logs))
            self._compaction = (written, left)
            if left < 0.8 * written or world.clock.monotonic_ms() > deadline:
                return
            world.clock.sleep(2_000)


def _group(kind: str, lag: str) -> str:
    return f"{kind}-{lag.replace(' ', '-').replace(',', '')}"


def options() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--short", action="store_true", help="one line per group")
    parser.add_argument("--partitions", type=int, default=3, help="per topic (3)")
    parser.add_argument("--stock", type=int, default=80_000, help="records per partition written beforehand (80000)")
    parser.add_argument("--behind", default="1000,10000,100000", help="lags per topic (1000,10000,100000)")
    parser.add_argument("--keys", type=int, default=3_000, help="keys per partition of the compacted topic (3000)")
    parser.add_argument("--transaction", type=int, default=600, help="records in a transaction (600)")
    parser.add_argument("--bytes", type=int, default=100, help="bytes of a value (100)")
    parser.add_argument("--rate", type=int, default=300, help="records/s and topic of the writers that go on (300)")
    parser.add_argument("--traffic", type=int, default=20, help="seconds of traffic before the first group (20)")
    typed = parser.parse_args()
    typed.lags = [int(lag) for lag in typed.behind.split(",")]
    if max(typed.lags) >= typed.stock * typed.partitions:
        parser.error("a group cannot be further behind than there are records: raise --stock")
    return typed


def main() -> int:
    """Run, print, and say by the exit code whether kmigrate kept its word."""
    typed = options()
    sizes = Sizes(
        partitions=typed.partitions,
        stock=typed.stock,
        keys=typed.keys,
        transaction=typed.transaction,
        value_bytes=typed.bytes,
        rate=typed.rate,
    )
    interrupt.install()
    reporter = TerminalReporter()
    try:
        with tempfile.TemporaryDirectory(prefix="kmigrate-redelivered-", ignore_cleanup_errors=True) as place:
            folder = LabFolder(Path(place) / "lab")
            with compose.lab(folder, brokers=1, empty=True, reporter=reporter):
                outcome = Run(folder, sizes, typed.lags, typed.traffic, reporter).measure()
    except KmigrateError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    finally:
        reporter.close()
    if typed.json:
        print(json.dumps(outcome.told(), indent=1))
    else:
        print((short if typed.short else table)(outcome), "", totals(outcome), sep="\n")
    return 4 if outcome.broken() else 0


if __name__ == "__main__":
    sys.exit(main())
