"""Who signs in to the two clusters, and how: kmigrate itself, and applications as far as the plan says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.secrets import SecretReader
from kmigrate.errors import Blocked
from kmigrate.manifests.listeners import outside_address
from kmigrate.model import Application, Auth, Migration, Principal, SecretRef, Side
from kmigrate.probes.resources import require
from kmigrate.world import Key, ResourceStore, World

_MOMENT_MS = 10_000
"""What an operator may take to tell that it has seen to a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """Secrets are looked up anew at every call; `own` is kmigrate's user on the target, `ca` PEM text of the source."""

    world: World
    migration: Migration
    resources: ResourceStore
    secrets: SecretReader
    own: str
    ca: Callable[[], str]

    def ours(self, side: Side) -> Login:
        """How kmigrate signs in."""
        if side is Side.TARGET:
            return self._on_target(self.own)
        source = self.migration.source
        known = {"principal": source.auth.principal, **self.credential(source.auth)}
        return Login(name="source", bootstrap=source.bootstrap, ca=self.ca(), **known)

    def of(self, auth: Auth, side: Side) -> Login:
        """How somebody else signs in where we do."""
        return replace(self.ours(side), principal=auth.principal, **self.credential(auth))

    def of_application(self, app: Application, side: Side) -> tuple[Login, ...]:
        """The application's own credentials on that side, as far as the plan refers to them."""
        return tuple(self._of(each, side) for each in app.principals if self._known(each, side))

    def of_principal(self, who: str, side: Side) -> Login | None:
        """The credential of `User:name`; None where the plan does not refer to it."""
        every = (each for app in self.migration.applications for each in app.principals)
        named = (each for each in every if _name(each, side) == who and self._known(each, side))
        found = next(named, None)
        return self._of(found, side) if found else None

    def credential(self, auth: Auth) -> dict[str, str]:
        """How somebody signs in to the source."""
        return {
            "mechanism": auth.mechanism,
            "username": self.secrets.username(auth),
            "password": self.secrets.resolve(auth.password),
        }

    def target_password(self, user: str) -> str:
        """The password that the operator made for a user.

        A fence that was lifted just now is a change of that user: brokers enforce it before its status says so.
        """
        namespace = self.migration.target.namespace
        require(self.world, Key("KafkaUser", namespace, user), patience_ms=_MOMENT_MS)
        return self.secrets.resolve(SecretRef(namespace=namespace, name=user, key="password"))

    def target_ca(self) -> str:
        """The target's own authority, PEM text."""
        target = self.migration.target
        name = f"{target.cluster}-cluster-ca-cert"
        return self.secrets.resolve(SecretRef(namespace=target.namespace, name=name, key="ca.crt"))

    def target_bootstrap(self) -> str:
        """The address of the plan's listener: by a name of its domain, else as the operator tells it."""
        target = self.migration.target
        kafka = self.resources.get(Key("Kafka", target.namespace, target.cluster))
        listed = kafka.status.get("listeners") if kafka else None
        for listener in listed if isinstance(listed, list | tuple) else ():
            if isinstance(listener, Mapping) and listener.get("name") == target.listener:
                return outside_address(target) or str(listener["bootstrapServers"])
        raise Blocked(
            f"Kafka {target.cluster} tells no address for the listener {target.listener}",
            hint="run `kmigrate apply --phase provision`, or correct target.cluster.listener in the plan file",
        )

    def _known(self, principal: Principal, side: Side) -> bool:
        return side is Side.TARGET or principal.source_auth is not None

    def _of(self, principal: Principal, side: Side) -> Login:
        if side is Side.TARGET:
            return self._on_target(principal.target)
        assert principal.source_auth is not None
        return self.of(principal.source_auth, side)

    def _on_target(self, user: str) -> Login:
        return Login(
            name="target",
            bootstrap=self.target_bootstrap(),
            mechanism="SCRAM-SHA-512",
            username=user,
            password=self.target_password(user),
            ca=self.target_ca(),
        )


def _name(principal: Principal, side: Side) -> str:
    name = principal.source if side is Side.SOURCE else principal.target
    return f"User:{name.removeprefix('User:')}"
