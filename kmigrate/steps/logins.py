"""How the mirrors sign in on either side: whose Secret holds what, in the target's namespace."""

from __future__ import annotations

from kmigrate.errors import Blocked
from kmigrate.manifests.internal import FORWARD_LOGIN, REVERSE_LOGIN, SOURCE_AUTHORITY
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.mirror import Endpoint
from kmigrate.model import Auth, Migration, SecretRef

_KEY = "password"  # as the operator calls it in the Secrets that it makes


def wanted_secrets(migration: Migration) -> tuple[tuple[str, str, SecretRef], ...]:
    """Secret, key and what goes into it: each mirror's password on the source, and the authority both trust."""
    back, ca = migration.reverse_auth, migration.source.ca
    return (
        (FORWARD_LOGIN, _KEY, migration.mirror_auth.password),
        *(((REVERSE_LOGIN, _KEY, back.password),) if back else ()),
        *(((SOURCE_AUTHORITY, "ca.crt", SecretRef(file=ca)),) if ca else ()),
    )


def secret_of(migration: Migration, auth: Auth) -> tuple[str, str]:
    """Secret and key from which a mirror takes its password on the source."""
    return (REVERSE_LOGIN if auth is migration.reverse_auth else FORWARD_LOGIN), _KEY


def at_source(migration: Migration, auth: Auth, login: str, secret: str) -> Endpoint:
    """The source, signed in to as `login` with the password in `secret`."""
    return Endpoint(
        bootstrap=migration.source.bootstrap,
        mechanism=auth.type,
        username=login,
        password=(secret, _KEY),
        ca=(SOURCE_AUTHORITY, "ca.crt") if migration.source.ca else None,
    )


def at_target(migration: Migration, user: str) -> Endpoint:
    """The target, signed in to as a KafkaUser, whose Secret the operator makes."""
    return Endpoint(
        bootstrap=bootstrap(migration.target),
        mechanism="scram-sha-512",
        username=user,
        password=(user, _KEY),
        ca=(ca_secret(migration.target), "ca.crt"),
    )


def acl_name(auth: Auth, key: str) -> str:
    """What ACLs of the source call whoever has the credential, `User:…`."""
    return auth.known_as or f"User:{login_name(auth, key)}"


def login_name(auth: Auth, key: str = "mirror.forward") -> str:
    """The user name of a credential where the plan writes it out; the mirror's resource needs it in clear."""
    if isinstance(auth.username, str):
        return auth.username
    raise Blocked(
        "the mirror's user name must be written in the plan file: the mirror's resource holds it in clear",
        hint=f"set {key}.auth.username to the API key itself; its secret stays a reference",
    )
