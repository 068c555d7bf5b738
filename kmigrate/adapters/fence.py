"""Denying clients: ACLs on the source, deny rules of KafkaUsers on the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from kmigrate.adapters import rules
from kmigrate.adapters.beside import beside
from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import Connection, Login
from kmigrate.adapters.kafka.rights import add, may_alter, remove, rights
from kmigrate.adapters.kafka.trials import denied_to
from kmigrate.adapters.kafka.wire import denied_at
from kmigrate.errors import Interrupted, KmigrateError, Transient
from kmigrate.model import Denial
from kmigrate.world import ResourceStore

Logins = Callable[[str], Login | None]
"""How a principal (`User:name`) signs in; None where the plan does not refer to its credential."""


def no_logins(principal: str) -> None:
    """Nobody's credential is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AclFence:
    """DENY ACLs that kmigrate's own principal writes (world.Fence); `spared` are principals never to be denied."""

    connection: Connection
    spared: frozenset[str]
    logins: Logins = no_logins

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
        """Listed by every broker, each asked itself, and tried there where the credential is known."""
        return proven_everywhere(self.connection, denials, self.logins)

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
    logins: Logins = no_logins

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
        """Listed by every broker, each asked itself, and tried there where the credential is known."""
        return proven_everywhere(self.connection, denials, self.logins)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """The KafkaUsers to edit."""
        return tuple(rules.edit(self.namespace, denial) for denial in denials)


def proven_everywhere(connection: Connection, denials: Iterable[Denial], logins: Logins) -> dict[Denial, str]:
    """The denials that every advertised broker answers itself, and enforces where the principal can be signed in as.

    One that a broker answers and does not enforce is missing: the credential may be another principal's.
    """
    wanted = tuple(denials)
    brokers = KafkaCluster(connection).brokers() if wanted else ()
    answers = beside(lambda broker: denied_at(broker, connection.login), brokers)
    by_principal: dict[str, list[Denial]] = {}
    for denial in wanted:
        if brokers and all((denial.principal, *_wanted(denial)) in answer for answer in answers):
            by_principal.setdefault(denial.principal, []).append(denial)
    proofs = beside(lambda of: _tried(brokers, of[1], partial(logins, of[0])), by_principal.items())
    return {denial: told for proof in proofs for denial, told in proof.items()}


def _tried(brokers: Sequence[str], listed: Sequence[Denial], signing: Callable[[], Login | None]) -> dict[Denial, str]:
    by_rule = f"listed: all {len(brokers)} brokers answer the rule"
    try:
        login = signing()
        if login is None:
            return dict.fromkeys(listed, by_rule)
        answers = beside(lambda broker: denied_to(broker, login, map(_wanted, listed)), brokers)
    except (Interrupted, Transient):
        raise
    except KmigrateError as error:
        return dict.fromkeys(listed, f"{by_rule} (not tried: {error.message})")
    told = f"tried: all {len(brokers)} brokers refuse {login.username}"
    return {denial: told for denial in listed if all(_wanted(denial) in answer for answer in answers)}


def _wanted(denial: Denial) -> tuple[str, str, str]:
    return denial.resource, denial.name, denial.operation


def _standing(connection: Connection, denials: Iterable[Denial]) -> frozenset[Denial]:
    listed = set(rights(connection))
    return frozenset(denial for denial in denials if rules.right(denial) in listed)
