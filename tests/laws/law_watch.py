"""What the laws notice of every write: whether it changes anything, and what is never allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from memory_estate import Estate

from kmigrate.adapters.memory import Watcher
from kmigrate.adapters.memory.lanes import Connector, forward, reverse
from kmigrate.model import Migration, Partition, Side

MOVES = ("cutover/", "rollback/")
TURNS = ("turn-mirror", "drain-mirror")
"""Steps that let a lane write once it is armed: the second where a move was cut short before the first."""
_HAVE_LANES = ("KafkaMirrorMaker2", "KafkaConnector")


class Declared(NamedTuple):
    """A kind of write on the source (design §1.6), and in which units and steps it may happen."""

    what: str
    units: tuple[str, ...]
    steps: tuple[str, ...]


DECLARED = (
    Declared("denial on the source", MOVES, ("fence-clients", "lift-fence")),
    Declared("transactional id ", ("cutover/",), ("stop-workloads",)),
    Declared("positions on the source", ("rollback/",), ("carry-positions",)),
    Declared("right of the mirror back ", ("provision", *MOVES), ("prepare-source", "hand-over-topics", *TURNS)),
    Declared("topic of the mirror back on the source", ("provision",), ("prepare-source",)),
)


@dataclass(slots=True)
class Watch(Watcher):
    """Counts changes, and notes what no line of the journal allows and what the design never allows (§9)."""

    estate: Estate
    changes: int = 0
    at_instant: Callable[[], None] | None = None
    unruly: list[str] = field(default_factory=list)
    _about_lanes: bool = False
    _lines: int = 0
    _lanes: tuple[str, tuple[str, ...]] = ("", ())

    def instant(self) -> None:
        lines = self.estate.lines.written
        if len(lines) != self._lines:
            self._lines = len(lines)
            if '"seams":{"' in lines[-1]:
                self._seams_are_ends(json.loads(lines[-1])["data"]["seams"])
        if self._about_lanes:  # before and after each write that asks something of a lane: nothing else turns one on
            self._one_direction()
            self._lanes_stay()
        if self.at_instant is not None:
            self.at_instant()

    def write(self, what: str, *, differs: bool) -> None:
        """The newest line of a step must say that the step was begun, or is undone."""
        self.changes += differs
        told = self._last_word()
        if told["event"] not in ("STARTED", "UNDOING"):
            self.unruly.append(f"{what}: the journal's last word is {told['event']}, not STARTED")
        unit, step = told.get("unit", ""), told.get("step", "")
        if "on the source" in what and not any(_allows(each, what, unit, step) for each in DECLARED):
            self.unruly.append(f"{what} in {unit}, {step}")
        self._about_lanes = what.startswith(_HAVE_LANES)
        if what.startswith("start of "):
            self._owned_where_it_starts(what.removeprefix("start of "))

    def refused(self, what: str) -> None:
        self.unruly.append(what)

    def _last_word(self) -> Mapping[str, str]:
        lines = map(json.loads, reversed(self.estate.lines.written))
        return next((told for told in lines if told["event"] != "FACT"), {"event": "nothing"})

    def _owned_where_it_starts(self, name: str) -> None:
        """No writer runs where the ledger on disk does not say that it may write, nor beside a mirror that may."""
        workload, owners = self.estate.workloads[name], self._owners()
        side = workload.side
        lanes = self.estate.mirror if side is Side.TARGET else self.estate.mirror.back
        for topic in workload.app.writes:
            if owners.get(topic, Side.SOURCE) is not side:
                self.unruly.append(f"{name} is started on the {side} before the ledger names it the owner of {topic}")
            acls = self.estate.clusters[side].acls
            mirrors = {lanes.principals.get(each.user, f"User:{each.user}") for each in lanes.asked if each.has(topic)}
            if any(acls.allows(mirror, "topic", topic, "Write") for mirror in mirrors):
                self.unruly.append(f"{name} is started on the {side} while a mirror may write {topic} there")

    def _seams_are_ends(self, seams: Mapping[str, Mapping[str, int]]) -> None:
        """When a hand-over is written down nothing is on its way: both logs end there, and no lane runs."""
        for name, seam in seams.items():
            partition = Partition.parse(name)
            for side, cluster in self.estate.clusters.items():
                log = cluster.logs[partition]
                if not log.stable == log.end == seam[side]:
                    told = f"stable up to {log.stable}, and the seam is {seam[side]}"
                    self.unruly.append(f"{partition} on the {side} ends at {log.end}, {told}")
            for lanes in (self.estate.mirror, self.estate.mirror.back):
                if any(lanes.runs(each.name) and each.has(partition.topic) for each in lanes.asked):
                    self.unruly.append(f"a lane runs while {partition} is handed over")

    def _owners(self) -> dict[str, Side]:
        """By the lines on disk alone."""
        facts: dict[str, Mapping[str, Mapping[str, str]]] = {}
        for line in map(json.loads, self.estate.lines.written):
            if line["event"] == "FACT" and "seams" in line["data"]:
                facts[line["unit"]] = line["data"]["seams"] or {}
        every = (seam for seams in facts.values() for seam in seams.items())
        return {Partition.parse(name).topic: Side(seam["owner"]) for name, seam in every}

    def _one_direction(self) -> None:
        """Neither asked for nor real: a lane counts as on until it is both asked to stop and stopped."""
        here, back = self.estate.mirror, self.estate.mirror.back
        there = (*_on(here.asked), *_on(_asked(self.estate, "KafkaMirrorMaker2")))
        again = (*_on(back.asked), *_on(_asked(self.estate, "KafkaConnector")))
        for topic in self.estate.migration.topics if there and again else ():
            if any(each.has(topic) for each in there) and any(each.has(topic) for each in again):
                self.unruly.append(f"both directions are on for {topic}")

    def _lanes_stay(self) -> None:
        """Within a move no lane comes or goes: that would roll the pods, or let one copy again from its start."""
        unit = self._last_word().get("unit", "")
        names = tuple(each.name for kind in _HAVE_LANES for each in _asked(self.estate, kind))
        if unit.startswith(MOVES) and unit == self._lanes[0] and names != self._lanes[1]:
            self.unruly.append(f"lanes come or go in {unit}: {self._lanes[1]} → {names}")
        self._lanes = (unit, names)


def _allows(each: Declared, what: str, unit: str, step: str) -> bool:
    return what.startswith(each.what) and unit.startswith(each.units) and step in each.steps


def _on(connectors: Iterator[Connector] | tuple[Connector, ...]) -> Iterator[Connector]:
    return (each for each in connectors if not each.stopped)


def _asked(estate: Estate, kind: str) -> Iterator[Connector]:
    """What the resources ask for now, whether their operator has looked or not."""
    for resource in estate.store.list(kind, estate.migration.target.namespace):
        yield from forward(resource) if kind == "KafkaMirrorMaker2" else (reverse(resource),)


def estate_of(migration: Migration) -> Estate:
    """The estate of a plan, without a target yet, under the eyes of the laws."""
    estate = Estate(migration, adopted=False)
    estate.death.watcher = Watch(estate)
    return estate


def watch_of(estate: Estate) -> Watch:
    watcher = estate.death.watcher
    assert isinstance(watcher, Watch)
    return watcher
