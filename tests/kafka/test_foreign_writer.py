"""A writer with a credential that the plan forgot, on a real lab, before and after the first record on the target."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from two_clusters import Figures

from kmigrate.lab import compose
from kmigrate.lab.folder import LabFolder
from kmigrate.world import Reporter

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_200)]

APP, TOPIC, FORGOTTEN = "storefront", "orders", "sa-billing"
CUTOVER = ("apply", "--phase", "cutover", "--app", APP, "--yes")
GONE = {"id": "KM-WRITE-UNDECLARED", "subject": TOPIC, "reason": "its writer was said to be gone"}
ACCEPT = {"id": "KM-FOREIGN-WRITE", "subject": TOPIC, "reason": "its three records are nobody's"}


@dataclass
class Lab:
    """A running lab, whose plan moves the one that writes `orders`; everybody else stays."""

    folder: LabFolder
    written: list[tuple[int, int]] = field(default_factory=list)
    """Partition and offset of each record that the forgotten client wrote."""

    @property
    def plan(self) -> Path:
        return self.folder.extra / "kmigrate.yaml"

    def edit(self, change: Callable[[dict], None]) -> None:
        plan = yaml.safe_load(self.plan.read_text())
        change(plan)
        self.plan.write_text(yaml.safe_dump(plan, sort_keys=False))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        told = {**os.environ, "KMIGRATE_PLAN": str(self.plan), "COLUMNS": "1000"}
        argv = [sys.executable, "-m", "kmigrate", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=told)

    def done(self, *words: str) -> str:
        ended = self.run(*words)
        assert ended.returncode == 0, f"{words}: {ended.returncode}\n{ended.stderr}"
        return ended.stdout

    def lines(self) -> list[dict]:
        journal = self.folder.extra / ".kmigrate" / "journal.jsonl"
        return [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]

    def client(self, user: str) -> dict[str, str | int | float | bool]:
        facts = json.loads(self.folder.state.read_text())["facts"]["source"]
        return {
            "bootstrap.servers": facts["bootstrap"],
            "ssl.ca.location": facts["ca"],
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": (self.folder.credentials / user).read_text(),
        }

    def write(self, partition: int) -> None:
        """The forgotten client writes one record on the source, and is told where it lies."""
        producer = Producer(self.client(FORGOTTEN))
        producer.produce(TOPIC, b"{}", b"forgotten", partition, on_delivery=self._wrote)
        assert producer.flush(30) == 0

    def _wrote(self, error: KafkaError | None, message: Message) -> None:
        assert error is None
        self.written.append((message.partition() or 0, message.offset() or 0))

    @contextmanager
    def meanwhile(self, step: str, event: str, act: Callable[[], None]) -> Iterator[None]:
        """Somebody acts as soon as the journal says that of the step in a new line."""
        known, over = len(self.lines()), threading.Event()

        def watch() -> None:
            while not over.wait(0.01):
                if any((line["step"], line["event"]) == (step, event) for line in self.lines()[known:]):
                    act()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def named(self, said: str) -> list[tuple[int, int]]:
        """The places of the topic that were named, by the first record of each run."""
        return [(int(p), int(at)) for p, at in re.findall(rf"{TOPIC}/(\d+) at (\d+)", said)]

    def side(self) -> tuple[str, str]:
        told = json.loads(self.done("status", "--json"))
        app = next(each for each in told["applications"] if each["name"] == APP)
        return app["side"], app["running"]


def _only_the_writer_moves(plan: dict) -> None:
    for app in plan["applications"]:
        for reads in app["reads"]:
            reads["mayStay"] = True
        for workload in app["workloads"] if app["name"] == APP else ():
            # long enough for somebody to write between the hand-over and the start
            workload["switch"] = ["/bin/sh", "-c", 'sleep 3 && exec "$@"', "sh", *workload["switch"]]
    plan["policy"]["soak"] = "8s"
    plan["accept"] = [GONE]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = LabFolder(tmp_path_factory.mktemp("foreign") / "lab")
    with compose.lab(folder, brokers=1, empty=False, reporter=Reporter()):
        made = Lab(folder)
        made.edit(_only_the_writer_moves)
        admin = AdminClient(made.client("sa-kmigrate"))
        allow, literal = AclPermissionType.ALLOW, ResourcePatternType.LITERAL
        rule = AclBinding(ResourceType.TOPIC, TOPIC, literal, f"User:{FORGOTTEN}", "*", AclOperation.WRITE, allow)
        for future in admin.create_acls([rule]).values():
            future.result()
        for phase in ("assess", "provision", "replicate", "rehearse"):
            made.done("apply", "--phase", phase, "--yes")
        yield made


def test_who_writes_on_and_on_turns_the_move_back_while_it_drains(lab: Lab, figures: Figures) -> None:
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.05):
            lab.write(0)

    writer = threading.Thread(target=write)
    with lab.meanwhile("drain-mirror", "STARTED", writer.start):
        turned = lab.run(*CUTOVER)
    over.set()
    writer.join()
    assert turned.returncode == 9, turned.stderr
    assert set(lab.named(turned.stderr)) & set(lab.written), turned.stderr
    assert f"User:{FORGOTTEN}" in turned.stderr
    assert lab.side() == ("source", "yes")
    figures(while_it_drains=turned.stderr.strip().splitlines()[-3:])


def test_one_record_between_the_hand_over_and_the_start_turns_it_back_too(lab: Lab, figures: Figures) -> None:
    with lab.meanwhile("hand-over-topics", "VERIFIED", lambda: lab.write(1)):
        turned = lab.run(*CUTOVER)
    assert turned.returncode == 9, turned.stderr
    assert lab.written[-1] in lab.named(turned.stderr)
    assert f"who may write {TOPIC} there: User:{FORGOTTEN};" in turned.stderr
    assert lab.side() == ("source", "yes")
    figures(before_the_start=turned.stderr.strip().splitlines()[-3:])


def test_after_the_first_record_on_the_target_it_holds_and_names_every_place(lab: Lab, figures: Figures) -> None:
    with lab.meanwhile("soak", "STARTED", lambda: [lab.write(p) for p in (0, 1, 2)] and None):
        held = lab.run(*CUTOVER)
    assert held.returncode == 3, held.stderr
    again = lab.run(*CUTOVER)
    assert again.returncode == 3
    assert set(lab.written[-3:]) == set(lab.named(again.stderr)), again.stderr
    assert f"who may write {TOPIC} there: User:{FORGOTTEN};" in again.stderr
    assert "KM-FOREIGN-WRITE" in again.stderr
    assert lab.side()[1] == "yes"
    figures(held=again.stderr.strip().splitlines()[-4:])


def test_who_has_not_read_it_is_not_carried_across(lab: Lab) -> None:
    refused = lab.run("apply", "--phase", "cutover", "--app", "search-indexer", "--yes")
    assert refused.returncode == 3, refused.stderr
    assert "KM-FOREIGN-WRITE: group search-indexer is not carried" in refused.stderr


def test_once_it_is_accepted_by_name_it_goes_on_and_everybody_is_carried(lab: Lab, figures: Figures) -> None:
    lab.edit(lambda plan: plan.update(accept=[GONE, ACCEPT]))
    lab.done(*CUTOVER)
    soaked = [line for line in lab.lines() if (line["step"], line["event"]) == ("soak", "VERIFIED")][-1]
    compared = soaked["data"]["compared"]
    assert set(lab.named("; ".join(compared["foreign"]))) == set(lab.written[-3:])
    assert compared["copies"] > 0
    assert compared["bytes"] > 0
    figures(looked={name: compared[name] for name in ("looks", "copies", "read", "bytes", "ms", "foreign")})
    lab.done("apply", "--phase", "cutover", "--app", "search-indexer", "--yes")
    carried = [line for line in lab.lines() if (line["step"], line["event"]) == ("carry-positions", "VERIFIED")][-1]
    grades = {at["grade"] for at in carried["data"]["search-indexer"].values()}
    assert grades <= {"EXACT_PROVEN", "EXACT_MATCHED"}
    (turned,) = [line for line in lab.lines() if (line["step"], line["event"]) == ("turn-mirror", "VERIFIED")]
    assert [each["without an offset"] for each in turned["data"].values()] == ["none"]


def test_what_came_after_the_soak_is_found_before_the_way_back(lab: Lab, figures: Figures) -> None:
    lab.write(2)
    lab.done("rollback", "--app", APP, "--yes")
    assert lab.side() == ("source", "yes")
    met = [line["data"]["foreign"] for line in lab.lines() if line["event"] == "FACT" and line["data"].get("foreign")]
    found = {(int(p.rpartition("/")[2]), at) for p, at, *_ in met[-1]["source"]}
    assert found == {lab.written[-1]}
    figures(found_before_the_way_back=sorted(found))
