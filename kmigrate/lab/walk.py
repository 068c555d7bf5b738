"""A walk over a running lab: its plan, its world, letting traffic settle, and asking the auditor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kmigrate.lab import compose, shop
from kmigrate.lab.apps import control as apps
from kmigrate.lab.auditor.audit import NO_WINDOWS, Cluster, Verdict, audit
from kmigrate.lab.auditor.kafka_log import KafkaLog, client_settings
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.outcome import MirrorsOwn, Move
from kmigrate.lab.plan_file import CLUSTER, NAMESPACE
from kmigrate.lab.status import status
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Lane, Migration, Partition, Side
from kmigrate.planfile import load
from kmigrate.probes.drain import await_copies
from kmigrate.probes.ownership import in_force, origin
from kmigrate.probes.resources import require
from kmigrate.probes.standing import mirrors_choices
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.wiring import LiveWorld, open_world
from kmigrate.world import Key, Reporter

MOVES = "ml-features"
_DEADLINE_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A lab that is up, with the migration that its plan file describes."""

    folder: LabFolder
    migration: Migration
    world: LiveWorld

    def traffic(self, milliseconds: int) -> None:
        """Let the applications work for a while, and until the first that moves is well where it is."""
        self.world.reporter.progress("traffic", f"{milliseconds / 1000:.0f} s of it")
        self.world.clock.sleep(milliseconds)
        home = self.folder.apps / MOVES
        self._wait(lambda: Ready(None) if apps.is_healthy(home) else NotYet("not healthy yet"), f"{MOVES} at work")

    def settle(self, moved: Iterable[str] = (MOVES,)) -> None:
        """Stop the writers, wait until all is copied and the first that moved has read it, and stop all that moved.

        The others are audited as far as they came: search-indexer is slow on purpose.
        """
        for name in ("storefront", "order-service"):
            apps.steer(self.folder.apps / name, "stopped")
        ends = self._last_positions()
        for reads in self.migration.application(MOVES).reads:
            wanted = {p: offset for p, offset in ends.items() if p.topic in reads.topics}
            self._wait(partial(self._read_up, reads.group, wanted), f"{MOVES} reads the rest")
        for name in moved:
            apps.steer(self.folder.apps / name, "stopped")

    def audit(self, windows: Mapping[str, tuple[int, int]] = NO_WINDOWS) -> Verdict:
        """Ask the auditor, who signs in for itself and reads only the applications' files and both logs.

        `windows`: by application, the stretch of time (ms since the epoch) whose records are counted apart.
        """
        seen = status(self.folder).facts["source"]
        assert isinstance(seen, Mapping)
        ca = Path(str(seen["ca"])).read_text()
        password = (self.folder.credentials / shop.KMIGRATE).read_text()
        source = (str(seen["bootstrap"]), ca, ("PLAIN", shop.KMIGRATE, password))
        homes = sorted(home for home in self.folder.apps.iterdir() if (home / "audit").is_dir())
        with _cluster(Side.SOURCE, *source) as left, _cluster(Side.TARGET, *self._target()) as entered:
            return audit(homes, (left, entered), windows=windows)

    def mirrors_own(self, move: Move) -> MirrorsOwn:
        """What MirrorMaker 2's own sync would have done for the groups of a move, by the syncs it has told so far."""
        repeats = without = 0
        for group in move.groups:
            carried = move.carried(group)
            choices = mirrors_choices(self.world, carried, forward_lanes(self.migration))
            repeats += sum(choice.repeats for choice in choices.values())
            without += len(carried) - len(choices)
        return MirrorsOwn(repeats=repeats, without=without)

    def _read_up(self, group: str, wanted: Mapping[Partition, int]) -> Ready[None] | NotYet:
        there = self.world.groups(Side.TARGET).positions({group: wanted}, stable=False)[group]
        behind = [p for p, offset in wanted.items() if (there[p] or 0) < offset]
        return NotYet(f"{len(behind)} partitions to read") if behind else Ready(None)

    def _last_positions(self) -> dict[Partition, int]:
        """Where on the target a reader stands once it has read all that the source holds now."""
        found: dict[Partition, int] = {}
        for lane in forward_lanes(self.migration):
            found |= self._last_in(lane)
        return found

    def _last_in(self, lane: Lane) -> dict[Partition, int]:
        """Of one lane, once all is copied from where it is written."""
        force = in_force(self.world, lane)
        side = origin(force)
        owner = self.world.cluster(side)
        topics = owner.topics(lane.topics)
        ends = dict(owner.ends([p for t in topics.values() for p in t.all()]))
        seen = await_copies(self.world, side, ends, force, what="last copies", deadline_ms=_DEADLINE_MS)
        if side is Side.TARGET:
            return {p: last + 1 for p, last in seen.last.items()}
        return {p: at.offset for p, at in seen.positions.items() if at.offset is not None}

    def _target(self) -> tuple[str, str, tuple[str, str, str]]:
        kafka = require(self.world, Key("Kafka", NAMESPACE, CLUSTER))
        listeners = kafka.status["listeners"]
        assert isinstance(listeners, Sequence)
        listener = listeners[0]
        assert isinstance(listener, Mapping)
        ca = self._secret(f"{CLUSTER}-cluster-ca-cert", "ca.crt")
        login = ("SCRAM-SHA-512", compose.AUDITOR, self._secret(compose.AUDITOR, "password"))
        return str(listener["bootstrapServers"]), ca, login

    def _secret(self, name: str, key: str) -> str:
        with compose.resources(self.folder) as store:
            secret = store.get(Key("Secret", NAMESPACE, name))
        assert secret is not None, f"no Secret {name}"
        return str(secret.data[key])

    def _wait(self, look: Callable[[], Ready[None] | NotYet], what: str) -> None:
        wait_until(look, what=what, clock=self.world.clock, reporter=self.world.reporter, deadline_ms=_DEADLINE_MS)


@contextmanager
def walking(folder: LabFolder, reporter: Reporter) -> Iterator[Walk]:
    """Open the plan file of a running lab and its world; close what was opened."""
    migration = load(folder.extra / "kmigrate.yaml")
    world = open_world(migration, reporter)
    try:
        yield Walk(folder=folder, migration=migration, world=world)
    finally:
        world.close()


@contextmanager
def _cluster(side: Side, bootstrap: str, ca: str, login: tuple[str, str, str]) -> Iterator[Cluster]:
    log = KafkaLog(client_settings(bootstrap, ca, login))
    try:
        yield Cluster(name=str(side), log=log, addresses=(bootstrap,))
    finally:
        log.close()
