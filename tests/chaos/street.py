"""The shop in a street with traffic: its lab, and clicks that never stand still; everybody goes through relays.

`python -m street` is the lab's supervisor with all of it; relays are the business of whoever starts it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import clicks
import trends
import yaml
from confluent_kafka.admin import AdminClient, NewTopic

from kmigrate.advice import ABORTED_AHEAD
from kmigrate.lab import compose, shop, stock, supervisor
from kmigrate.lab.kubernetes.part import USER
from kmigrate.lab.plan_file import plan_file
from kmigrate.lab.runtime.applications import Applications
from kmigrate.lab.runtime.bench import Bench
from kmigrate.lab.runtime.board import Board
from kmigrate.lab.runtime.source import RELAY, SourcePart
from kmigrate.lab.shop import ShopApplication
from kmigrate.manifests.rights import needs
from kmigrate.model import JsonObject, Reads, Topic
from kmigrate.planfile import load

CLICKS = Topic(name=clicks.TOPIC, partitions=clicks.PARTITIONS, config={"retention.ms": "604800000"})
MORE = (
    ShopApplication(name=clicks.APP, module="clicks", writes=(clicks.TOPIC,), transactional_ids=(f"{clicks.APP}-0",)),
    ShopApplication(
        name=trends.READING.app, module="trends", reads=(Reads(group=trends.READING.group, topics=(clicks.TOPIC,)),)
    ),
)
USERS = (*shop.PRINCIPALS, *(app.principal for app in MORE))
SOAK = "1s"
PRELOAD = 8_000


class AcrossPart(compose.TargetPart):
    """The target, whose broker tells clients another port than its own: there the relay listens."""

    def __init__(self, options: supervisor.Options, bench: Bench, store: compose.Store) -> None:
        super().__init__(options, bench, store)
        (self._told,) = bench.ports.take(1)

    def cluster(self) -> tuple[JsonObject, ...]:
        pool, kafka = super().cluster()
        (listener,) = kafka["spec"]["kafka"]["listeners"]
        listener["configuration"] = {"brokers": [{"broker": 0, "advertisedPort": self._told}]}
        return pool, kafka


class StreetPart(compose.EstatePart):
    """The shop's estate and the clicks; applications are installed behind the relay, and wait for it."""

    def start(self) -> None:
        admin = {key: str(value) for key, value in self._source.cluster.layout.admin_config().items()}
        stock.create_estate(admin, self._board, preload=PRELOAD)
        client = AdminClient(dict[str, str | int | float | bool](admin))
        wanted = NewTopic(CLICKS.name, num_partitions=CLICKS.partitions, replication_factor=1, config=CLICKS.config)
        for future in client.create_topics([wanted]).values():
            future.result()
        self._write_plan()
        if self._options.kubernetes:
            self._let_in()
        least = shop.tool_rights(needs(load(self._options.folder.extra / "kmigrate.yaml")))
        shop.grant(client, (*shop.rights(MORE), *least))
        ready = self._await_target()
        self._board.publish("target", {"listeners": ready.status.get("listeners")})
        self._install()

    @property
    def _bootstrap(self) -> str:
        return self._source.cluster.layout.bootstrap(RELAY)

    def _write_plan(self) -> None:
        folder = self._options.folder
        folder.extra.mkdir(mode=0o700, exist_ok=True)
        every = {"applications": (*shop.APPLICATIONS, *MORE), "topics": (*shop.TOPICS, CLICKS)}
        if self._options.kubernetes:
            every["kubeconfig"] = folder.kubernetes / f"{USER}.kubeconfig"
        plan = yaml.safe_load(plan_file(folder, self._bootstrap, self._bench.certificates.ca, **every))
        plan["policy"]["soak"] = SOAK
        plan["accept"] = [{"id": ABORTED_AHEAD, "subject": "billing", "reason": "it counts, and a few more do no harm"}]
        (folder.extra / "kmigrate.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))

    def _install(self) -> None:
        folder = self._options.folder
        passwords = {name: (folder.credentials / name).read_text() for name in USERS}
        ca = str(self._bench.certificates.ca)
        every = (*shop.APPLICATIONS, *MORE)
        shop.install_apps(folder.root, bootstrap=self._bootstrap, passwords=passwords, ca=ca, applications=every)
        for app in MORE:
            home = folder.apps / app.name
            argv = [sys.executable, "-m", app.module, str(home.resolve())]
            (home / "command.json").write_text(json.dumps({"argv": argv}))


def parts(options: supervisor.Options, bench: Bench, board: Board) -> Sequence[supervisor.Part]:
    """The parts of the lab in the order of their start."""
    folder = options.folder
    first, store = compose.keeper(options, bench, board)
    source = SourcePart(bench, board, brokers=options.brokers, users=options.users, folder=folder)
    return (
        *first,
        AcrossPart(options, bench, store),
        source,
        StreetPart(options, bench, board, store, source),
        Applications(folder.apps, bench.machine, bench.clock),
    )


if __name__ == "__main__":
    sys.exit(supervisor.main(composition=parts))
