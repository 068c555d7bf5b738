"""Denying clients: ACLs on the source, deny rules of KafkaUsers on the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.adapters import rules
from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.rights import add, may_alter, remove, rights
from kmigrate.adapters.kafka.wire import denied_at
from kmigrate.model import Denial
from kmigrate.world import ResourceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AclFence:
    """DENY ACLs that kmigrate's own principal writes (world.Fence); `spared` are principals never to be denied."""

    connection: Connection
    spared: frozenset[str]

    def allowed(self) -> None:
        """Raise Blocked when our principal may not alter ACLs, as the broker tells it."""
        may_alter(self.connection)

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that stand, by the cluster's own ACLs, exactly as we would write them."""
        return _standing(self.connection, denials)

    def deny(self, denials: Iterable[Denial]) -> None:
        """Write the ACLs. Raises Blocked for a spared principal before anything is written."""
        wanted = tuple(denials)
        rules.spare(wanted, self.spared)
        add(self.connection, map(rules.right, wanted))

    def lift(self, denials: Iterable[Denial]) -> None:
        """Remove the ACLs."""
        remove(self.connection, map(rules.right, denials))

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """Listed by every broker, each asked itself."""
        return listed_everywhere(self.connection, denials)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """One kafka-acls.sh per denial."""
        return tuple(rules.removal(self.connection.login.bootstrap, denial) for denial in denials)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFence:
    """Deny rules in KafkaUsers (world.Fence): the operator removes ACLs that are not in the resource."""

    store: ResourceStore
    namespace: str
    connection: Connection
    spared: frozenset[str]

    def allowed(self) -> None:
        """The resources are ours to change; the operator writes the ACLs."""

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that stand, by the cluster's own ACLs."""
        return _standing(self.connection, denials)

    def deny(self, denials: Iterable[Denial]) -> None:
        """Add the rules; others stay. Raises Blocked for a spared principal and for a user that is not there."""
        wanted = tuple(denials)
        rules.spare(wanted, self.spared)
        rules.deny(self.store, self.namespace, wanted)

    def lift(self, denials: Iterable[Denial]) -> None:
        """Take the rules away; others stay."""
        rules.lift(self.store, self.namespace, denials)

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """Listed by every broker, each asked itself."""
        return listed_everywhere(self.connection, denials)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """The KafkaUsers to edit."""
        return tuple(rules.edit(self.namespace, denial) for denial in denials)


def listed_everywhere(connection: Connection, denials: Iterable[Denial]) -> dict[Denial, str]:
    """The denials that every advertised broker answers itself, with how many were asked."""
    brokers = KafkaCluster(connection).brokers()
    answers = [denied_at(broker, connection.login) for broker in brokers]
    return {
        denial: f"listed: all {len(brokers)} brokers answer the rule"
        for denial in denials
        if brokers and all((denial.principal, denial.resource, denial.name, denial.operation) in a for a in answers)
    }


def _standing(connection: Connection, denials: Iterable[Denial]) -> frozenset[Denial]:
    listed = set(rights(connection))
    return frozenset(denial for denial in denials if rules.right(denial) in listed)
