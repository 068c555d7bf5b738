"""Denying clients: ACLs on the source, deny rules of KafkaUsers on the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kmigrate.adapters import rules
from kmigrate.adapters.beside import beside
from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import Connection, Login
from kmigrate.adapters.kafka.lines import Lines
from kmigrate.adapters.kafka.rights import add, may_alter, remove, rights
from kmigrate.adapters.kafka.trials import denied_to
from kmigrate.adapters.kafka.wire import Denied, denied_at
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
    lines: Lines = field(default_factory=Lines, repr=False)

    def allowed(self) -> None:
        """Raise Blocked when our principal may not alter ACLs, as the broker tells it."""
        may_alter(self.connection)

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that stand, by the cluster's own ACLs, exactly as we would write them."""
        return _standing(self.connection, denials)

    def warm(self, denials: Iterable[Denial]) -> None:
        """Sign in at every broker as kmigrate and as those who are to be denied."""
        _warm(self, denials)

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
        return _proven(self, denials)

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
    lines: Lines = field(default_factory=Lines, repr=False)

    def allowed(self) -> None:
        """The resources are ours to change; the operator writes the ACLs."""

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that stand, by the cluster's own ACLs."""
        return _standing(self.connection, denials)

    def warm(self, denials: Iterable[Denial]) -> None:
        """Sign in at every broker as kmigrate and as those who are to be denied."""
        _warm(self, denials)

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
        return _proven(self, denials)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """The KafkaUsers to edit."""
        return tuple(rules.edit(self.namespace, denial) for denial in denials)


def _warm(fence: AclFence | UserFence, denials: Iterable[Denial]) -> None:
    brokers = KafkaCluster(fence.connection).brokers()
    _listed(fence, brokers)
    _tried(fence, brokers, denials)


def _proven(fence: AclFence | UserFence, denials: Iterable[Denial]) -> dict[Denial, str]:
    """The denials that every advertised broker answers itself, and enforces where the principal can be signed in as.

    One that a broker answers and does not enforce is missing: the credential may be another principal's.
    """
    wanted = tuple(denials)
    brokers = KafkaCluster(fence.connection).brokers() if wanted else ()
    listed = _listed(fence, brokers)
    every = (denial for denial in wanted if brokers and (denial.principal, *_wanted(denial)) in listed)
    return _tried(fence, brokers, every)


def _listed(fence: AclFence | UserFence, brokers: Sequence[str]) -> frozenset[Denied]:
    """What all of the brokers answer."""
    answers = beside(lambda broker: denied_at(broker, fence.connection.login, fence.lines.asking), brokers)
    return frozenset[Denied]().union(*answers[:1]).intersection(*answers)


def _tried(fence: AclFence | UserFence, brokers: Sequence[str], listed: Iterable[Denial]) -> dict[Denial, str]:
    by_principal: dict[str, list[Denial]] = {}
    for denial in listed:
        by_principal.setdefault(denial.principal, []).append(denial)
    proofs = beside(lambda of: _tried_as(fence, brokers, *of), by_principal.items())
    return {denial: told for proof in proofs for denial, told in proof.items()}


def _tried_as(
    fence: AclFence | UserFence, brokers: Sequence[str], principal: str, listed: Sequence[Denial]
) -> dict[Denial, str]:
    by_rule = f"listed: all {len(brokers)} brokers answer the rule"
    try:
        login = fence.logins(principal)
        if login is None:
            return dict.fromkeys(listed, by_rule)
        wanted = tuple(map(_wanted, listed))
        answers = beside(lambda broker: denied_to(broker, login, wanted, fence.lines.asking), brokers)
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
