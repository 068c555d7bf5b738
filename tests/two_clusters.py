"""A source and a target of one broker each, and what tests do to them as super users."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kmigrate.adapters.kafka import Connection, Login
from kmigrate.lab.operator.admin import Acl, ClusterAdmin, NewTopicWish
from kmigrate.lab.operator.status import mapping, setting
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.kafka import (
    PLAIN,
    PLAIN_LOGIN,
    SCRAM,
    SCRAM_LOGIN,
    ClusterLayout,
    KafkaCluster,
    Listener,
    Node,
    new_cluster_id,
    sasl_config,
)
from kmigrate.lab.runtime.pki import make_certificates
from kmigrate.lab.runtime.ports import Ports
from kmigrate.lab.runtime.prepare import prepare
from kmigrate.lab.runtime.process import Machine
from kmigrate.lab.runtime.properties import jaas
from kmigrate.lab.runtime.source import CLIENT, source_layout
from kmigrate.manifests.kafka import kafka, small_machine_config
from kmigrate.manifests.users import Rule
from kmigrate.model import JsonObject, Side, Target
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

Figures = Callable[..., None]
Settings = dict[str, str | int | float | bool]

TARGET = Target(platform="lab", store="", namespace="kafka", cluster="prod", listener="scram")
WRITER, OTHER, READER, KMIGRATE = "writer", "other", "reader", "kmigrate"
MIRROR, MIRROR_BACK = "mirror", "mirror-back"
USERS = (WRITER, OTHER, READER, KMIGRATE, MIRROR, MIRROR_BACK)
ALL = (
    Rule(resource="topic", name="*", operations=("All",)),
    Rule(resource="group", name="*", operations=("All",)),
    Rule(resource="transactionalId", name="*", operations=("All",)),
)
LOOKS = (
    Rule(resource="topic", name="*", operations=("Describe", "DescribeConfigs", "Read")),
    Rule(resource="group", name="*", operations=("Delete", "Describe", "Read")),
    Rule(resource="transactionalId", name="*", operations=("Describe",)),
    Rule(resource="cluster", operations=("Describe",)),
)
"""kmigrate looks at everything and commits positions; what else a test has it do is granted there."""
# a reader that joins must not wait three seconds for others who never come
_QUICK = {"group.initial.rebalance.delay.ms": "0"}


def until(what: str, holds: Callable[[], object], bench: Bench, deadline_ms: int = 90_000) -> None:
    """The one waiting loop of these tests: `holds` becomes true before the deadline, or the test fails."""

    def look() -> Ready[None] | NotYet:
        return Ready(None) if holds() else NotYet("not yet")

    wait_until(
        look, what=what, clock=bench.clock, reporter=Reporter(), deadline_ms=deadline_ms, every_ms=5, slowest_ms=50
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCluster:
    """A running cluster with users of equal names on both sides."""

    running: KafkaCluster
    admin: ClusterAdmin
    listener: str
    mechanism: str
    passwords: Mapping[str, str]

    @property
    def bootstrap(self) -> str:
        return self.running.layout.bootstrap(self.listener)

    @property
    def ca(self) -> Path:
        return self.running.layout.certificates.ca

    def client(self, user: str) -> Settings:
        """Settings of librdkafka."""
        signed = sasl_config(self.mechanism, user, self.passwords[user], self.ca)
        return {"bootstrap.servers": self.bootstrap, "log_level": 0, **signed}

    def java(self, user: str) -> dict[str, str]:
        """Settings of a Java client."""
        login = PLAIN_LOGIN if self.mechanism == PLAIN else SCRAM_LOGIN
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": self.mechanism,
            "sasl.jaas.config": jaas(login, {"username": user, "password": self.passwords[user]}),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": self.ca.read_text(),
        }

    def connection(self, name: str) -> Connection:
        """kmigrate's own connection."""
        return Connection(
            Login(
                name=name,
                bootstrap=self.bootstrap,
                mechanism=self.mechanism,
                username=KMIGRATE,
                password=self.passwords[KMIGRATE],
                ca=self.ca.read_text(),
            )
        )

    def create(self, *wishes: NewTopicWish) -> None:
        refusals = [refusal for refusal in self.admin.create_topics(wishes).values() if refusal]
        assert not refusals, refusals

    def topic(self, name: str, partitions: int, config: Mapping[str, str] | None = None) -> None:
        self.create(NewTopicWish(name=name, partitions=partitions, replicas=1, config=config or {}))

    def allow(self, user: str, rules: Iterable[Rule]) -> None:
        refusal = self.admin.add_acls(acls(user, rules))
        assert not refusal, refusal

    def withdraw(self, user: str, rules: Iterable[Rule]) -> None:
        refusal = self.admin.remove_acls(acls(user, rules))
        assert not refusal, refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoClusters:
    """Both sides."""

    bench: Bench
    sides: Mapping[Side, OneCluster] = field(default_factory=dict)

    @property
    def source(self) -> OneCluster:
        return self.sides[Side.SOURCE]

    @property
    def target(self) -> OneCluster:
        return self.sides[Side.TARGET]

    def topic(self, name: str, partitions: int) -> None:
        """The same topic on both sides."""
        self.source.topic(name, partitions)
        self.target.topic(name, partitions)

    def until(self, what: str, holds: Callable[[], object], deadline_ms: int = 90_000) -> None:
        until(what, holds, self.bench, deadline_ms)


