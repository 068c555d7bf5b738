"""Secrets by reference: resolved here, at the last moment, for those who sign in with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kmigrate.errors import UsageError
from kmigrate.model import Auth, SecretRef
from kmigrate.world import Key, ResourceStore


@dataclass(frozen=True, slots=True)
class SecretReader:
    """Resolves references and keeps copies in the target's namespace (world.Secrets)."""

    resources: ResourceStore
    namespace: str

    def resolve(self, reference: SecretRef) -> str:
        """The secret itself; raises UsageError naming the reference when it is not there. Adapters only."""
        if reference.env:
            value = os.environ.get(reference.env)
        elif reference.file:
            value = _read(reference)
        else:
            value = self._stored(reference.namespace or self.namespace, reference.name, reference.key)
        if not value:
            raise UsageError(f"{reference} holds no secret", hint="set it, then run the same command again")
        return value

    def username(self, auth: Auth) -> str:
        """Who signs in."""
        return auth.username if isinstance(auth.username, str) else self.resolve(auth.username)

    def exists(self, name: str) -> bool:
        """Whether there is such a Secret."""
        return self.resources.get(Key("Secret", self.namespace, name)) is not None

    def stored(self, name: str, key: str, reference: SecretRef) -> bool:
        """Whether the Secret holds what the reference points to."""
        return self._stored(self.namespace, name, key) == self.resolve(reference)

    def remove(self, name: str) -> None:
        """Remove the Secret."""
        self.resources.delete(Key("Secret", self.namespace, name))

    def store(self, name: str, key: str, reference: SecretRef) -> None:
        """Put what the reference points to into the Secret."""
        self.resources.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": self.namespace},
                "type": "Opaque",
                "data": {key: self.resolve(reference)},
            }
        )

    def _stored(self, namespace: str, name: str, key: str) -> str | None:
        secret = self.resources.get(Key("Secret", namespace, name))
        value = secret.data.get(key) if secret else None
        return value if isinstance(value, str) else None


def _read(reference: SecretRef) -> str:
    try:
        return Path(reference.file).read_text().strip()
    except OSError as error:
        raise UsageError(f"{reference} cannot be read: {error.strerror}", hint="put the secret there") from error
    except UnicodeDecodeError:
        # not chained: this error carries the bytes that it could not read
        raise UsageError(f"{reference} is no UTF-8 text", hint="put the secret there, and nothing else") from None
