"""The source cluster, shaped like Confluent Cloud: SASL_SSL with PLAIN users, nothing allowed that no ACL allows."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.board import Board
from kmigrate.lab.runtime.kafka import KafkaCluster
from kmigrate.lab.runtime.layout import ADMIN, PLAIN, ClusterLayout, Listener, Node, new_cluster_id
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.model import Json

CLIENT = "CLIENT"
RELAY = "RELAY"


def source_layout(
    bench: Bench, *, brokers: int, users: Mapping[str, str], folder: Path, extra: Mapping[str, str] | None = None
) -> ClusterLayout:
    """A source of one or three combined nodes; `users` maps names to passwords (PLAIN: the name is the principal).

    Every broker has two listeners for clients: CLIENT, and RELAY, which is bound to one port and advertised at another
    (`Listener.advertised_port`), where a relay may listen and break the network.
    """
    return ClusterLayout(
        name="source",
        cluster_id=new_cluster_id(),
        folder=folder,
        nodes=tuple(_node(number, bench, users) for number in range(1, brokers + 1)),
        certificates=bench.certificates,
        admin_password=secrets.token_urlsafe(24),
        extra=dict(extra or {}),
    )


def _node(number: int, bench: Bench, users: Mapping[str, str]) -> Node:
    client, behind, relay, internal, controller = bench.ports.take(5)
    return Node(
        id=number,
        internal_port=internal,
        controller_port=controller,
        listeners=(
            Listener(name=CLIENT, port=client, advertised_port=client, mechanism=PLAIN, plain_users=users),
            Listener(name=RELAY, port=behind, advertised_port=relay, mechanism=PLAIN, plain_users=users),
        ),
    )


class SourcePart:
    """The source as a part of the lab; its passwords are made anew and lie in credentials/NAME, mode 0600.

    Facts: `bootstrap` and `relay` (addresses of the two listeners), `protocol`, `mechanism`, `ca`, `credentials`
    (user to password file), `relays` ([{listen, forward}] per broker), and `admin` (bootstrap, username, password
    file) for the lab itself.
    """

    def __init__(
        self,
        bench: Bench,
        board: Board,
        *,
        brokers: int,
        users: Iterable[str],
        folder: LabFolder,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._board = board
        self._credentials = folder.credentials
        self._users = {user: secrets.token_urlsafe(24) for user in users}
        layout = source_layout(bench, brokers=brokers, users=self._users, folder=folder.source, extra=extra)
        self.cluster = KafkaCluster(layout, bench)

    def start(self) -> None:
        """Start the brokers, then tell where they are."""
        layout = self.cluster.layout
        for user, password in {**self._users, ADMIN: layout.admin_password}.items():
            write_secret(self._credentials / user, password)
        self.cluster.start()
        self._board.publish("source", self._facts())

    def tick(self) -> None:
        """Nothing: a broker that somebody killed stays dead, as `lab status` says."""

    def stop(self) -> None:
        """End the brokers."""
        self.cluster.stop()

    def _facts(self) -> dict[str, Json]:
        layout = self.cluster.layout
        admin: dict[str, Json] = {
            "bootstrap": layout.admin_config()["bootstrap.servers"],
            "username": ADMIN,
            "password_file": str(self._credentials / ADMIN),
        }
        relays = [one for node in layout.nodes for one in node.listeners if one.name == RELAY]
        return {
            "cluster_id": layout.cluster_id,
            "bootstrap": layout.bootstrap(CLIENT),
            "relay": layout.bootstrap(RELAY),
            "relays": [{"listen": one.advertised_port, "forward": one.port} for one in relays],
            "protocol": "SASL_SSL",
            "mechanism": PLAIN,
            "ca": str(layout.certificates.ca),
            "credentials": {user: str(self._credentials / user) for user in self._users},
            "admin": admin,
        }
