"""The instances of an application in memory: they read where their settings point, as far as the ACLs let them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kmigrate.adapters.memory.clock import MemoryClock
from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.groups import MemoryGroups
from kmigrate.adapters.memory.state import State
from kmigrate.errors import StillUnderWay
from kmigrate.model import Application, Partition, Reads, Side
from kmigrate.world import WorkloadView

_AT_ONCE = 7


@dataclass(slots=True)
class MemoryWorkload(State):
    """One application (world.Workload); remembers, per group, the numbers of what it processed, in order.

    `comes_back` says that it died just now, and is started again by whoever watches over it, unless it is stopped.
    `held_up` it neither goes on nor leaves its groups; `mixed` its instances point to different places, `elsewhere` to
    an address that is neither side's; each verb takes its milliseconds.
    """

    app: Application
    addresses: Mapping[Side, str]
    clusters: dict[Side, MemoryCluster]
    groups: dict[Side, MemoryGroups]
    clock: MemoryClock
    death: Death
    side: Side = Side.SOURCE
    running: bool = True
    held_up: bool = False
    comes_back: bool = False
    mixed: bool = False
    elsewhere: str = ""
    stops_in_ms: int = 0
    switches_in_ms: int = 0
    starts_in_ms: int = 0
    processed: dict[tuple[str, Partition], list[int]] = field(default_factory=dict)

    def look(self) -> WorkloadView:
        """Whether it runs, and where its settings point."""
        return WorkloadView(
            running=self.running, bootstrap="" if self.mixed else self.elsewhere or self.addresses[self.side]
        )

    def stop(self, deadline_ms: int) -> None:
        """Stop it; its groups hear of that later."""
        self._take("stop", self.stops_in_ms, deadline_ms)
        with self.death.writing(f"stop of {self.app.name}", differs=self.running or self.comes_back):
            self.running = self.comes_back = False

    def switch(self, side: Side, deadline_ms: int) -> None:
        """Point it to a side."""
        self._take("switch", self.switches_in_ms, deadline_ms)
        with self.death.writing(f"switch of {self.app.name}", differs=self.mixed or self.side is not side):
            self.side, self.mixed = side, False

    def start(self, deadline_ms: int) -> None:
        """Start it; it joins its groups later."""
        self._take("start", self.starts_in_ms, deadline_ms)
        with self.death.writing(f"start of {self.app.name}", differs=not self.running):
            self.running = True

    def _take(self, verb: str, milliseconds: int, deadline_ms: int) -> None:
        self.clock.now += min(milliseconds, deadline_ms)
        if milliseconds > deadline_ms:
            raise StillUnderWay(f"{self.app.name} does not {verb}")

    def work(self) -> None:
        """A turn: join or leave, and read on."""
        if self.held_up:
            return
        self.running, self.comes_back = self.running or self.comes_back, False
        for reads in self.app.reads:
            for side, groups in self.groups.items():
                here = self.running and side is self.side and self._may(side, "group", reads.group)
                groups.members[reads.group] = (f"{self.app.name}-0",) if here else ()
                if here:
                    self._read_on(reads, side)

    def _read_on(self, reads: Reads, side: Side) -> None:
        held = self.groups[side].held_by.setdefault(reads.group, {})
        for topic in reads.topics:
            known = self.clusters[side].made.get(topic)
            for partition in known.all() if known and self._may(side, "topic", topic) else ():
                log = self.clusters[side].logs[partition]
                position = held.setdefault(partition, 0)
                committed = reads.isolation == "read_committed"
                for entry in log.visible(position, limit=_AT_ONCE, committed=committed):
                    self.processed.setdefault((reads.group, partition), []).append(entry.number)
                    held[partition] = entry.offset + 1

    def _may(self, side: Side, resource: str, name: str) -> bool:
        principal = self.app.principals[0]
        who = principal.source if side is Side.SOURCE else principal.target
        acls = self.clusters[side].acls
        return acls.allows(f"User:{who.removeprefix('User:')}", resource, name, "Read")
