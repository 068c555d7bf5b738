"""Writes clicks in transactions and takes back a tenth: traffic that goes on whatever else stands still."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from kmigrate.lab.apps.audit import AuditFile, Stop, now_ms
from kmigrate.lab.apps.records import Drafts
from kmigrate.lab.apps.settings import Settings
from kmigrate.lab.apps.writer import TransactionalWriter, TransactionLostError, producer_config

APP, TOPIC, PARTITIONS = "clicks", "clicks", 6
TICK_S = 0.5
PER_S = 320
MOST = 2_000
ABORT_EVERY = 10


def step(writer: TransactionalWriter, drafts: Drafts, number: int, waited_s: float) -> None:
    """One transaction with what was clicked meanwhile: people click as fast however slow the machine is."""
    tx = writer.begin()
    if tx is None:
        return
    writer.send(drafts.make(min(MOST, int(PER_S * waited_s)), now_ms()), tx)
    if number % ABORT_EVERY == 4:
        writer.abort()
        return
    try:
        writer.commit()
    except TransactionLostError:
        return  # noted; these clicks are lost to their users, as the file says


def main(folder: Path) -> int:
    stop = Stop()
    settings = Settings.read(folder)
    audit = AuditFile(folder, settings.bootstrap)
    audit.add("started", app=APP, run=audit.run, reads=[], writes=[TOPIC], group="", isolation="")
    audit.flush()
    writer = TransactionalWriter(producer_config(settings.client(APP), f"{APP}-0"), TOPIC, audit, stop)
    drafts, number, before = Drafts(writer=APP, run=audit.run, partitions=PARTITIONS), 0, time.monotonic()
    while not stop:
        began = time.monotonic()
        step(writer, drafts, number, began - before)
        audit.alive(0, reads=False)
        number, before = number + 1, began
        stop.wait_until(began + TICK_S)
    writer.close()
    audit.close("asked")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
