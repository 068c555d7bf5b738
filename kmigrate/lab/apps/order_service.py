"""Reads orders and writes shipments in transactions that carry the positions; takes back a tenth and repeats it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException

from kmigrate.lab.apps.audit import AuditFile, Stop, now_ms
from kmigrate.lab.apps.reader import Reader, Reading, positions_after
from kmigrate.lab.apps.records import Draft, Seen
from kmigrate.lab.apps.settings import Settings
from kmigrate.lab.apps.writer import TransactionalWriter, TransactionLostError, error_of, producer_config

READING = Reading(app="order-service", group="order-service", topic="orders")
TOPIC = "shipments"
ABORT_EVERY = 10
PAUSE_S = 0.1


@dataclass(slots=True)
class Shipping:
    """Turns orders into shipments, one for one, in order; twins of an order become twins of a shipment."""

    run: int
    _made: int = field(default=0, init=False)

    def drafts(self, batch: Sequence[Seen]) -> Iterator[Draft]:
        """The shipments of a batch; each try makes new identities, so that a record taken back can be told apart."""
        made: dict[tuple[int, str], Draft] = {}
        counts: dict[tuple[int, str], int] = {}
        for seen in batch:
            counts[seen.partition, seen.id] = counts.get((seen.partition, seen.id), 0) + 1
        for seen in batch:
            name = (seen.partition, seen.id)
            if name not in made:
                made[name] = self._one(seen, counts[name])
            yield made[name]

    def _one(self, seen: Seen, copies: int) -> Draft:
        identity = f"{READING.app}-{self.run}-{self._made}" + ("x2" if copies == 2 else "")
        self._made += 1
        return Draft(
            id=identity,
            seq=seen.seq,
            key=seen.key,
            value=None if seen.value is None else f'{{"shipment":"{identity}","of":"{seen.id}"}}'.encode(),
            headers=[("id", identity.encode()), ("seq", str(seen.seq).encode()), ("of", seen.id.encode())],
            timestamp=now_ms(),
            partition=seen.partition,
        )


class OrderService:
    """One reader, one transactional writer."""

    def __init__(self, settings: Settings, audit: AuditFile, stop: Stop) -> None:
        config = producer_config(settings.client(READING.app), f"{READING.app}-0")
        self._writer = TransactionalWriter(config, TOPIC, audit, stop)
        self._reader = Reader(settings, READING, audit)
        self._shipping = Shipping(audit.run)
        self._stop = stop
        self._attempts = 0
        self._lost = False

    def step(self) -> None:
        """Ship what was ordered since the last look."""
        # The reader waits for positions that an open transaction holds, so the transaction is ended before it asks.
        if not self._writer.ready():
            self._stop.wait_until(time.monotonic() + PAUSE_S)
            return
        if self._lost:
            self._reader.rewind()
            self._lost = False
        if batch := self._reader.poll():
            self._lost = not self._ship(batch)

    def _ship(self, batch: Sequence[Seen]) -> bool:
        self._attempts += 1
        if self._attempts % ABORT_EVERY == 0 and self._try(batch) is not None:
            self._writer.abort()
        if self._try(batch) is None:
            return False
        try:
            self._writer.commit(positions_after(batch), self._reader.consumer)
        except TransactionLostError:
            return False
        return True

    def close(self) -> None:
        """Leave the group and let go of the transaction."""
        self._reader.close()
        self._writer.close()

    def _try(self, batch: Sequence[Seen]) -> int | None:
        tx = self._writer.begin()
        if tx is not None:
            self._reader.note(batch, tx=tx)
            self._writer.send(self._shipping.drafts(batch), tx)
        return tx


def main(folder: Path) -> int:
    """Ship until SIGTERM; 1 when the consumer cannot go on."""
    stop = Stop()
    settings = Settings.read(folder)
    audit = AuditFile(folder, settings.bootstrap)
    audit.add(
        "started",
        app=READING.app,
        run=audit.run,
        reads=[READING.topic],
        writes=[TOPIC],
        group=READING.group,
        isolation=READING.isolation,
    )
    audit.flush()
    service = OrderService(settings, audit, stop)
    try:
        while not stop:
            service.step()
    except KafkaException as failure:
        audit.error(error_of(failure).name(), error_of(failure).str())
        audit.close("failed")
        return 1
    service.close()
    audit.close("asked")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
