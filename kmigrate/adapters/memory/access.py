"""Trying in memory what an application's own credential may do: the enforced ACLs answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.rules import looked_for
from kmigrate.model import Application, Auth, Migration, Side, Trial


@dataclass(slots=True)
class MemoryAccess(State):
    """Signs in at every broker (world.Access); `refusals` are what one broker alone refuses, by broker and subject."""

    migration: Migration
    side: Side
    cluster: MemoryCluster
    refusals: dict[tuple[str, str], str] = field(default_factory=dict)

    def try_out(self, application: str) -> tuple[Trial, ...]:
        """One trial per credential, broker and subject."""
        app = self.migration.application(application)
        brokers = self.cluster.brokers()
        return tuple(t for user in self._users(app) for broker in brokers for t in self._trials(app, user, broker))

    def sign_in(self, auth: Auth) -> tuple[Trial, ...]:
        """One trial per broker; a name that is only referred to is let in."""
        name = str(auth.username)
        known = name in self.cluster.users or not isinstance(auth.username, str)
        told, subject = "" if known else f"wrong password for {name}", f"sign in as {name}"
        found = {broker: self.refusals.get((broker, subject), told) for broker in self.cluster.brokers()}
        return tuple(Trial(broker=each, subject=subject, ok=not why, detail=why) for each, why in found.items())

    def _users(self, app: Application) -> tuple[str, ...]:
        if self.side is Side.TARGET:
            return tuple(principal.target for principal in app.principals)
        known = (principal for principal in app.principals if principal.source_auth is not None)
        return tuple(principal.source.removeprefix("User:") for principal in known)

    def _trials(self, app: Application, user: str, broker: str) -> Iterator[Trial]:
        there = user in self.cluster.users
        refused = "" if there else f"wrong password for {user}"
        yield Trial(broker=broker, subject=f"sign in as {user}", ok=there, detail=refused)
        found: dict[str, str] = {}
        for resource, name, operation in looked_for(app) if there else ():
            subject = f"{resource} {name}"
            found[subject] = found.get(subject) or self._refused(user, resource, name, operation)
        for subject, why in found.items():
            told = self.refusals.get((broker, subject), why)
            yield Trial(broker=broker, subject=subject, ok=not told, detail=told)

    def _refused(self, user: str, resource: str, name: str, operation: str) -> str:
        if resource == "topic" and name not in self.cluster.made:
            return "not there, or not to be seen"
        may = self.cluster.acls.allows(f"User:{user}", resource, name, operation)
        return "" if may else f"{operation} is not allowed"
