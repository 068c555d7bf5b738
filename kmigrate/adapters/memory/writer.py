"""A producer in memory: it writes as far as the ACLs let it, in transactions or without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.log import Log
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.transactions import MemoryTransactions
from kmigrate.model import Partition
from kmigrate.positions import digest

_NOBODY = -1


@dataclass(slots=True, kw_only=True)
class MemoryWriter(State):
    """One record per turn to each partition of its topics, numbered on from the last that committed readers may see.

    With a `transactional_id` a turn is a transaction, which stays open while the writer `hangs`; one that another took
    the id from is `fenced` for good. `refused` counts what the ACLs kept it from. `running` it works.
    """

    user: str
    cluster: MemoryCluster
    transactions: MemoryTransactions
    topics: tuple[str, ...]
    transactional_id: str = ""
    running: bool = True
    hangs: bool = False
    fenced: bool = False
    refused: int = 0
    _epoch: int = _NOBODY
    _busy: bool = False

    def work(self) -> None:
        """A turn."""
        if not self.running or self.fenced:
            return
        if self.transactional_id and not self._holds():
            return
        for partition in self._partitions():
            if self.cluster.acls.allows(f"User:{self.user}", "topic", partition.topic, "Write"):
                self._put(self.cluster.logs[partition])
            else:
                self.refused += 1
        if self._busy and not self.hangs:
            self.commit()

    def commit(self) -> bool:
        """End the transaction; False for one whose id another has taken. No right to the topics is asked for."""
        if not self._is_fenced() and self._busy:
            self.transactions.finish(self.transactional_id, commit=True)
            self._busy = False
        return not self.fenced

    def restart(self) -> None:
        """A new process: it takes its id again, and what was open is aborted."""
        self._epoch, self._busy, self.fenced = _NOBODY, False, False

    def _holds(self) -> bool:
        if self._epoch == _NOBODY:
            self._epoch = self.transactions.take(self.transactional_id)
        return not self._is_fenced()

    def _is_fenced(self) -> bool:
        self.fenced = self.fenced or not self.transactions.holds(self.transactional_id, self._epoch)
        return self.fenced

    def _partitions(self) -> Iterator[Partition]:
        known = self.cluster.topics(self.topics).values()
        return (partition for topic in known for partition in topic.all())

    def _put(self, log: Log) -> None:
        number = _next(log)
        if self.transactional_id and not self._busy:
            self.transactions.begin(self.transactional_id)
            self._busy = True
        told = digest(1_000 + number, b"k", str(number).encode())
        log.put(1_000 + number, told, number, transaction=self.transactional_id)


def _next(log: Log) -> int:
    numbered = (each.number for each in reversed(log.entries) if each.number >= 0 and each.offset not in log.aborted)
    return next(numbered, -1) + 1
