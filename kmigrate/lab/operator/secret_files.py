"""Secrets as files that Connect reads when it needs them, so that no setting holds one.

Strimzi refers to `${strimzisecrets:namespace/secret:key}` and reads them from Kubernetes; here the same alias reads
files of mode 0600 (org.apache.kafka.common.config.provider.DirectoryConfigProvider).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from kmigrate.lab.operator.connectors import KnownSecrets
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.world import ResourceStore

ALIAS = "strimzisecrets"
PROVIDER = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"


class SecretFiles:
    """References to files under `folder`; remembers what was used."""

    def __init__(self, store: ResourceStore, namespace: str, folder: Path) -> None:
        secrets = store.list("Secret", namespace)
        self._values = KnownSecrets(
            {one.key.name: {key: str(text) for key, text in one.data.items()} for one in secrets}
        )
        self._folder = folder
        self._used: dict[str, str] = {}

    def keys(self, secret: str) -> Sequence[str]:
        """The keys a Secret has."""
        return self._values.keys(secret)

    def text(self, secret: str, key: str) -> str:
        """A reference to the value, which lies in its file when this returns."""
        value = self._values.text(secret, key)
        path = self._folder / secret / key
        if not path.exists() or path.read_text() != value:
            write_secret(path, value)
        self._used[f"{secret}/{key}"] = hashlib.sha256(value.encode()).hexdigest()
        return f"${{{ALIAS}:{path.parent}:{key}}}"

    def used(self) -> dict[str, str]:
        """Hashes of the values that were asked for."""
        return dict(sorted(self._used.items()))
