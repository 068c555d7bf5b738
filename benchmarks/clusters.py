"""Two real clusters of one broker each for a benchmark, filled directly: no mirror takes part."""

from __future__ import annotations

import random
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import Producer

from kmigrate.adapters.kafka import Login
from kmigrate.lab.operator.admin import ClusterAdmin, NewTopicWish
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.java import Jvm
from kmigrate.lab.runtime.kafka import KafkaCluster as Brokers
from kmigrate.lab.runtime.layout import ADMIN, PLAIN
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.source import CLIENT, source_layout
from kmigrate.model import Side
from kmigrate.world import Reporter

_BATCH = 10_000


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A cluster that runs, and how to sign in to it as its super user."""

    login: Login
    admin: ClusterAdmin


@contextmanager
def two_clusters() -> Iterator[dict[Side, Filled]]:
    """A source and a target, TLS and SASL on both; ended and removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder, clock, machine, ports = Path(name), LabClock(), Machine(), Ports()
        try:
            bench = Bench(
                folder=folder,
                machine=machine,
                ports=ports,
                jvm=_compiling(prepare(clock, Reporter())),
                certificates=make_certificates(folder / "pki", "both"),
                clock=clock,
                reporter=Reporter(),
            )
            yield {side: _started(bench, side) for side in Side}
        finally:
            machine.close()
            ports.close()


class CompilingJvm(Jvm):
    """A Java that compiles fully: the lab's quick start leaves TLS at 25 MB/s, and a benchmark would measure that."""

    def command(
        self, main_class: str, args: Sequence[str], *, heap_mb: int, kind: str = "", flags: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """The lab's argv without its limit."""
        argv = super().command(main_class, args, heap_mb=heap_mb, kind=kind, flags=flags)
        return tuple(each for each in argv if each != "-XX:TieredStopAtLevel=1")


def _compiling(jvm: Jvm) -> Jvm:
    return CompilingJvm(java=jvm.java, classpath=jvm.classpath)


def _started(bench: Bench, side: Side) -> Filled:
    password = secrets.token_urlsafe(18)
    layout = replace(source_layout(bench, brokers=1, users={ADMIN: password}, folder=bench.folder / side), name=side)
    Brokers(layout, bench).start()
    login = Login(
        name=str(side),
        bootstrap=layout.bootstrap(CLIENT),
        mechanism=PLAIN,
        username=ADMIN,
        password=password,
        ca=layout.certificates.ca.read_text(),
    )
    return Filled(login=login, admin=ClusterAdmin(layout.admin_config()))


def fill(
    sides: dict[Side, Filled], topic: str, *, partitions: int, records: int, size: int, policy: str = "delete"
) -> None:
    """Write the same records to both sides: a key of 12 bytes, a value of `size`, one header.

    Keys never repeat. The batches differ between the sides, as a mirror's do.
    """
    config = {"retention.ms": "-1", "cleanup.policy": policy}
    for number, (side, one) in enumerate(sides.items()):
        wish = NewTopicWish(name=topic, partitions=partitions, replicas=1, config=config)
        refused = one.admin.create_topics([wish])
        if any(refused.values()):
            raise RuntimeError(f"{side}: {refused}")
        _write(one.login, topic, partitions, records, size, linger_ms=20 + 30 * number)


def _write(login: Login, topic: str, partitions: int, records: int, size: int, *, linger_ms: int) -> None:
    producer = Producer(
        {
            **login.settings(),
            "linger.ms": linger_ms,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 200_000,
        }
    )
    noise = random.Random(7).randbytes(1_000_000)
    for number in range(records):
        place = number * 7919 % (len(noise) - size)
        while True:
            try:
                producer.produce(
                    topic,
                    key=b"key-%08d" % number,
                    value=noise[place : place + size],
                    headers=[("trace", b"%08d" % number)],
                    partition=number % partitions,
                    timestamp=1_700_000_000_000 + number,
                )
                break
            except BufferError:
                producer.poll(0.1)
        if number % _BATCH == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left:
        raise RuntimeError(f"{left} records were not written")
