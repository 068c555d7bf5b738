"""What the Strimzi operator derives from a KafkaMirrorMaker2: worker properties and connector settings. Pure.

Sources: io.strimzi.operator.cluster.model.KafkaMirrorMaker2Cluster, KafkaMirrorMaker2Connectors,
KafkaConnectConfigurationBuilder (1.2.0); `strimzi.md` §2.6. `Secrets` says what stands in the settings for a secret:
the operator puts references there, a test may put the text itself.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kmigrate.lab.operator.status import Rejected, mapping, objects, setting, whole
from kmigrate.lab.runtime.layout import PLAIN_LOGIN, SCRAM_LOGIN
from kmigrate.lab.runtime.ports import HOST
from kmigrate.lab.runtime.properties import jaas
from kmigrate.model import Json, JsonObject

BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
KINDS = {"sourceConnector": "MirrorSourceConnector", "checkpointConnector": "MirrorCheckpointConnector"}
_CONVERTERS = {"key.converter": BYTES, "value.converter": BYTES, "header.converter": BYTES}
# KafkaMirrorMaker2ClusterSpec.FORBIDDEN_PREFIXES
_FORBIDDEN = (
    *("ssl.", "sasl.", "security.", "listeners", "plugin.path", "rest.", "bootstrap.servers", "group.id"),
    *("consumer.interceptor.classes", "producer.interceptor.classes"),
    *("config.storage.topic", "offset.storage.topic", "status.storage.topic"),
)
_LOGINS = {"plain": ("PLAIN", PLAIN_LOGIN), "scram-sha-512": ("SCRAM-SHA-512", SCRAM_LOGIN)}

Resolve = Callable[[str], str]


class Secrets(Protocol):
    """What settings say for a secret."""

    def keys(self, secret: str) -> Sequence[str]:
        """The keys a Secret has; raises Rejected when there is no such Secret."""
        ...

    def text(self, secret: str, key: str) -> str:
        """What to write for its value; raises Rejected when there is no such key."""
        ...


class KnownSecrets:
    """The values themselves, by Secret and key: for tests that configure Connect without an operator."""

    def __init__(self, values: Mapping[str, Mapping[str, str]]) -> None:
        self._values = values

    def keys(self, secret: str) -> Sequence[str]:
        """The keys a Secret has."""
        return tuple(self._data(secret))

    def text(self, secret: str, key: str) -> str:
        """The value."""
        data = self._data(secret)
        if key not in data:
            raise Rejected("InvalidConfigurationException", f"Items with key(s) [{key}] are missing in Secret {secret}")
        return data[key]

    def _data(self, secret: str) -> Mapping[str, str]:
        if secret not in self._values:
            raise Rejected("InvalidConfigurationException", f"Secret {secret} not found")
        return self._values[secret]


def same(bootstrap: str) -> str:
    """Addresses as they are: for clusters whose names resolve."""
    return bootstrap


def worker_properties(spec: JsonObject, secrets: Secrets, *, rest_port: int, resolve: Resolve = same) -> dict[str, str]:
    """The settings file of a worker of the KafkaMirrorMaker2 with that spec; REST on loopback port `rest_port`.

    `resolve` turns `bootstrapServers` into addresses that can be reached from here.
    """
    return group_properties(mapping(spec.get("target")), secrets, _CONVERTERS, rest_port=rest_port, resolve=resolve)


def group_properties(
    group: JsonObject, secrets: Secrets, defaults: Mapping[str, str], *, rest_port: int, resolve: Resolve = same
) -> dict[str, str]:
    """The same from what `spec.target` of a KafkaMirrorMaker2 and `spec` of a KafkaConnect have in common."""
    client = client_settings(group, secrets, resolve)
    security = {name: value for name, value in client.items() if name != "bootstrap.servers"}
    settings: dict[str, str] = {
        "group.id": str(group["groupId"]),
        "config.storage.topic": str(group["configStorageTopic"]),
        "offset.storage.topic": str(group["offsetStorageTopic"]),
        "status.storage.topic": str(group["statusStorageTopic"]),
        "listeners": f"http://{HOST}:{rest_port}",
        "rest.advertised.host.name": HOST,
        "rest.advertised.port": str(rest_port),
        **defaults,
        **_allowed(group.get("config")),
        **client,
    }
    for prefix in ("producer.", "consumer.", "admin."):
        settings |= {prefix + name: value for name, value in security.items()}
    return settings


def connector_settings(
    spec: JsonObject, mirror: JsonObject, secrets: Secrets, *, kind: str = "sourceConnector", resolve: Resolve = same
) -> dict[str, str]:
    """The flat settings of one connector of a mirror, as they are put to Connect, `name` included."""
    connector = mapping(mirror.get(kind))
    source, target = mapping(mirror.get("source")), mapping(spec.get("target"))
    settings: dict[str, str] = {name: setting(value) for name, value in mapping(connector.get("config")).items()}
    for prefix, cluster in (("source.cluster.", source), ("target.cluster.", target)):
        settings[f"{prefix}alias"] = str(cluster.get("alias"))
        own = {**_allowed(cluster.get("config")), **client_settings(cluster, secrets, resolve)}
        settings |= {prefix + name: value for name, value in own.items()}
    for field, name in _PATTERNS.items():
        if mirror.get(field) is not None:
            settings[name] = str(mirror[field])
    settings["name"] = connector_name(spec, mirror, kind)
    settings["connector.class"] = f"org.apache.kafka.connect.mirror.{KINDS[kind]}"
    settings["tasks.max"] = str(whole(connector.get("tasksMax"), 1))
    return settings


_PATTERNS: Mapping[str, str] = {
    "topicsPattern": "topics",
    "topicsExcludePattern": "topics.exclude",
    "groupsPattern": "groups",
    "groupsExcludePattern": "groups.exclude",
}


def connector_name(spec: JsonObject, mirror: JsonObject, kind: str = "sourceConnector") -> str:
    """`<source alias>-><target alias>.MirrorSourceConnector` (KafkaMirrorMaker2Connectors)."""
    source, target = mapping(mirror.get("source")), mapping(spec.get("target"))
    return f"{source.get('alias')}->{target.get('alias')}.{KINDS[kind]}"


def mirrors(spec: JsonObject) -> tuple[JsonObject, ...]:
    """The mirrors of a KafkaMirrorMaker2."""
    return objects(spec.get("mirrors"))


def client_settings(cluster: JsonObject, secrets: Secrets, resolve: Resolve = same) -> dict[str, str]:
    """Java client settings for `spec.target` or `spec.mirrors[].source`: address, trust, who signs in.

    `tls` with an empty list of certificates trusts the public authorities (`strimzi.md` §2.6).
    """
    servers = resolve(str(cluster["bootstrapServers"]))
    settings = {"bootstrap.servers": servers}
    tls = cluster.get("tls")
    trusted = [_certificates(entry, secrets) for entry in objects(mapping(tls).get("trustedCertificates"))]
    if trusted:
        settings |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": "\n".join(trusted)}
    signs_in = mapping(cluster.get("authentication"))
    encrypted = "SSL" if isinstance(tls, Mapping) else "PLAINTEXT"
    if not signs_in:
        return settings | {"security.protocol": encrypted}
    mechanism, login = _login(signs_in)
    secret = mapping(signs_in.get("passwordSecret"))
    password = secrets.text(str(secret.get("secretName")), str(secret.get("password")))
    return settings | {
        "security.protocol": "SASL_SSL" if encrypted == "SSL" else "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": jaas(login, {"username": str(signs_in.get("username")), "password": password}),
    }


def _login(signs_in: JsonObject) -> tuple[str, str]:
    kind = str(signs_in.get("type"))
    if kind not in _LOGINS:
        raise Rejected("InvalidResourceException", f"the stand-in has no authentication of type {kind}")
    return _LOGINS[kind]


def _certificates(entry: JsonObject, secrets: Secrets) -> str:
    name = str(entry.get("secretName"))
    if entry.get("certificate"):
        return secrets.text(name, str(entry["certificate"]))
    chosen = fnmatch.filter(sorted(secrets.keys(name)), str(entry.get("pattern") or ""))
    return "\n".join(secrets.text(name, key) for key in chosen)


def _allowed(config: Json) -> dict[str, str]:
    return {name: setting(value) for name, value in mapping(config).items() if not name.startswith(_FORBIDDEN)}
