"""How kmigrate signs in to a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Settings: TypeAlias = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How kmigrate signs in to a cluster; `ca` is PEM text, empty for the public authorities.

    `principal` (`User:…`) is what ACLs call it, where that is not the user name.
    """

    name: str
    bootstrap: str
    mechanism: str
    username: str
    password: str = field(repr=False)
    ca: str = ""
    principal: str = ""

    def settings(self) -> Settings:
        """Settings of librdkafka."""
        secure: Settings = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
            "client.id": "kmigrate",
            "log_level": 0,
            "socket.connection.setup.timeout.ms": 10_000,
        }
        return {**secure, "ssl.ca.pem": self.ca} if self.ca else secure


def granting(login: Login, right: str) -> str:
    """The command that grants our principal a right, given in options of `kafka-acls.sh`."""
    address = f"--bootstrap-server {login.bootstrap} --command-config admin.properties"
    return f"kafka-acls.sh {address} --add --allow-principal {login.principal or f'User:{login.username}'} {right}"
