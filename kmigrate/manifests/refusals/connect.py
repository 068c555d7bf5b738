"""Rules of Connect's workers, connectors, mirrors and the bridge (`strimzi.md` §§2.6, 2.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from kmigrate.manifests.refusals.bodies import Bodies, Rule, Told, belongs_to, items, name
from kmigrate.manifests.refusals.cluster import VERSIONS
from kmigrate.manifests.reverse import USE_RESOURCES
from kmigrate.model import Json, JsonObject, objects, part

_OWN = (
    "group.id",
    "config.storage.topic",
    "offset.storage.topic",
    "status.storage.topic",
    "ssl.",
    "sasl.",
    "security.",
    "listeners",
    "plugin.path",
    "rest.",
    "bootstrap.servers",
    "consumer.interceptor.classes",
    "producer.interceptor.classes",
    "prometheus.metrics.reporter.",
)
_ALLOWED = ("ssl.endpoint.identification.algorithm", "ssl.cipher.suites", "ssl.protocol", "ssl.enabled.protocols")
_CONNECTORS_OWN = ("name", "connector.class", "tasks.max", "connector.plugin.version")
_POLICY = ("replication.policy.class", "replication.policy.separator")
_ALIKE = (*_POLICY, "offset-syncs.topic.location", "topic.filter.class")
_TOPICS = ("configStorageTopic", "offsetStorageTopic", "statusStorageTopic")
_CONNECTORS = ("sourceConnector", "checkpointConnector")
_MOUNTS = "/mnt"


def workers_config(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Settings that Strimzi makes itself; it would leave these out in silence."""
    at, workers = _workers(body)
    for setting in part(workers, "config"):
        if setting.startswith(_OWN) and setting not in _ALLOWED:
            yield Told(f"{at}.config[{setting}]", "Strimzi sets it by itself and leaves this one out", "remove it")


def workers_version(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Each Strimzi runs a few versions of Connect."""
    asked = part(body, "spec").get("version")
    if asked is not None and asked not in VERSIONS:
        yield Told("spec.version", f"Strimzi 1.2 does not run Kafka {asked}", f"use {', '.join(VERSIONS)}")


def workers_alone(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """Two groups of workers with one name, or one topic, take each other's connectors."""
    at, own = _workers(body)
    for other in chain(seen.of("KafkaConnect"), seen.of("KafkaMirrorMaker2")):
        _, theirs = _workers(other)
        if name(other) >= name(body) or theirs.get("bootstrapServers") != own.get("bootstrapServers"):
            continue
        shared = {str(theirs.get(field)) for field in _TOPICS}
        for field in ("groupId", *_TOPICS):
            if own.get(field) == theirs.get(field) or own.get(field) in shared:
                told = f"{own.get(field)} is that of {other.get('kind')} {name(other)}, too"
                yield Told(f"{at}.{field}", told, "give each group of workers names of its own")


def mounts(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Strimzi mounts nothing elsewhere."""
    listed = part(body, "spec", "template", "connectContainer").get("volumeMounts")
    for number, mount in enumerate(objects(listed)):
        if not str(mount.get("mountPath")).startswith(_MOUNTS):
            at = f"spec.template.connectContainer.volumeMounts[{number}].mountPath"
            yield Told(at, f"{mount.get('mountPath')} is not below {_MOUNTS}", f"mount it below {_MOUNTS}")


def connector_config(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """What stands beside `config` does not stand in it."""
    for at, connector in _connectors(body):
        for setting in (each for each in _CONNECTORS_OWN if each in part(connector, "config")):
            told = "it has a field of its own, beside config"
            yield Told(f"{at}.config[{setting}]", told, "say it there, and remove it here")


def connector_owner(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """Only workers that say so are ruled by resources."""
    known = {name(each): each for each in seen.of("KafkaConnect")}
    workers = known.get(belongs_to(body))
    if workers is None:
        told = f"it belongs to {belongs_to(body) or 'no KafkaConnect'}"
        yield Told("metadata.labels[strimzi.io/cluster]", told, f"say {' or '.join(known) or 'a KafkaConnect'}")
    elif part(workers, "metadata", "annotations").get(USE_RESOURCES) != "true":
        told = f"KafkaConnect {name(workers)} does not listen to resources"
        yield Told("metadata.labels[strimzi.io/cluster]", told, f'annotate that one with {USE_RESOURCES}: "true"')


def aliases(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Connectors are called after their aliases."""
    known: list[Json] = []
    for number, mirror in enumerate(objects(part(body, "spec").get("mirrors"))):
        alias = part(mirror, "source").get("alias")
        if alias in known:
            at = f"spec.mirrors[{number}].source.alias"
            yield Told(at, f"{alias} stands twice, and so would its connectors", "give each mirror an alias of its own")
        known.append(alias)


def alike(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Both connectors of a mirror must mean the same topics."""
    for number, mirror in enumerate(objects(part(body, "spec").get("mirrors"))):
        if not all(each in mirror for each in _CONNECTORS):
            continue
        source, checkpoint = (part(mirror, each, "config") for each in _CONNECTORS)
        for setting in (each for each in _ALIKE if source.get(each) != checkpoint.get(each)):
            at = f"spec.mirrors[{number}].checkpointConnector.config[{setting}]"
            yield Told(at, "it is another than that of the source connector", "say the same for both connectors")


def http(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """A bridge has a door."""
    if not part(body, "spec").get("http"):
        yield Told("spec.http", "a bridge needs the port that it answers on", "say bridge.port")


def _workers(body: JsonObject) -> tuple[str, JsonObject]:
    mirror = body.get("kind") == "KafkaMirrorMaker2"
    return ("spec.target", part(body, "spec", "target")) if mirror else ("spec", part(body, "spec"))


def _connectors(body: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    if body.get("kind") == "KafkaConnector":
        yield "spec", part(body, "spec")
    for number, mirror in enumerate(items(part(body, "spec").get("mirrors"))):
        for field in _CONNECTORS:
            yield f"spec.mirrors[{number}].{field}", part(mirror, field)


WORKER_RULES: Mapping[str, Rule] = {
    "workers-config": workers_config,
    "workers-version": workers_version,
    "workers-alone": workers_alone,
}
CONNECT_RULES: Mapping[str, Rule] = {"connect-mounts": mounts}
CONNECTOR_RULES: Mapping[str, Rule] = {"connector-owner": connector_owner}
SETTING_RULES: Mapping[str, Rule] = {"connector-config": connector_config}
MIRROR_RULES: Mapping[str, Rule] = {"mirror-alias": aliases, "mirror-alike": alike}
BRIDGE_RULES: Mapping[str, Rule] = {"bridge-http": http}
