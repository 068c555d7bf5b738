"""How an application signs in, from the files in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

Config = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Address and credentials of one cluster; `ca` is a PEM file, empty for the public authorities."""

    bootstrap: str
    protocol: str
    mechanism: str
    username: str
    password: str
    ca: str

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """Read settings.json and the files it names; OSError or KeyError when something is missing."""
        raw: dict[str, str] = json.loads((folder / "settings.json").read_text())
        return cls(
            bootstrap=raw["bootstrap"],
            protocol=raw["protocol"],
            mechanism=raw.get("mechanism", ""),
            username=raw.get("username", ""),
            password=(folder / raw["password_file"]).read_text().strip() if raw.get("password_file") else "",
            ca=str(folder / raw["ca"]) if raw.get("ca") else "",
        )

    def client(self, name: str) -> Config:
        """What every librdkafka client of the application `name` needs to sign in (CONFIGURATION.md of librdkafka)."""
        config: Config = {
            "bootstrap.servers": self.bootstrap,
            "client.id": name,
            "security.protocol": self.protocol,
            "reconnect.backoff.max.ms": 1000,
            "allow.auto.create.topics": False,
            "log_level": 2,
        }
        if self.mechanism:
            config |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        return config | ({"ssl.ca.location": self.ca} if self.ca else {})
