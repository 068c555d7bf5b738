"""The whole shop on a real broker: it lives through stops, kills, a fence and a dead broker, and the books balance."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from kmigrate.lab import shop, stock
from kmigrate.lab.apps import control, storefront
from kmigrate.lab.auditor.audit import ApplicationAudit, Cluster, Verdict, audit
from kmigrate.lab.auditor.kafka_log import KafkaLog
from kmigrate.lab.runtime.applications import Applications
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.kafka import KafkaCluster
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.source import CLIENT, source_layout
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

pytestmark = pytest.mark.kafka

SESSIONS = {"group.min.session.timeout.ms": "6000", "group.consumer.session.timeout.ms": "6000"}
PRELOAD = 60_000


@dataclass(frozen=True)
class Street:
    """One source with the estate on it, and the applications below `folder`."""

    cluster: KafkaCluster
    admin: dict[str, str]
    applications: Applications
    folder: Path

    def until(self, what: str, so: Callable[[], bool]) -> None:
        def look() -> Ready[None] | NotYet:
            self.applications.tick()
            return Ready(None) if so() else NotYet("not so")

        wait_until(look, what=what, clock=LabClock(), reporter=Reporter(), deadline_ms=90_000, slowest_ms=50)

    def wish(self, name: str, desired: str) -> None:
        (self.folder / "apps" / name / "desired").write_text(desired)
        self.until(
            f"{name} {desired}", lambda: control.state(self.folder / "apps" / name).running == (desired == "running")
        )

    def begin(self) -> None:
        """Start everybody, who begins at the end of the log before anybody writes: what came earlier is none of it."""
        first = "ml-features"
        self.wish(first, "running")
        self.until(f"{first} stands in the log", lambda: self.count(first, "assigned") > 0)
        for app in shop.APPLICATIONS:
            self.wish(app.name, "running")

    def count(self, name: str, event: str = "processed") -> int:
        files = (self.folder / "apps" / name / "audit").glob("*.jsonl")
        return sum(path.read_text().count(f'"event":"{event}"') for path in files)

    def size(self, name: str) -> int:
        files = (self.folder / "apps" / name / "audit").glob("*.jsonl")
        return sum(path.stat().st_size for path in files)

    def goes_on(self, *names: str) -> None:
        """Wait until each has written down some 200 records more."""
        begins = {name: self.size(name) for name in names}
        self.until(f"{names} go on", lambda: all(self.size(name) > begins[name] + 40_000 for name in names))

    def falls_silent(self, *names: str) -> None:
        """Wait until none has written anything for two seconds."""
        clock, seen = LabClock(), {"size": -1, "since": 0}

        def so() -> bool:
            size, now = sum(self.size(name) for name in names), clock.monotonic_ms()
            if size != seen["size"]:
                seen.update(size=size, since=now)
            return now - seen["since"] > 2_000

        self.until(f"{names} fall silent", so)

    def kill(self, name: str) -> None:
        pid = control.state(self.folder / "apps" / name).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.until(f"{name} is back", lambda: control.state(self.folder / "apps" / name).pid not in (None, pid))

    def verdict(self) -> Verdict:
        folders = [self.folder / "apps" / app.name for app in shop.APPLICATIONS]
        log = KafkaLog(self.admin)
        try:
            address = self.cluster.layout.bootstrap(CLIENT)
            return audit(folders, [Cluster(name="source", log=log, addresses=(address,))])
        finally:
            log.close()


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder, clock, reporter = tmp_path_factory.mktemp("shop"), LabClock(), Reporter()
    machine, ports = Machine(), Ports()
    try:
        certificates = make_certificates(folder, "source")
        bench = Bench(
            folder=folder,
            machine=machine,
            ports=ports,
            jvm=prepare(clock, reporter),
            certificates=certificates,
            clock=clock,
            reporter=reporter,
        )
        passwords = {name: secrets.token_urlsafe() for name in shop.PRINCIPALS}
        layout = source_layout(bench, brokers=1, users=passwords, folder=folder / "source", extra=SESSIONS)
        cluster = KafkaCluster(layout, bench)
        cluster.start()
        admin = {**layout.admin_config(), "log_level": "0"}
        stock.create_estate(admin, reporter, preload=PRELOAD)
        ca = str(certificates.ca)
        shop.install_apps(folder, bootstrap=layout.bootstrap(CLIENT), passwords=passwords, ca=ca)
        applications = Applications(folder / "apps", machine, clock)
        applications.start()
        made = Street(cluster, admin, applications, folder)
        made.begin()
        yield made
    finally:
        machine.close()
        ports.close()


def by_name(verdict: Verdict) -> dict[str, ApplicationAudit]:
    return {app.name: app for app in verdict.applications}


def unclean(apps: dict[str, ApplicationAudit]) -> dict[str, dict[str, object]]:
    """What is wrong, by application."""
    return {
        name: {field: getattr(app, field) for field in app.__slots__ if getattr(app, field) not in (0, (), "")}
        for name, app in apps.items()
        if not app.clean
    }


EVERYBODY = tuple(app.name for app in shop.APPLICATIONS)
READERS = tuple(name for name in EVERYBODY if name != "storefront")


def test_traffic_runs_and_the_indexer_stays_far_behind(street: Street) -> None:
    street.goes_on(*EVERYBODY)
    writers = ("storefront", "order-service")
    street.until("something is taken back", lambda: all(street.count(name, "aborted") > 0 for name in writers))
    street.goes_on("billing")
    apps = by_name(street.verdict())
    assert unclean(apps) == {}
    assert apps["search-indexer"].behind >= 50_000
    assert apps["billing"].aborted_seen > 0
    assert apps["storefront"].taken_back > 0
    assert all(apps[name].aborted_seen == 0 for name in READERS if name != "billing")


def test_a_stop_is_clean_and_a_start_goes_on_where_it_stood(street: Street) -> None:
    street.goes_on("ml-features")
    street.wish("ml-features", "stopped")
    street.goes_on("order-service")
    street.wish("ml-features", "running")
    street.goes_on("ml-features")
    app = by_name(street.verdict())["ml-features"]
    assert (app.runs, app.crashes, app.repeats, app.clean) == (2, 0, 0, True)


def test_kills_cost_nothing_but_repeats_of_their_own(street: Street) -> None:
    for name in EVERYBODY:
        street.kill(name)
    street.goes_on(*EVERYBODY)
    apps = by_name(street.verdict())
    assert unclean(apps) == {}
    assert all(app.crashes == 1 for app in apps.values())


def test_positions_that_a_dead_run_left_in_an_open_transaction_hold_nobody_up(street: Street) -> None:
    street.wish("order-service", "stopped")
    _leave_open(street, "order-service", "orders")
    street.wish("order-service", "running")
    street.goes_on("order-service")
    app = by_name(street.verdict())["order-service"]
    # one is from the kill above: a run that waited for the open transaction would have given up and been another
    assert (app.crashes, app.clean) == (1, True)


def test_a_fenced_writer_keeps_running_notes_it_and_writes_again_afterwards(street: Street) -> None:
    street.goes_on("storefront", "order-service")
    pids = {name: control.state(street.folder / "apps" / name).pid for name in ("storefront", "order-service")}
    admin = AdminClient(street.admin)
    # shipments first: without new orders order-service might have nothing left to be refused
    fences = [_deny_write("shipments", "sa-order-service"), _deny_write("orders", "sa-storefront")]
    admin.create_acls(fences[:1])[fences[0]].result(30)
    street.until("order-service is refused", lambda: _denied(street, "order-service"))
    admin.create_acls(fences[1:])[fences[1]].result(30)
    street.until("storefront is refused", lambda: street.count("storefront", "refused") > 50)
    lifted = [
        AclBindingFilter(
            row.restype,
            row.name,
            row.resource_pattern_type,
            row.principal,
            row.host,
            row.operation,
            row.permission_type,
        )
        for row in fences
    ]
    for future in admin.delete_acls(lifted).values():
        future.result(30)
    acknowledged = street.count("storefront", "acked")
    street.until("orders come in again", lambda: street.count("storefront", "acked") > acknowledged + 200)
    street.goes_on("ml-features")
    apps = by_name(street.verdict())
    assert unclean(apps) == {}
    assert {name: control.state(street.folder / "apps" / name).pid for name in pids} == pids


def test_a_killed_broker_is_lived_through(street: Street) -> None:
    (node,) = street.cluster.layout.nodes
    street.cluster.kill_node(node.id)
    street.until("noticed", lambda: not control.healthy(street.folder / "apps" / "billing"))
    street.cluster.start_node(node.id)
    street.goes_on(*EVERYBODY)
    apps = by_name(street.verdict())
    assert unclean(apps) == {}


def test_the_books_balance_when_all_is_over(street: Street) -> None:
    street.wish("storefront", "stopped")
    street.falls_silent(*(name for name in READERS if name != "search-indexer"))
    for name in READERS:
        street.wish(name, "stopped")
    apps = by_name(street.verdict())
    assert unclean(apps) == {}
    assert [name for name in READERS if apps[name].behind] == ["search-indexer"]
    # a commit whose answer the dead broker took along is unknown to the writer, and in the log all the same
    shipped = apps["order-service"].written + apps["order-service"].unknown_written
    assert apps["ml-features"].processed - apps["ml-features"].repeats == shipped


def _leave_open(street: Street, group: str, topic: str) -> None:
    """Leave a transaction of the application's own id open that holds the positions of its group."""
    asking = Consumer({**street.admin, "group.id": group, "enable.auto.commit": False})
    producer = Producer({**street.admin, "transactional.id": f"{group}-0", "transaction.timeout.ms": 60_000})
    try:
        positions = asking.committed(
            [TopicPartition(topic, number) for number in range(storefront.PARTITIONS)], timeout=30
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(positions, asking.consumer_group_metadata(), 30)
    finally:
        asking.close()


def _deny_write(topic: str, principal: str) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        f"User:{principal}",
        "*",
        AclOperation.WRITE,
        AclPermissionType.DENY,
    )


def _denied(street: Street, name: str) -> bool:
    files = (street.folder / "apps" / name / "audit").glob("*.jsonl")
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines() if '"error"' in line]
    return any(line.get("code") == "TOPIC_AUTHORIZATION_FAILED" for line in lines)
