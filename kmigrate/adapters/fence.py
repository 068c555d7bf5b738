"""Denying clients: ACLs on the source, deny rules of KafkaUsers on the target."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import Connection
from kmigrate.adapters.kafka.rights import add, remove, rights
from kmigrate.adapters.kafka.wire import denied_at
from kmigrate.errors import Blocked
from kmigrate.manifests.users import denials as denied_rules
from kmigrate.model import Denial, JsonObject, Right
from kmigrate.world import Key, Resource, ResourceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AclFence:
    """DENY ACLs that kmigrate's own principal writes (world.Fence); `spared` are principals never to be denied."""

    connection: Connection
    spared: frozenset[str]

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that stand, by the cluster's own ACLs, exactly as we would write them."""
        listed = set(rights(self.connection))
        return frozenset(denial for denial in denials if _right(denial) in listed)

    def deny(self, denials: Iterable[Denial]) -> None:
        """Write the ACLs. Raises Blocked for a spared principal before anything is written."""
        wanted = tuple(denials)
        spare(wanted, self.spared)
        add(self.connection, (_right(denial) for denial in wanted))

    def lift(self, denials: Iterable[Denial]) -> None:
        """Remove the ACLs."""
        remove(self.connection, (_right(denial) for denial in denials))

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """Listed by every broker, each asked itself."""
        return listed_everywhere(self.connection, denials)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """One kafka-acls.sh per denial."""
        return tuple(_removal(self.connection.login.bootstrap, denial) for denial in denials)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFence:
    """Deny rules in KafkaUsers (world.Fence): the operator removes ACLs that are not in the resource."""

    store: ResourceStore
    namespace: str
    connection: Connection
    spared: frozenset[str]

    def standing(self, denials: Iterable[Denial]) -> frozenset[Denial]:
        """Those that stand, by the cluster's own ACLs."""
        listed = set(rights(self.connection))
        return frozenset(denial for denial in denials if _right(denial) in listed)

    def deny(self, denials: Iterable[Denial]) -> None:
        """Add the rules; others stay. Raises Blocked for a spared principal and for a user that is not there."""
        wanted = tuple(denials)
        spare(wanted, self.spared)
        for denial in wanted:
            user = self._user(denial)
            if user is None:
                raise Blocked(f"there is no KafkaUser for {denial.principal}", hint="run `kmigrate apply` again")
            if _rule(denial) not in denied_rules(user.spec):
                self.store.apply(_with_rules(user, (*_acls(user), _rule(denial))))

    def lift(self, denials: Iterable[Denial]) -> None:
        """Take the rules away; others stay."""
        for denial in denials:
            user = self._user(denial)
            if user is not None and _rule(denial) in denied_rules(user.spec):
                self.store.apply(_with_rules(user, tuple(acl for acl in _acls(user) if acl != _rule(denial))))

    def proof(self, denials: Iterable[Denial]) -> Mapping[Denial, str]:
        """Listed by every broker, each asked itself."""
        return listed_everywhere(self.connection, denials)

    def commands(self, denials: Iterable[Denial]) -> tuple[str, ...]:
        """The KafkaUsers to edit: the operator would write an ACL that only the cluster lost again."""
        edit = f"kubectl --namespace {self.namespace} edit kafkauser"
        return tuple(f"{edit} {_name(denial)}  # remove the deny rule: {denial}" for denial in denials)

    def _user(self, denial: Denial) -> Resource | None:
        return self.store.get(Key("KafkaUser", self.namespace, _name(denial)))


def spare(denials: Iterable[Denial], spared: frozenset[str]) -> None:
    """Raise Blocked when a denial would catch kmigrate itself or a mirror."""
    for denial in denials:
        if denial.principal in spared or denial.principal == "User:*":
            raise Blocked(
                f"{denial.principal} is not denied anything: kmigrate or the mirror signs in with it",
                hint="give the application a principal of its own and name it in the plan file",
            )


def listed_everywhere(connection: Connection, denials: Iterable[Denial]) -> dict[Denial, str]:
    """The denials that every advertised broker answers itself, with how many were asked."""
    brokers = KafkaCluster(connection).brokers()
    answers = [denied_at(broker, connection.login) for broker in brokers]
    return {
        denial: f"listed: all {len(brokers)} brokers answer the rule"
        for denial in denials
        if brokers and all((denial.principal, denial.resource, denial.name, denial.operation) in a for a in answers)
    }


def _right(one: Denial) -> Right:
    return Right(principal=one.principal, resource=one.resource, name=one.name, operation=one.operation, type="deny")


def _removal(bootstrap: str, denial: Denial) -> str:
    return shlex.join(
        [
            *("kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties", "--remove"),
            *("--force", "--deny-principal", denial.principal, "--operation", denial.operation),
            *(f"--{denial.resource}", denial.name),
        ]
    )


def _name(denial: Denial) -> str:
    return denial.principal.removeprefix("User:")


def _rule(denial: Denial) -> JsonObject:
    place: JsonObject = {"type": denial.resource, "name": denial.name, "patternType": "literal"}
    return {"type": "deny", "resource": place, "operations": [denial.operation], "host": "*"}


def _acls(user: Resource) -> tuple[JsonObject, ...]:
    authorization = user.spec.get("authorization")
    listed = authorization.get("acls") if isinstance(authorization, Mapping) else None
    return tuple(acl for acl in listed if isinstance(acl, Mapping)) if isinstance(listed, list | tuple) else ()


def _with_rules(user: Resource, acls: tuple[JsonObject, ...]) -> JsonObject:
    """The whole resource with these rules, on condition that nobody wrote it since (its resourceVersion)."""
    kept = {name: value for name, value in user.body.items() if name != "status"}
    return {**kept, "spec": {**user.spec, "authorization": {"type": "simple", "acls": list(acls)}}}
