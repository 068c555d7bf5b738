"""Trying what a credential may do: sign in at every broker; an application's looks for its topics and groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kmigrate.adapters.kafka.connection import Login
from kmigrate.adapters.kafka.trials import refused_at
from kmigrate.adapters.kafka.wire import asking
from kmigrate.adapters.rules import looked_for
from kmigrate.errors import Interrupted, KmigrateError
from kmigrate.model import Application, Auth, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAccess:
    """Signs in as the application (world.Access); asks what it is allowed (KIP-430), and so changes nothing."""

    application: Callable[[str], Application]
    brokers: Callable[[], tuple[str, ...]]
    logins: Callable[[Application], tuple[Login, ...]]
    signed: Callable[[Auth], Login]

    def try_out(self, application: str) -> tuple[Trial, ...]:
        """One trial per credential, broker and subject; empty when the plan refers to no credential on that side."""
        app = self.application(application)
        logins = self.logins(app)
        brokers = self.brokers() if logins else ()
        return tuple(trial for login in logins for broker in brokers for trial in _trials(app, login, broker))

    def sign_in(self, auth: Auth) -> tuple[Trial, ...]:
        """One trial per address; both those that are told to clients and those that brokers advertise."""
        login = self.signed(auth)
        places = dict.fromkeys((*login.bootstrap.split(","), *self.brokers()))
        return tuple(_signing(login, broker) for broker in places)


def _signing(login: Login, broker: str) -> Trial:
    why = ""
    try:
        with asking(broker, login):
            pass
    except Interrupted:
        raise
    except KmigrateError as error:
        why = str(error)
    return Trial(broker=broker, subject=f"sign in as {login.username}", ok=not why, detail=why)


def _trials(app: Application, login: Login, broker: str) -> tuple[Trial, ...]:
    signing = f"sign in as {login.username}"
    try:
        found = refused_at(broker, login, looked_for(app))
    except Interrupted:
        raise
    except KmigrateError as error:
        return (Trial(broker=broker, subject=signing, ok=False, detail=str(error)),)
    seen = (Trial(broker=broker, subject=subject, ok=not why, detail=why) for subject, why in found.items())
    return (Trial(broker=broker, subject=signing, ok=True), *seen)