def acls(user: str, rules: Iterable[Rule]) -> list[Acl]:
    """The ACLs that kmigrate's rules stand for, in the words of the operator's user half."""
    return [
        Acl(
            principal=f"User:{user}",
            resource=rule.resource,
            name="kafka-cluster" if rule.resource == "cluster" else rule.name,
            pattern=rule.pattern,
            operation=operation,
            host="*",
            allow=rule.type == "allow",
        )
        for rule in rules
        for operation in rule.operations
    ]


@contextmanager
def running(folder: Path) -> Iterator[TwoClusters]:
    """Both clusters as processes of this one, with everything they need in the folder."""
    clock = LabClock()
    machine, ports = Machine(), Ports()
    try:
        yield started(
            Bench(
                folder=folder,
                machine=machine,
                ports=ports,
                jvm=prepare(clock, Reporter()),
                certificates=make_certificates(folder / "pki", "both"),
                clock=clock,
                reporter=Reporter(),
            )
        )
    finally:
        machine.close()
        ports.close()


def started(bench: Bench) -> TwoClusters:
    """Start both; applications may do everything, kmigrate what its rules say, mirrors nothing yet."""
    passwords = {user: secrets.token_urlsafe(18) for user in USERS}
    layouts = {
        Side.SOURCE: source_layout(bench, brokers=1, users=passwords, folder=bench.folder / "source", extra=_QUICK),
        Side.TARGET: _target_layout(bench),
    }
    sides = {side: _started(side, layout, bench, passwords) for side, layout in layouts.items()}
    for user, password in passwords.items():
        refusal = sides[Side.TARGET].admin.set_scram(user, password)
        assert not refusal, refusal
    for one in sides.values():
        for user in (WRITER, OTHER, READER):
            one.allow(user, ALL)
        one.allow(KMIGRATE, LOOKS)
    return TwoClusters(bench=bench, sides=sides)


def _started(side: Side, layout: ClusterLayout, bench: Bench, passwords: Mapping[str, str]) -> OneCluster:
    running = KafkaCluster(layout, bench)
    running.start()
    listener, mechanism = (CLIENT, PLAIN) if side is Side.SOURCE else ("SCRAM", SCRAM)
    admin = ClusterAdmin(layout.admin_config())
    return OneCluster(running=running, admin=admin, listener=listener, mechanism=mechanism, passwords=passwords)


def _target_layout(bench: Bench) -> ClusterLayout:
    """One node with the broker settings that kmigrate renders for a small machine."""
    client, internal, controller = bench.ports.take(3)
    listener = Listener(name="SCRAM", port=client, advertised_port=client, mechanism=SCRAM)
    return ClusterLayout(
        name="target",
        cluster_id=new_cluster_id(),
        folder=bench.folder / "target",
        nodes=(Node(id=0, internal_port=internal, controller_port=controller, listeners=(listener,)),),
        certificates=bench.certificates,
        admin_password=secrets.token_urlsafe(24),
        extra={**{name: setting(value) for name, value in _rendered_config().items()}, **_QUICK},
    )


def _rendered_config() -> JsonObject:
    _, cluster = kafka(TARGET, brokers=1, config=small_machine_config())
    return mapping(mapping(mapping(cluster.get("spec")).get("kafka")).get("config"))
