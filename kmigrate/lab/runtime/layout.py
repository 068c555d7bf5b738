"""What a Kafka cluster of the lab looks like, and the settings that follow from it: values in, text out."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kmigrate.lab.runtime.pki import Certificates
from kmigrate.lab.runtime.ports import HOST
from kmigrate.lab.runtime.properties import jaas

PLAIN = "PLAIN"
SCRAM = "SCRAM-SHA-512"
PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
ADMIN = "lab-admin"
BROKER_AND_CONTROLLER = ("broker", "controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listener for clients of one node; `plain_users` (name to password) only with mechanism PLAIN.

    `mechanism` is PLAIN or SCRAM-SHA-512 (protocol SASL_SSL), or "" for client certificates (protocol SSL; the
    principal is the subject's distinguished name). `advertised_port` differs from `port` behind a relay.
    """

    name: str
    port: int
    advertised_port: int
    mechanism: str
    plain_users: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a cluster: KRaft roles, ports, and the listeners of clients when it is a broker."""

    id: int
    roles: tuple[str, ...] = BROKER_AND_CONTROLLER
    listeners: tuple[Listener, ...] = ()
    internal_port: int
    controller_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLayout:
    """All that decides a cluster; everything of it lies in `folder`.

    `cluster_id` is 22 characters of URL-safe base64 (`new_cluster_id`). `admin_password` is that of `ADMIN`, the only
    super user, who can sign in on the internal listener alone. `extra` are broker settings that win over ours.
    """

    name: str
    cluster_id: str
    folder: Path
    nodes: tuple[Node, ...]
    certificates: Certificates
    admin_password: str
    extra: Mapping[str, str] = field(default_factory=dict)
    heap_mb: int = 256

    def process(self, node: int) -> str:
        """The name of a node's process."""
        return f"{self.name}-{node}"

    def bootstrap(self, listener: str) -> str:
        """Advertised addresses of every broker on a listener of that name, comma separated."""
        ports = [one.advertised_port for node in self.nodes for one in node.listeners if one.name == listener]
        return ",".join(f"{HOST}:{port}" for port in ports)

    def admin_config(self) -> dict[str, str]:
        """Settings for a confluent_kafka client that signs in as the super user on the internal listener."""
        ports = [node.internal_port for node in self.nodes if "broker" in node.roles]
        return {
            "bootstrap.servers": ",".join(f"{HOST}:{port}" for port in ports),
            **sasl_config(PLAIN, ADMIN, self.admin_password, self.certificates.ca),
        }


def sasl_config(mechanism: str, username: str, password: str, ca: Path) -> dict[str, str]:
    """Settings for a confluent_kafka client over SASL_SSL; add `bootstrap.servers`."""
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.username": username,
        "sasl.password": password,
        "ssl.ca.location": str(ca),
    }


def new_cluster_id() -> str:
    """A random cluster or directory id as Kafka writes it (org.apache.kafka.common.Uuid: 16 bytes, URL-safe base64).

    It never begins with "-", which the tools would take for an option (Uuid.randomUuid does the same).
    """
    while True:
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not drawn.startswith("-"):
            return drawn


def node_properties(layout: ClusterLayout, node: Node) -> dict[str, str]:
    """The server properties of a node: pure, secrets inside."""
    brokers = sum("broker" in one.roles for one in layout.nodes)
    voters = [one for one in layout.nodes if "controller" in one.roles]
    settings = {
        "process.roles": ",".join(node.roles),
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(f"{one.id}@{HOST}:{one.controller_port}" for one in voters),
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(layout.folder / f"node-{node.id}"),
        **_addresses(node),
        **_security(layout),
        **(_broker_defaults(brokers) if "broker" in node.roles else {}),
    }
    for listener in node.listeners:
        settings.update(_listener_settings(listener))
    return {**settings, **layout.extra}


def _addresses(node: Node) -> dict[str, str]:
    """Where the node listens; a pure controller advertises nothing but its controller listener (KIP-919)."""
    bound = {listener.name: listener.port for listener in node.listeners}
    advertised = {listener.name: listener.advertised_port for listener in node.listeners}
    protocols = {listener.name: "SASL_SSL" if listener.mechanism else "SSL" for listener in node.listeners}
    protocols |= {"INTERNAL": "SASL_SSL", "CONTROLLER": "SASL_SSL"}
    if "broker" in node.roles:
        bound["INTERNAL"] = advertised["INTERNAL"] = node.internal_port
    if "controller" in node.roles:
        bound["CONTROLLER"] = node.controller_port
    settings = {
        "listeners": _pairs(bound),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
    }
    if advertised:
        settings |= {"advertised.listeners": _pairs(advertised), "inter.broker.listener.name": "INTERNAL"}
    return settings


def _pairs(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())


def _security(layout: ClusterLayout) -> dict[str, str]:
    own = jaas(
        PLAIN_LOGIN,
        {"username": ADMIN, "password": layout.admin_password, f"user_{ADMIN}": layout.admin_password},
    )
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(layout.certificates.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(layout.certificates.ca),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN}",
        "sasl.mechanism.controller.protocol": PLAIN,
        "sasl.mechanism.inter.broker.protocol": PLAIN,
    }
    for name in ("internal", "controller"):
        settings[f"listener.name.{name}.sasl.enabled.mechanisms"] = PLAIN
        settings[f"listener.name.{name}.plain.sasl.jaas.config"] = own
    return settings


def _listener_settings(listener: Listener) -> dict[str, str]:
    prefix = f"listener.name.{listener.name.lower()}"
    if not listener.mechanism:
        return {f"{prefix}.ssl.client.auth": "required"}
    users = {f"user_{name}": password for name, password in listener.plain_users.items()}
    line = jaas(PLAIN_LOGIN, users) if listener.mechanism == PLAIN else jaas(SCRAM_LOGIN, {})
    return {
        f"{prefix}.sasl.enabled.mechanisms": listener.mechanism,
        f"{prefix}.{listener.mechanism.lower()}.sasl.jaas.config": line,
    }


def _broker_defaults(brokers: int) -> dict[str, str]:
    """Production's rules (replicas, nothing created by itself), a laptop's sizes, session time-outs from 6 s."""
    copies, in_sync = str(min(3, brokers)), str(min(2, brokers))
    return {
        "auto.create.topics.enable": "false",
        "num.partitions": "6",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.num.partitions": "8",
        "share.coordinator.state.topic.num.partitions": "4",
        "log.cleaner.dedupe.buffer.size": str(16 << 20),
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
        "group.coordinator.threads": "1",
        "group.min.session.timeout.ms": "6000",
        "group.consumer.min.session.timeout.ms": "6000",
        "group.consumer.session.timeout.ms": "6000",
        "group.consumer.min.heartbeat.interval.ms": "1000",
        "group.consumer.heartbeat.interval.ms": "2000",
    }
