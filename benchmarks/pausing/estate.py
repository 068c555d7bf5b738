"""An empty lab made into the estate of the benchmark: topics, users, rights, plan file, and who writes the feeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kmigrate.lab import control, shop
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.kubernetes.part import USER
from kmigrate.lab.plan_file import target_of
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.shop import Right
from kmigrate.world import Reporter
from pausing.cells import RUNBOOKS_TOPIC, WRITING, Cell

CONTROL = Path(__file__).with_name("control.sh")
STATION = Path(__file__).with_name("station.py")
_CALL_S = 30.0
_READY_S = 60.0


@contextmanager
def lab(
    folder: LabFolder, cells: Sequence[Cell], reporter: Reporter, *, kubernetes: bool = False, operator_ms: int = 0
) -> Iterator[None]:
    """An empty lab with a user per application, taken down with the block; as `control.up`."""
    users = [*shop.PRINCIPALS, *(_user(name) for cell in cells for name in cell.declared)]
    up = control.up(
        folder,
        brokers=1,
        users=users,
        empty=True,
        clock=LabClock(),
        reporter=reporter,
        stay=False,
        module="kmigrate.lab.compose",
        kubernetes=kubernetes,
        operator_ms=operator_ms,
    )
    try:
        yield
    finally:
        up.down(clock=LabClock(), reporter=reporter)


class Estate:
    """The source of a running lab, signed in to as its administrator, and the applications beside it."""

    def __init__(self, folder: LabFolder, cells: Sequence[Cell]) -> None:
        facts = folder.read()["facts"]
        assert isinstance(facts, Mapping)
        source = facts["source"]
        assert isinstance(source, Mapping)
        admin = source["admin"]
        assert isinstance(admin, Mapping)
        self.folder, self.cells = folder, cells
        self._bootstrap, self._ca = str(source["bootstrap"]), Path(str(source["ca"]))
        password = Path(str(admin["password_file"])).read_text()
        self.client = {
            "bootstrap.servers": str(admin["bootstrap"]),
            "security.protocol": "SASL_SSL",
            "ssl.ca.pem": self._ca.read_text(),
            "sasl.mechanism": "PLAIN",
            "sasl.username": str(admin["username"]),
            "sasl.password": password,
            "log_level": "2",
        }
        self._admin = AdminClient(dict(self.client))
        self.plan = folder.extra / "kmigrate.yaml"
        self.place = folder.extra / "station"

    @property
    def _kubeconfig(self) -> Path | None:
        """With which kmigrate signs in where the target is, where that is an API server."""
        place = self.folder.kubernetes / f"{USER}.kubeconfig"
        return place if place.exists() else None

    @property
    def feeds(self) -> dict[str, int]:
        """The topics that are written throughout, and their partitions."""
        return {cell.reads: cell.partitions for cell in self.cells}

    @property
    def made(self) -> dict[str, int]:
        """The topics that the applications write, and their partitions."""
        return {
            cell.writes: 100 if cell.writes == RUNBOOKS_TOPIC else cell.partitions for cell in self.cells if cell.writes
        }

    def make(self) -> None:
        """Make topics, rights, the plan file, and a folder per application."""
        topics = [NewTopic(name, count, 1) for name, count in (self.feeds | self.made).items()]
        for future in self._admin.create_topics(topics, operation_timeout=_CALL_S).values():
            future.result(_CALL_S)
        shop.grant(self._admin, tuple(self._rights()))
        self.folder.extra.mkdir(mode=0o700, exist_ok=True)
        self.plan.write_text(json.dumps(self._plan(), indent=1))
        for cell in self.cells:
            for member in cell.members:
                self._install(cell, member)

    def stand(self, cell: Cell, positions: Mapping[int, int]) -> None:
        """Put the groups of a move where they would stand had they read so far; they have no members."""
        for group in cell.groups:
            wanted = [TopicPartition(cell.reads, number, offset) for number, offset in positions.items()]
            deadline = time.monotonic() + _READY_S
            while refused := self._commit(group, wanted):  # a cluster that was just made has no coordinators yet
                assert time.monotonic() < deadline, refused
                time.sleep(0.2)

    def _commit(self, group: str, wanted: list[TopicPartition]) -> list[str]:
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
        return [str(each.error) for each in asked[group].result(_CALL_S).topic_partitions if each.error]

    @contextmanager
    def station(self) -> Iterator[None]:
        """The process that has all applications; none runs yet."""
        argv = [sys.executable, str(STATION), str(self.place)]
        with (self.place / "log").open("w") as log:
            running = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _READY_S
            while not (self.place / "ready").exists():
                assert time.monotonic() < deadline, "the station did not start"
                time.sleep(0.05)
            yield
        finally:
            assert running.stdin is not None
            running.stdin.close()
            running.wait(_READY_S)

    def home(self, member: str) -> Path:
        """The folder of an application."""
        return self.place / "apps" / member

    def _install(self, cell: Cell, member: str) -> None:
        home, user = self.home(member), _user(cell.owner(member))
        home.mkdir(parents=True, mode=0o700)
        wants = {"group": cell.group(member), "reads": cell.reads}
        wants |= {"writes": cell.writes, "transactional_id": member} if cell.writes else {}
        settings = {
            "bootstrap": self._bootstrap,
            "protocol": "SASL_SSL",
            "mechanism": "PLAIN",
            "username": user,
            "password": (self.folder.credentials / user).read_text(),
            "ca": self._ca.read_text(),
        }
        (home / "wants.json").write_text(json.dumps({"wants": wants, "settings": settings}))
        for pipe in ("ask", "told"):
            os.mkfifo(home / pipe, 0o600)
        for kept in ("read", "events"):
            (home / kept).touch()

    def _rights(self) -> Iterator[Right]:
        for cell in self.cells:
            for member in cell.declared:
                user = _user(member)
                yield Right(principal=user, resource="group", name=cell.group(member), operation="read")
                yield Right(principal=user, resource="topic", name=cell.reads, operation="read")
                if cell.writes:
                    yield Right(principal=user, resource="topic", name=cell.writes, operation="write")
                    for operation in ("write", "describe"):
                        yield Right(principal=user, resource="transactional_id", name=member, operation=operation)

    def _plan(self) -> dict[str, object]:
        def login(user: str) -> dict[str, object]:
            return {"type": "plain", "username": user, "password": {"file": str(self.folder.credentials / user)}}

        writing = {cell.writes for cell in self.cells if cell.writes}
        feeder = {
            "name": "feeder",
            "writes": sorted(self.feeds),
            "principals": [{"source": "User:feeder", "target": "feeder"}],
        }
        return {
            "apiVersion": "kmigrate/v1alpha1",
            "kind": "Migration",
            "metadata": {"name": "pausing"},
            "source": {"bootstrapServers": self._bootstrap, "auth": login(shop.KMIGRATE), "ca": str(self._ca)},
            "target": target_of(self._kubeconfig),
            "topics": {"include": sorted(self.feeds | self.made)},
            "applications": [feeder, *(self._application(cell, name) for cell in self.cells for name in cell.declared)],
            "mirror": {
                "forward": {"auth": login(shop.MIRROR_FORWARD)},
                "reverse": {"auth": login(shop.MIRROR_REVERSE)},
                "lanes": len(writing) + 2,
            },
            "policy": {"maxPause": "5m", "soak": "1s"},
        }

    def _application(self, cell: Cell, member: str) -> dict[str, object]:
        user = _user(member)
        homes = [str(self.home(each)) for each in cell.declared[member]]
        credential = {"username": user, "password": {"file": str(self.folder.credentials / user)}}
        verbs = ("stop", "switch", "start", "healthy")
        more = {"writes": [cell.writes], "transactionalIds": [member]} if cell.kind == WRITING else {}
        return {
            "name": member,
            "reads": [{"topics": [cell.reads], "group": cell.group(member)}],
            "principals": [{"source": f"User:{user}", "sourceAuth": credential, "target": member}],
            "workloads": [
                {"kind": "command", **{verb: [str(CONTROL), home, verb] for verb in verbs}} for home in homes
            ],
            **more,
        }


class Feeder:
    """Writes every feed throughout, partition by partition in turn; the number of a record is its offset."""

    def __init__(self, estate: Estate, rate: int) -> None:
        self._rate, self._feeds = rate, estate.feeds
        self._producer = Producer({**estate.client, "enable.idempotence": "true", "linger.ms": "5"})
        self._made = dict.fromkeys(self._feeds, 0)
        self._there: dict[str, Counter[int]] = {name: Counter() for name in self._feeds}
        self._failed: list[KafkaError] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_on, daemon=True, name="feeder")

    def stock(self, each: int) -> None:
        """Write so many records into every partition."""
        for name, count in self._feeds.items():
            for _ in range(each):
                self._some(name, count)
        assert not self._producer.flush(_CALL_S)

    def go_on(self) -> None:
        """Write on in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop writing; raises where a record was refused."""
        self._ended.set()
        self._thread.join(_CALL_S)
        assert not self._producer.flush(_CALL_S)
        assert not self._failed, self._failed[0]

    def ends(self, topic: str) -> dict[int, int]:
        """By partition, how many records were acknowledged: where whoever has read them all stands."""
        return {number: self._there[topic][number] for number in range(self._feeds[topic])}

    def _write_on(self) -> None:
        pace = 0.05
        while not self._ended.wait(pace):
            for name in self._feeds:
                self._some(name, max(1, round(self._rate * pace)))

    def _some(self, topic: str, count: int) -> None:
        """The next so many records; partitions take turns."""
        for turn in range(self._made[topic], self._made[topic] + count):
            number, partition = divmod(turn, self._feeds[topic])
            self._producer.produce(topic, str(number), partition=partition, on_delivery=self._told)
        self._made[topic] += count
        self._producer.poll(0)

    def _told(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error)
            return
        topic, number = message.topic(), message.partition()
        assert topic is not None
        assert number is not None
        assert message.offset() == self._there[topic][number], "the number of a record is its offset"
        self._there[topic][number] += 1


def _user(member: str) -> str:
    return f"sa-{member}"
