"""Transactions of a cluster in memory: who holds each transactional id, and what is open in the logs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kmigrate.adapters.memory.clock import MemoryClock
from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.errors import Blocked
from kmigrate.model import OpenTransaction, Partition

_UNKNOWN = -1


@dataclass(slots=True)
class MemoryTransactions(State):
    """Each id has one holder, that of the newest epoch (world.Transactions).

    `epochs` has the newest per id, in the order the ids were first used; `started` when a transaction began, ms;
    `withheld` are ids that kmigrate may not write.
    """

    side: str
    cluster: MemoryCluster
    clock: MemoryClock
    death: Death
    epochs: dict[str, int] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)
    _ours: dict[str, int] = field(default_factory=dict)

    def take(self, name: str) -> int:
        """A producer initialises the id: its epoch, which fences the one before and aborts what that had open."""
        for log in self.cluster.logs.values():
            if name in log.open_since:
                log.abort(name)
        self.started.pop(name, None)
        self.epochs[name] = self.epochs.get(name, _UNKNOWN) + 1
        return self.epochs[name]

    def holds(self, name: str, epoch: int) -> bool:
        """Whether that producer may still write."""
        return self.epochs.get(name) == epoch

    def begin(self, name: str) -> None:
        """The producer begins a transaction."""
        self.started[name] = self.clock.now_ms()

    def finish(self, name: str, *, commit: bool) -> None:
        """The producer ends it, wherever it wrote."""
        self.started.pop(name, None)
        for log in self.cluster.logs.values():
            if name in log.open_since:
                (log.commit if commit else log.abort)(name)

    def allowed(self, ids: Iterable[str]) -> None:
        """Raise Blocked for ids that kmigrate may not write."""
        refused = sorted(self.withheld & set(ids))
        if refused:
            rights = "kafka-acls.sh --add --allow-principal User:kmigrate --operation Write --operation Describe"
            raise Blocked(
                f"{self.side}: ending transactions of {', '.join(refused)}: User:kmigrate lacks Write on the id",
                hint="grant it: " + "; ".join(f"{rights} --transactional-id {name}" for name in refused),
            )

    def end(self, ids: Iterable[str]) -> None:
        """Take each id, one after the other."""
        wanted = sorted(set(ids))
        self.allowed(wanted)
        for name in wanted:
            differs = name not in self.epochs or self.epochs[name] != self._ours.get(name)
            with self.death.writing(f"transactional id {name} on the {self.side}", differs=differs):
                self._ours[name] = self.take(name)

    def open(self, partitions: Iterable[Partition]) -> tuple[OpenTransaction, ...]:
        """What the logs have open."""
        found = [
            self._told(partition, name, start)
            for partition in sorted(set(partitions))
            for name, start in self.cluster.logs[partition].open_since.items()
        ]
        return tuple(sorted(found, key=lambda each: (each.partition, each.start)))

    def _told(self, partition: Partition, name: str, start: int) -> OpenTransaction:
        known = list(self.epochs)
        return OpenTransaction(
            partition=partition,
            start=start,
            producer_id=known.index(name) if name in known else _UNKNOWN,
            epoch=self.epochs.get(name, 0),
            transactional_id=name,
            started_ms=self.started.get(name),
        )
