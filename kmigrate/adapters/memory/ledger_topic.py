"""The ledger topic in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmigrate.adapters.claims import Fenced, Holder, Kept
from kmigrate.errors import Transient


@dataclass(slots=True)
class MemoryLedger:
    """What is in the topic, whoever writes; `epoch` counts writers, `away` while no broker answers."""

    epoch: int = 0
    holder: Holder | None = None
    lines: dict[int, str] = field(default_factory=dict)
    away: bool = False

    def reached(self) -> None:
        """Raise Transient while nobody answers."""
        if self.away:
            raise Transient("target: no broker answers")


@dataclass(slots=True)
class MemoryLedgerTopic:
    """One process's view of it (adapters.claims.LedgerTopic)."""

    ledger: MemoryLedger
    epoch: int = -1

    def read(self) -> Kept:
        """Everything."""
        self.ledger.reached()
        return Kept(holder=self.ledger.holder, lines=dict(self.ledger.lines))

    def fence(self) -> Kept:
        """Begin an epoch."""
        self.ledger.reached()
        self.ledger.epoch += 1
        self.epoch = self.ledger.epoch
        return self.read()

    def claim(self, holder: Holder) -> None:
        """Write the claim."""
        self._mine()
        self.ledger.holder = holder

    def append(self, number: int, line: str) -> None:
        """Write one line."""
        self._mine()
        self.ledger.lines[number] = line

    def close(self) -> None:
        """Nothing is open."""

    def _mine(self) -> None:
        self.ledger.reached()
        if self.epoch != self.ledger.epoch:
            raise Fenced("target: another writer came since")
