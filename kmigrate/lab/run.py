"""The whole story by itself: a lab, live traffic, one application across, back, across, and the auditor's word."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmigrate.engine import back, forward, run_unit
from kmigrate.journal import Journal
from kmigrate.lab import compose, shop
from kmigrate.lab.apps import control as apps
from kmigrate.lab.auditor.audit import Cluster, Verdict, audit
from kmigrate.lab.auditor.kafka_log import KafkaLog
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.outcome import Outcome, outcome
from kmigrate.lab.plan_file import CLUSTER, NAMESPACE
from kmigrate.lab.status import status
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Migration, Side
from kmigrate.plan import Plan, Unit
from kmigrate.planfile import load
from kmigrate.probes.drain import await_copies
from kmigrate.probes.resources import require
from kmigrate.story import story
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.wiring import LiveWorld, open_journal, open_world
from kmigrate.world import Key, Reporter

MOVES = "ml-features"
_TRAFFIC_MS = 8_000
_SETTLE_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What the walk works with."""

    folder: LabFolder
    migration: Migration
    plan: Plan
    journal: Journal
    world: LiveWorld

    def unit(self, name: str) -> Unit:
        """The unit of a phase."""
        unit = self.plan.phase(name).unit
        assert unit is not None
        return unit

    def do(self, unit: Unit | None) -> None:
        """Run a unit, as `kmigrate apply --yes` does."""
        assert unit is not None, f"{MOVES} is on the wrong side"
        run_unit(unit, self.world, self.journal)


def run(folder: Path | None, *, brokers: int, reporter: Reporter) -> Outcome:
    """Walk the whole story and take the lab down again, however it ends.

    Raises what the walk raises; the outcome has exit code 4 when anything was lost, given twice or out of order.
    """
    begun = time.monotonic()
    with _place(folder) as place:
        lab = LabFolder(place)
        try:
            compose.up(lab, brokers=brokers, empty=False, reporter=reporter, stay=False)
            reporter.note(f"the lab is up after {time.monotonic() - begun:.0f} s; traffic runs")
            with _walk(lab, reporter) as walk:
                _story(walk)
                _settle(walk)
                peak = status(lab).memory
                reporter.progress("auditor", "reads both logs and every application's file")
                return outcome(_audit(walk), elapsed_s=time.monotonic() - begun, memory=peak)
        finally:
            compose.down(lab, reporter)


def _story(walk: Walk) -> None:
    """Provision, replicate, across, back, and across again, traffic all the while."""
    _traffic(walk)
    walk.do(walk.unit("provision"))
    walk.do(walk.unit("replicate"))
    walk.do(forward(walk.plan, walk.journal, MOVES))
    _traffic(walk)
    way = back(walk.plan, walk.journal, MOVES)
    walk.do(way.unit if way is not None and not way.undo else None)
    _traffic(walk)
    walk.do(forward(walk.plan, walk.journal, MOVES))
    _traffic(walk)


def _traffic(walk: Walk) -> None:
    """Let the applications work for a while, and until the one that moves is well where it is."""
    walk.world.reporter.progress("traffic", f"{_TRAFFIC_MS // 1000} s of it")
    walk.world.clock.sleep(_TRAFFIC_MS)
    home = walk.folder.apps / MOVES

    def look() -> Ready[None] | NotYet:
        return Ready(None) if apps.is_healthy(home) else NotYet("not healthy yet")

    _wait(walk, look, f"{MOVES} at work")


def _settle(walk: Walk) -> None:
    """Stop the writers, then wait until everything written is copied and the moved application has read it."""
    for name in ("storefront", "order-service"):
        apps.steer(walk.folder.apps / name, "stopped")
    source = walk.world.cluster(Side.SOURCE)
    topics = source.topics(walk.migration.topics)
    ends = {p: log.end for p, log in source.ranges([p for t in topics.values() for p in t.all()]).items()}
    (lane,) = forward_lanes(walk.migration)
    seen = await_copies(walk.world, Side.SOURCE, ends, lane, what="last copies", deadline_ms=_SETTLE_MS)
    wanted = {p: at.offset for p, at in seen.positions.items() if at.offset is not None and p.topic in _reads(walk)}

    def look() -> Ready[None] | NotYet:
        there = walk.world.groups(Side.TARGET).positions(MOVES, wanted)
        behind = [p for p, offset in wanted.items() if (there[p] or 0) < offset]
        return NotYet(f"{len(behind)} partitions to read") if behind else Ready(None)

    _wait(walk, look, f"{MOVES} reads the rest")
    apps.steer(walk.folder.apps / MOVES, "stopped")


def _reads(walk: Walk) -> tuple[str, ...]:
    return walk.migration.application(MOVES).topics_read


def _audit(walk: Walk) -> Verdict:
    """The auditor signs in for itself, and reads only files and logs."""
    seen = status(walk.folder).facts["source"]
    assert isinstance(seen, Mapping)
    source = {"bootstrap": str(seen["bootstrap"]), "ca": Path(str(seen["ca"])).read_text()}
    clusters = (
        _cluster(Side.SOURCE, source, "PLAIN", shop.KMIGRATE, (walk.folder.credentials / shop.KMIGRATE).read_text()),
        _cluster(
            Side.TARGET, _target(walk), "SCRAM-SHA-512", compose.AUDITOR, _secret(walk, compose.AUDITOR, "password")
        ),
    )
    return audit(sorted(home for home in walk.folder.apps.iterdir() if (home / "audit").is_dir()), clusters)


def _cluster(side: Side, at: Mapping[str, str], mechanism: str, user: str, password: str) -> Cluster:
    client = {
        "bootstrap.servers": at["bootstrap"],
        "security.protocol": "SASL_SSL",
        "ssl.ca.pem": at["ca"],
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }
    return Cluster(name=str(side), log=KafkaLog(client), addresses=(at["bootstrap"],))


def _target(walk: Walk) -> Mapping[str, str]:
    kafka = require(walk.world, Key("Kafka", NAMESPACE, CLUSTER))
    listeners = kafka.status["listeners"]
    assert isinstance(listeners, Sequence)
    listener = listeners[0]
    assert isinstance(listener, Mapping)
    ca = _secret(walk, f"{CLUSTER}-cluster-ca-cert", "ca.crt")
    return {"bootstrap": str(listener["bootstrapServers"]), "ca": ca}


def _secret(walk: Walk, name: str, key: str) -> str:
    secret = walk.world.resources.get(Key("Secret", NAMESPACE, name))
    assert secret is not None, f"no Secret {name}"
    return str(secret.data[key])


def _wait(walk: Walk, look: Callable[[], Ready[None] | NotYet], what: str) -> None:
    wait_until(look, what=what, clock=walk.world.clock, reporter=walk.world.reporter, deadline_ms=_SETTLE_MS)


@contextmanager
def _walk(lab: LabFolder, reporter: Reporter) -> Iterator[Walk]:
    migration = load(lab.extra / "kmigrate.yaml")
    world = open_world(migration, reporter)
    try:
        yield Walk(folder=lab, migration=migration, plan=story(migration), journal=open_journal(migration), world=world)
    finally:
        world.close()


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """The folder asked for, or one that is gone afterwards."""
    if folder is not None:
        yield folder.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="kmigrate-lab-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
