"""Secrets by reference in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.errors import UsageError
from kmigrate.model import SecretRef
from kmigrate.world import Key


@dataclass(slots=True)
class MemorySecrets(State):
    """Copies in the target's namespace (world.Secrets); what a reference points to is told by its own words.

    `empty` are references that point to nothing.
    """

    store_of: MemoryStore
    namespace: str
    empty: set[SecretRef] = field(default_factory=set)

    def exists(self, name: str) -> bool:
        """Whether there is such a Secret."""
        return self.store_of.get(Key("Secret", self.namespace, name)) is not None

    def stored(self, name: str, key: str, reference: SecretRef) -> bool:
        """Whether the Secret holds what the reference points to."""
        return self._held(self.namespace, name, key) == self._resolve(reference)

    def store(self, name: str, key: str, reference: SecretRef) -> None:
        """Put what the reference points to into the Secret."""
        metadata = {"name": name, "namespace": self.namespace}
        data = {key: self._resolve(reference)}
        self.store_of.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        )

    def remove(self, name: str) -> None:
        """Remove the Secret."""
        self.store_of.delete(Key("Secret", self.namespace, name))

    def _resolve(self, reference: SecretRef) -> str:
        value: str | None = f"what {reference} holds"
        if not reference.env and not reference.file:
            value = self._held(reference.namespace or self.namespace, reference.name, reference.key)
        if not value or reference in self.empty:
            raise UsageError(f"{reference} holds no secret", hint="set it, then run the same command again")
        return value

    def _held(self, namespace: str, name: str, key: str) -> str | None:
        secret = self.store_of.get(Key("Secret", namespace, name))
        value = secret.data.get(key) if secret else None
        return value if isinstance(value, str) else None
