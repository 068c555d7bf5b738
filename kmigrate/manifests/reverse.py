"""The reverse mirror: a KafkaConnect on the target, a KafkaConnector per reverse lane (`lab.md`, `strimzi.md` §2.7).

A KafkaMirrorMaker2 would keep Connect's topics on the source; so the lanes are connectors of the target's own workers,
with clients of the source. The operator lets the workers read no Secrets but those of their own sign-in, so all that
connectors need are mounted as files, which need no right, follow their Secret, and roll nothing when it changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from kmigrate.manifests.internal import MirrorNames
from kmigrate.manifests.kafka import KAFKA_VERSION
from kmigrate.manifests.mirror import STOPPED, Endpoint, group_spec, reverse_connector, steering
from kmigrate.manifests.names import resource
from kmigrate.model import Json, JsonObject, Lane, Target

USE_RESOURCES = "strimzi.io/use-connector-resources"
_ALIAS = "mounted"
_FOLDER = "/mnt/kmigrate"
_PROVIDER = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
_LOGINS = {
    "plain": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "scram-sha-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def reverse_connect(
    names: MirrorNames, target: Target, *, reads_from: Endpoint, writes_to: Endpoint, workers: int = 1
) -> JsonObject:
    """The KafkaConnect of all reverse lanes, on the target (`reads_from`), with the Secrets of both sides mounted.

    No lane is named in it: connectors come and change their state without rolling the pods.
    """
    providers: dict[str, Json] = {
        "config.providers": _ALIAS,
        f"config.providers.{_ALIAS}.class": _PROVIDER,
        f"config.providers.{_ALIAS}.param.allowed.paths": _FOLDER,
    }
    spec: JsonObject = {
        "version": KAFKA_VERSION,
        "replicas": workers,
        **group_spec(names, reads_from, providers),
        "template": _template((reads_from, writes_to)),
    }
    asked = {USE_RESOURCES: "true"}
    return resource("KafkaConnect", names.group, target.namespace, spec, ours=True, annotations=asked)


def reverse_lane(
    names: MirrorNames,
    lane: Lane,
    target: Target,
    *,
    reads_from: Endpoint,
    writes_to: Endpoint,
    state: str = STOPPED,
    all_begin_written: bool = False,
    largest: int = 0,
) -> JsonObject:
    """The KafkaConnector of one reverse lane, made stopped; it copies from `reads_from` to `writes_to`.

    `all_begin_written`: every T_c > 0, known once the topics are handed over (`reverse_connector`).
    """
    settings = reverse_connector(
        lane,
        target_client=_client(reads_from),
        source_client=_client(writes_to),
        offsets_topic=names.connector_offsets(lane),
        all_begin_written=all_begin_written,
        largest=largest,
    )
    spec: JsonObject = {
        "class": settings.pop("connector.class"),
        "tasksMax": int(settings.pop("tasks.max")),
        "config": settings,
        **steering(names, lane, state),
    }
    return resource("KafkaConnector", lane.connector, target.namespace, spec, cluster=names.group, ours=True)


def _client(endpoint: Endpoint) -> dict[str, str]:
    """Java client settings that name where each secret is mounted."""
    trust = {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _mounted(*endpoint.ca)} if endpoint.ca else {}
    login, user = _LOGINS[endpoint.mechanism], endpoint.username.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "bootstrap.servers": endpoint.bootstrap,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": endpoint.mechanism.upper(),
        "sasl.jaas.config": f'{login} required username="{user}" password="{_mounted(*endpoint.password)}";',
        **trust,
    }


def _mounted(secret: str, key: str) -> str:
    return f"${{{_ALIAS}:{_FOLDER}/{secret}:{key}}}"


def _template(endpoints: Iterable[Endpoint]) -> JsonObject:
    """A volume for each Secret, with just the keys that are used: the authority's own has a password beside it."""
    keys: dict[str, set[str]] = {}
    for endpoint in endpoints:
        for secret, key in (endpoint.password, *([endpoint.ca] if endpoint.ca else [])):
            keys.setdefault(secret, set()).add(key)
    secrets = sorted(keys)
    volumes: list[Json] = [_volume(number, name, sorted(keys[name])) for number, name in enumerate(secrets)]
    mounts: list[Json] = [
        {"name": f"secret-{number}", "mountPath": f"{_FOLDER}/{name}", "readOnly": True}
        for number, name in enumerate(secrets)
    ]
    return {"pod": {"volumes": volumes}, "connectContainer": {"volumeMounts": mounts}}


def _volume(number: int, secret: str, keys: list[str]) -> JsonObject:
    items: list[Json] = [{"key": key, "path": key} for key in keys]
    return {"name": f"secret-{number}", "secret": {"secretName": secret, "items": items}}
