"""What is written on the source beside fences and positions, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kmigrate.adapters import rules
from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.errors import Blocked
from kmigrate.manifests.lanes import REVERSE
from kmigrate.model import Right, Topic


@dataclass(slots=True)
class MemorySourceAdmin(State):
    """Rights of `mirror` and its lanes' topics (world.SourceAdmin); topics come and go some turns later.

    `may` holds what kmigrate itself may do: `Alter` the rights, `Create` and `Delete` topics.
    """

    cluster: MemoryCluster
    death: Death
    mirror: str
    may: set[str] = field(default_factory=lambda: {"Alter", "Create", "Delete"})
    _coming: dict[str, Topic] = field(default_factory=dict)
    _going: set[str] = field(default_factory=set)

    def work(self) -> None:
        """The brokers hear of topics that were made or removed."""
        for topic in self._coming.values():
            self.cluster.create(topic)
        for name in self._going & self.cluster.made.keys():
            self.cluster.remove(name)
        self._coming.clear()
        self._going.clear()

    def allowed(self, topics: Iterable[Topic]) -> None:
        """Raise Blocked for what kmigrate may not do."""
        self._may("Alter", "changing ACLs", "--operation Alter --cluster")
        for topic in topics:
            name = rules.only_offsets(topic.name)
            self._may("Create", f"creating {name}", _OPTIONS)
            if name in self.cluster.made:
                self._may("Delete", f"removing {name} again", _OPTIONS)

    def grants(self, wanted: Iterable[Right]) -> frozenset[Right]:
        """Those that the brokers have heard of: one of them answers."""
        return frozenset(self.cluster.acls.enforced).intersection(wanted)

    def grant(self, wanted: Iterable[Right]) -> None:
        """Write them, one after the other."""
        for right in rules.only_of_the_mirror(wanted, self.mirror):
            self._write(right, self.cluster.acls.rules | {right})

    def revoke(self, unwanted: Iterable[Right]) -> None:
        """Remove them, one after the other."""
        for right in rules.only_of_the_mirror(unwanted, self.mirror):
            self._write(right, self.cluster.acls.rules - {right}, "lifted ")

    def topic(self, name: str) -> Topic | None:
        """The topic, once the brokers have heard of it."""
        return self.cluster.made.get(name)

    def create_topic(self, topic: Topic) -> None:
        """Ask for it."""
        name = rules.only_offsets(topic.name)
        self._may("Create", f"creating {name}", _OPTIONS)
        there = (name in self.cluster.made and name not in self._going) or name in self._coming
        with self.death.writing(f"topic of the mirror back on the source: {name}", differs=not there):
            self._going.discard(name)
            if not there:
                self._coming[name] = topic

    def remove_topic(self, name: str) -> None:
        """Remove it."""
        rules.only_offsets(name)
        self._may("Delete", f"removing {name}", _OPTIONS)
        there = (name in self.cluster.made and name not in self._going) or name in self._coming
        with self.death.writing(f"topic of the mirror back on the source removed: {name}", differs=there):
            self._coming.pop(name, None)
            self._going.add(name)

    def _write(self, right: Right, rights: set[Right], how: str = "") -> None:
        self._may("Alter", "changing ACLs", "--operation Alter --cluster")
        acls = self.cluster.acls
        told = f"right of the mirror back {how}on the source: {right.operation} {right.resource} {right.name}"
        with self.death.writing(told, differs=rights != acls.rules):
            acls.rules = rights

    def _may(self, operation: str, doing: str, options: str) -> None:
        if operation not in self.may:
            raise Blocked(
                f"source: {doing}: User:kmigrate lacks {operation}",
                hint=f"grant it: kafka-acls.sh --add --allow-principal User:kmigrate {options}",
            )


_OPTIONS = (
    f"--operation Create --operation Delete --resource-pattern-type prefixed --topic {REVERSE.all_connector_offsets}"
)
