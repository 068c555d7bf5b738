"""The applications of the benchmark in one process, a thread each: `python station.py FOLDER`.

Every folder in FOLDER/apps is an application: `wants.json` says what it reads and writes, `ask` and `told` are pipes
of `control.sh`, `view` is what `healthy` prints. It notes down in `read` every record it worked on (partition, number),
and in `events` when it was asked to stop or start, and when it worked on its first record after that.

An application that writes takes part in a transaction per batch: what it wrote, and where it stands, commit as one.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from confluent_kafka import Consumer, Message, Producer, TopicPartition

_CALL_S = 30.0
_BATCH, _POLL_S = 500, 0.1
_COMMIT_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What an application reads and writes; `writes` is empty for one that only reads."""

    group: str
    reads: str
    writes: str = ""
    transactional_id: str = ""


@dataclass(slots=True)
class Application:
    """One application: its settings, and its thread while it runs."""

    home: Path
    wants: Wants
    settings: dict[str, str]
    going: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def told(self, line: str) -> None:
        """Do what was asked for, and answer once it is done; a stop is answered by the thread that ends."""
        verb, _, path = line.strip().partition(" ")
        self.event(verb)
        if verb == "stop" and self.thread is not None:
            self.going.clear()
            return
        if verb == "start" and self.thread is None:
            self.going.set()
            self.thread = threading.Thread(target=self._run, daemon=True, name=self.home.name)
            self.thread.start()
        if verb == "switch":
            self.settings = json.loads(Path(path).read_text())
        self.show()
        self.answer("done")

    def show(self) -> None:
        """Write what `healthy` prints."""
        view = {"running": self.thread is not None, "bootstrap": self.settings["bootstrap"]}
        (self.home / "view.new").write_text(json.dumps(view))
        (self.home / "view.new").replace(self.home / "view")

    def answer(self, word: str) -> None:
        """To whoever asked last."""
        with (self.home / "told").open("w") as pipe:
            pipe.write(f"{word}\n")

    def event(self, what: str) -> None:
        """Note down when something was asked for, or happened (ms since the epoch)."""
        with (self.home / "events").open("a") as events:
            events.write(f"{time.time_ns() // 1_000_000} {what}\n")

    def _run(self) -> None:
        failed = ""
        try:
            with (self.home / "read").open("a") as noted:
                (self._write_on if self.wants.writes else self._read_on)(noted)
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
            self.event(f"failed {failed}")
        asked = not self.going.is_set()
        self.thread = None
        self.show()
        if asked:
            self.answer(failed.replace("\n", " ") or "done")

    def _read_on(self, noted: IO[str]) -> None:
        consumer = self._consumer()
        first = True
        while self.going.is_set():
            batch = _whole(consumer.consume(_BATCH, _POLL_S))
            if batch:
                consumer.commit(asynchronous=False)
                first = self._note(noted, batch, first=first)
        consumer.close()

    def _write_on(self, noted: IO[str]) -> None:
        producer = Producer({**_client(self.settings), "transactional.id": self.wants.transactional_id})
        producer.init_transactions(_CALL_S)
        consumer = self._consumer()
        first = True
        while self.going.is_set():
            batch = _whole(consumer.consume(_BATCH, _COMMIT_S))
            if batch:
                producer.begin_transaction()
                for message in batch:
                    made = f"{self.home.name} {message.partition()} {_number(message)}"
                    producer.produce(self.wants.writes, made, partition=message.partition() or 0)
                stands = {message.partition() or 0: (message.offset() or 0) + 1 for message in batch}
                offsets = [TopicPartition(self.wants.reads, number, at) for number, at in stands.items()]
                producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _CALL_S)
                producer.commit_transaction(_CALL_S)
                first = self._note(noted, batch, first=first)
        consumer.close()

    def _note(self, noted: IO[str], batch: Sequence[Message], *, first: bool) -> bool:
        if first:
            self.event("first")
        noted.writelines(f"{message.partition()} {_number(message)}\n" for message in batch)
        noted.flush()
        return False

    def _consumer(self) -> Consumer:
        consumer = Consumer(
            {
                **_client(self.settings),
                "group.id": self.wants.group,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
            }
        )
        consumer.subscribe([self.wants.reads])
        return consumer


def _whole(batch: Sequence[Message]) -> list[Message]:
    return [message for message in batch if message.error() is None]


def _number(message: Message) -> str:
    value = message.value()
    return value.decode() if isinstance(value, bytes) else str(value)


def _client(settings: dict[str, str]) -> dict[str, str]:
    return {
        "bootstrap.servers": settings["bootstrap"],
        "security.protocol": settings["protocol"],
        "sasl.mechanism": settings["mechanism"],
        "sasl.username": settings["username"],
        "sasl.password": settings["password"],
        "ssl.ca.pem": settings["ca"],
        "log_level": "2",
    }


def main(folder: Path) -> None:
    """Serve every application until stdin closes: then whoever started us has ended, however it ended."""
    asked: dict[int, Application] = {}
    for home in sorted((folder / "apps").iterdir()):
        told = json.loads((home / "wants.json").read_text())
        application = Application(home, Wants(**told["wants"]), told["settings"])
        application.show()
        asked[os.open(home / "ask", os.O_RDWR)] = application
    (folder / "ready").touch()
    while True:
        for number in select.select([0, *asked], [], [])[0]:
            if number == 0:
                return
            for line in os.read(number, 4_096).decode().splitlines():
                asked[number].told(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
