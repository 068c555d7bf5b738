"""Writes orders with two producers: an idempotent one, and a transactional one that takes back a tenth."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from kmigrate.lab.apps.audit import AuditFile, Stop, now_ms
from kmigrate.lab.apps.records import Drafts
from kmigrate.lab.apps.settings import Settings
from kmigrate.lab.apps.writer import TransactionalWriter, TransactionLostError, Writer, producer_config

APP = "storefront"
TOPIC = "orders"
PARTITIONS = 6
TICK_S = 0.1
PLAIN_PER_TICK = 13
TX_EVERY_TICKS = 5
PER_TX = 90
ABORT_EVERY = 10


class Storefront:
    """Both producers and what they will write next."""

    def __init__(self, settings: Settings, audit: AuditFile, stop: Stop) -> None:
        config = settings.client(APP)
        self._plain = Writer(producer_config(config), TOPIC, audit)
        self._tx = TransactionalWriter(producer_config(config, f"{APP}-0"), TOPIC, audit, stop)
        self._plain_drafts = Drafts(writer=f"{APP}.plain", run=audit.run, partitions=PARTITIONS)
        self._tx_drafts = Drafts(writer=f"{APP}.tx", run=audit.run, partitions=PARTITIONS)

    def tick(self, number: int) -> None:
        """Write what is due in one tenth of a second."""
        self._plain.send(self._plain_drafts.make(PLAIN_PER_TICK, now_ms()))
        self._plain.look()
        if number % TX_EVERY_TICKS == 0:
            self._transaction(number // TX_EVERY_TICKS)

    def close(self) -> None:
        """Wait a moment for the last reports."""
        self._plain.close()
        self._tx.close()

    def _transaction(self, number: int) -> None:
        tx = self._tx.begin()
        if tx is None:
            return
        self._tx.send(self._tx_drafts.make(PER_TX, now_ms()), tx)
        if number % ABORT_EVERY == 4:
            self._tx.abort()
            return
        try:
            self._tx.commit()
        except TransactionLostError:
            return  # noted; the customers of this transaction order again


def main(folder: Path) -> int:
    """Write until SIGTERM."""
    stop = Stop()
    settings = Settings.read(folder)
    audit = AuditFile(folder, settings.bootstrap)
    audit.add("started", app=APP, run=audit.run, reads=[], writes=[TOPIC], group="", isolation="")
    audit.flush()
    shop = Storefront(settings, audit, stop)
    number = 0
    while not stop:
        began = time.monotonic()
        shop.tick(number)
        audit.alive(0, reads=False)
        number += 1
        stop.wait_until(began + TICK_S)
    shop.close()
    audit.close("asked")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
