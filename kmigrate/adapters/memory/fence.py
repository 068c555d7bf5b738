"""Denying clients in memory: ACLs of a cluster, or deny rules of KafkaUsers that the slow operator makes real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.adapters import rules
from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.errors import Blocked
from kmigrate.model import Denial, Right


@dataclass(slots=True)
class MemoryAclFence(State):
    """DENY ACLs (world.Fence); `spared` are principals never to be denied, of the `known` we have the credential."""

    side: str
    cluster: MemoryCluster
    death: Death
    spared: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    may_alter: bool = True

    def allowed(self) -> None:
        """Raise Blocked when our principal may not alter ACLs."""
        if not self.may_alter:
            raise Blocked(
                f"{self.side}: changing ACLs: kmigrate lacks Alter on the cluster",
                hint=f"grant it: kafka-acls.sh --bootstrap-server {self.cluster.brokers()[0]} --add --operation Alter",
            )

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that are written."""
        return frozenset(self.cluster.acls.denied() & set(denials))

    def warm(self, denials: Iterable[Denial]) -> None:
        """Nothing is opened here."""

    def deny(self, denials: Iterable[Denial]) -> None:
        """Write them, one after the other."""
        wanted = tuple(denials)
        rules.spare(wanted, self.spared)
        for right in map(rules.right, wanted):
            self._write(right, self.cluster.acls.rules | {right})

    def lift(self, denials: Iterable[Denial]) -> None:
        """Remove them, one after the other."""
        for right in map(rules.right, denials):
            self._write(right, self.cluster.acls.rules - {right})

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """Those that the brokers enforce."""
        return _enforced(self.cluster, denials, self.known)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """One kafka-acls.sh per denial."""
        return tuple(rules.removal(self.cluster.brokers()[0], denial) for denial in denials)

    def _write(self, right: Right, rights: set[Right]) -> None:
        acls = self.cluster.acls
        lifted = "" if right in rights else " lifted"
        with self.death.writing(f"denial on the {self.side}{lifted}", differs=rights != acls.rules):
            acls.rules = rights


@dataclass(slots=True)
class MemoryUserFence(State):
    """Deny rules in KafkaUsers (world.Fence); `spared` and `known` as above."""

    store: MemoryStore
    namespace: str
    cluster: MemoryCluster
    spared: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def allowed(self) -> None:
        """The resources are ours to change."""

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that the operator has written."""
        return frozenset(self.cluster.acls.denied() & set(denials))

    def warm(self, denials: Iterable[Denial]) -> None:
        """Nothing is opened here."""

    def deny(self, denials: Iterable[Denial]) -> None:
        """Add the rules."""
        wanted = tuple(denials)
        rules.spare(wanted, self.spared)
        rules.deny(self.store, self.namespace, wanted)

    def lift(self, denials: Iterable[Denial]) -> None:
        """Take the rules away."""
        rules.lift(self.store, self.namespace, denials)

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """Those that the brokers enforce."""
        return _enforced(self.cluster, denials, self.known)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """The KafkaUsers to edit."""
        return tuple(rules.edit(self.namespace, denial) for denial in denials)


def _enforced(cluster: MemoryCluster, denials: Iterable[Denial], known: frozenset[str]) -> dict[Denial, str]:
    return {one: _told(cluster, one, known) for one in denials if rules.right(one) in cluster.acls.enforced}


def _told(cluster: MemoryCluster, one: Denial, known: frozenset[str]) -> str:
    count, user = len(cluster.brokers()), one.principal.removeprefix("User:")
    tried = one.principal in known and user in cluster.users
    return f"tried: all {count} brokers refuse {user}" if tried else f"listed: all {count} brokers answer the rule"
