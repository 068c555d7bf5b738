"""An empty lab made into an estate of three topics, and kmigrate's own phases up to a running mirror."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kmigrate.engine import run_unit
from kmigrate.lab import compose, shop
from kmigrate.lab.auditor.kafka_log import client_settings
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.plan_file import CLUSTER, LISTENER, NAMESPACE
from kmigrate.model import Migration
from kmigrate.planfile import load
from kmigrate.probes.resources import require
from kmigrate.story import story
from kmigrate.wiring import LiveWorld, open_journal, open_world
from kmigrate.world import Key, Reporter
from redelivery.workload import COMPACTED, KINDS

_CALL_S = 30.0
# small segments, so that compaction has something to do: it leaves the last one alone
_COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": str(1 << 20),
    "segment.ms": "5000",
    "min.cleanable.dirty.ratio": "0.01",
}


class Estate:
    """The source of a running lab, signed in to as its administrator, who may do anything."""

    def __init__(self, folder: LabFolder, groups: Mapping[str, str]) -> None:
        self._folder = folder
        self._groups = groups
        facts = folder.read()["facts"]
        assert isinstance(facts, Mapping)
        source = facts["source"]
        assert isinstance(source, Mapping)
        self._bootstrap, self._ca = str(source["bootstrap"]), str(source["ca"])
        admin = source["admin"]
        assert isinstance(admin, Mapping)
        self.client = _client(
            str(admin["bootstrap"]),
            Path(self._ca).read_text(),
            ("PLAIN", str(admin["username"]), Path(str(admin["password_file"])).read_text()),
        )
        self._admin = AdminClient(dict(self.client))

    def make(self, partitions: int) -> None:
        """Make the topics, and write the plan file."""
        topics = [NewTopic(kind, partitions, 1, config=_COMPACTED if kind == COMPACTED else {}) for kind in KINDS]
        for future in self._admin.create_topics(topics, operation_timeout=_CALL_S).values():
            future.result(_CALL_S)
        self._folder.extra.mkdir(mode=0o700, exist_ok=True)
        (self._folder.extra / "kmigrate.yaml").write_text(json.dumps(self._plan(), indent=1))

    def stand(self, group: str, topic: str, positions: Mapping[int, int]) -> None:
        """Put a group where it would stand had it read so far; it has no members."""
        wanted = [TopicPartition(topic, number, offset) for number, offset in positions.items()]
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
        for future in asked.values():
            failed = [str(each.error) for each in future.result(_CALL_S).topic_partitions if each.error]
            assert not failed, failed

    @contextmanager
    def mirrored(self, reporter: Reporter) -> Iterator[tuple[LiveWorld, Migration]]:
        """kmigrate's phases up to a mirror that has caught up; closes what was opened."""
        migration = load(self._folder.extra / "kmigrate.yaml")
        world = open_world(migration, reporter)
        try:
            with open_journal(migration, world) as journal:
                for phase in ("assess", "provision", "replicate"):
                    unit = story(migration).phase(phase).unit
                    assert unit is not None
                    run_unit(unit, world, journal)
            yield world, migration
        finally:
            world.close()

    def _plan(self) -> dict[str, object]:
        def login(user: str) -> dict[str, object]:
            return {"type": "plain", "username": user, "password": {"file": str(self._folder.credentials / user)}}

        reads = [{"topics": [topic], "group": group} for group, topic in self._groups.items()]
        return {
            "apiVersion": "kmigrate/v1alpha1",
            "kind": "Migration",
            "metadata": {"name": "redelivered"},
            "source": {"bootstrapServers": self._bootstrap, "auth": login(shop.KMIGRATE), "ca": self._ca},
            "target": {
                "platform": "lab",
                "store": str(self._folder.store),
                "kubernetes": {"namespace": NAMESPACE},
                "cluster": {"name": CLUSTER, "listener": {"name": LISTENER}},
            },
            "topics": {"include": list(KINDS)},
            "applications": [
                {"name": "writers", "writes": list(KINDS), "principals": [_principal("writer")]},
                {"name": "readers", "reads": reads, "principals": [_principal("reader")]},
            ],
            "mirror": {"forward": {"auth": login(shop.MIRROR_FORWARD)}},
        }


def target_client(world: LiveWorld) -> dict[str, str]:
    """How the lab's auditor, who may read everything and change nothing, signs in to the target."""

    def secret(name: str, key: str) -> str:
        found = world.resources.get(Key("Secret", NAMESPACE, name))
        assert found is not None, f"no Secret {name}"
        return str(found.data[key])

    kafka = require(world, Key("Kafka", NAMESPACE, CLUSTER))
    listeners = kafka.status["listeners"]
    assert isinstance(listeners, list | tuple)
    bootstrap = str(next(each["bootstrapServers"] for each in listeners if each["name"] == LISTENER))
    login = ("SCRAM-SHA-512", compose.AUDITOR, secret(compose.AUDITOR, "password"))
    return _client(bootstrap, secret(f"{CLUSTER}-cluster-ca-cert", "ca.crt"), login)


def _principal(name: str) -> dict[str, str]:
    return {"source": f"User:sa-{name}", "target": name}


def _client(bootstrap: str, ca: str, login: tuple[str, str, str]) -> dict[str, str]:
    return {**client_settings(bootstrap, ca, login), "log_level": "2"}
