"""Offsets of a connector, listed, altered and reset by annotations (KIP-875).

Source: io.strimzi.operator.cluster.operator.assembly.AbstractConnectOperator (manageConnectorOffsets),
KafkaMirrorMaker2AssemblyOperator and KafkaConnectAssemblyOperator (getConnectorOffsetsOperation); `strimzi.md` §3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.errors import Conflict, PlatformError, Transient
from kmigrate.lab.operator.connect import Connectors, state_of
from kmigrate.lab.operator.connectors import KINDS, connector_name, mirrors
from kmigrate.lab.operator.status import Condition, Rejected, annotation, mapping, warning
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource, ResourceStore

ACTION = "strimzi.io/connector-offsets"
CONNECTOR = "strimzi.io/mirrormaker-connector"
_ENUM = "io.strimzi.operator.cluster.model.KafkaConnectorOffsetsAnnotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verb:
    """How an action is called in a Warning's reason, and in its two messages."""

    reason: str
    plain: str
    doing: str


_VERBS: Mapping[str, _Verb] = {
    "list": _Verb(reason="ListOffsets", plain="list", doing="listing"),
    "alter": _Verb(reason="AlterOffsets", plain="alter", doing="altering"),
    "reset": _Verb(reason="ResetOffsets", plain="reset", doing="resetting"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is asked for, of which connector; `spec` is its part of the resource, `file` its key in ConfigMaps."""

    action: str
    connector: str
    spec: JsonObject
    file: str


def serve_mirrors(store: ResourceStore, resource: Resource, connectors: Connectors) -> tuple[Condition, ...]:
    """Do what the two annotations of a KafkaMirrorMaker2 ask for; one without the other is a Warning.

    The name of no connector is passed over in silence, as by the real operator.
    """
    action, name = annotation(resource, ACTION), annotation(resource, CONNECTOR)
    if bool(action) != bool(name):
        where = f"KafkaMirrorMaker2 resource {resource.key.namespace}/{resource.key.name}"
        missing = f"{where} is missing annotation {CONNECTOR if action else ACTION}"
        return (warning("ManageOffsets", f"Encountered error getting connector offsets annotation. {missing}"),)
    for mirror in mirrors(resource.spec):
        for kind in KINDS:
            if action and kind in mirror and connector_name(resource.spec, mirror, kind) == name:
                wish = _Wish(action=action, connector=name, spec=mapping(mirror[kind]), file=file_name(name))
                return _serve(store, resource, connectors, wish)
    return ()


def serve_connector(store: ResourceStore, resource: Resource, connectors: Connectors) -> tuple[Condition, ...]:
    """Do what the annotation of a KafkaConnector asks for."""
    action = annotation(resource, ACTION)
    wish = _Wish(action=action, connector=resource.key.name, spec=resource.spec, file="offsets.json")
    return _serve(store, resource, connectors, wish) if action else ()


def file_name(connector: str) -> str:
    """The key in the ConfigMaps of a KafkaMirrorMaker2's connector: `->` is not allowed in one."""
    return f"{connector.replace('->', '--')}.json"


def _serve(store: ResourceStore, resource: Resource, connectors: Connectors, wish: _Wish) -> tuple[Condition, ...]:
    """Do it and remove the annotations; a failure is a Warning, and the annotations stay for another try."""
    if wish.action == "none":
        return ()
    if wish.action not in _VERBS:
        raise Rejected("IllegalArgumentException", f"No enum constant {_ENUM}.{wish.action}")
    verb = _VERBS[wish.action]
    place = _map(resource, wish)
    if place is None:
        missing = f"missing property {verb.plain}Offsets in {resource.key.kind} CR."
        return (warning(verb.reason, f"Failed to {verb.plain} the connector offsets due to {missing}"),)
    try:
        _act(store, connectors, wish, place)
    except PlatformError as error:
        return (warning(verb.reason, f"Encountered error {verb.doing} connector offsets. {error.message}"),)
    _remove_annotations(store, resource.key)
    return ()


def _act(store: ResourceStore, connectors: Connectors, wish: _Wish, place: Key) -> None:
    if wish.action == "list":
        _write(store, place, wish.file, connectors.offsets(wish.connector))
        return
    if state_of(connectors.status(wish.connector)) != "STOPPED":
        raise PlatformError("Connector is not in STOPPED state", hint="set its state to stopped")
    if wish.action == "alter":
        connectors.alter_offsets(wish.connector, _read(store, place, wish.file))
    else:
        _reset(connectors, wish)


def _reset(connectors: Connectors, wish: _Wish) -> None:
    """Under a topic of the connector's own Connect 4.3.1 times out, always: so nobody is kept waiting for it.

    It writes the tombstones to the worker's offsets topic first and to the connector's own one from a callback, when
    the transaction is over (ConnectorOffsetBackingStore.set).
    """
    if "offsets.storage.topic" in mapping(wish.spec.get("config")):
        raise PlatformError("Connect cannot forget offsets kept in a topic of the connector's own", hint="alter them")
    connectors.reset_offsets(wish.connector)


def _map(resource: Resource, wish: _Wish) -> Key | None:
    """The ConfigMap it is about, None where the spec names none; `reset` needs none."""
    field, below = ("listOffsets", "toConfigMap") if wish.action == "list" else ("alterOffsets", "fromConfigMap")
    name = mapping(mapping(wish.spec.get(field)).get(below)).get("name")
    if not name and wish.action != "reset":
        return None
    return Key("ConfigMap", resource.key.namespace, str(name))


def _write(store: ResourceStore, key: Key, file: str, offsets: Json) -> None:
    there = store.get(key)
    data: dict[str, Json] = {**(there.data if there is not None else {}), file: json.dumps(offsets)}
    metadata: JsonObject = {"name": key.name, "namespace": key.namespace}
    store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _read(store: ResourceStore, key: Key, file: str) -> Json:
    unread = "Encountered error fetching offsets to use in alter operation."
    there = store.get(key)
    if there is None:
        raise PlatformError(f"{unread} ConfigMap {key.namespace}/{key.name} does not exist.", hint="make it first")
    if file not in there.data:
        raise PlatformError(f"{unread} Data field {file} is missing.", hint="write the offsets there first")
    try:
        offsets: Json = json.loads(str(there.data[file]))
    except ValueError as error:
        raise PlatformError(f"Failed to parse contents of {file} as JSON: {error}", hint="correct it") from error
    return offsets


def _remove_annotations(store: ResourceStore, key: Key) -> None:
    """On the newest body, so that a change made meanwhile stays; when somebody is faster, again in a moment."""
    latest = store.get(key)
    if latest is not None:
        gone: JsonObject = {ACTION: None, CONNECTOR: None}
        metadata: JsonObject = {
            "name": key.name,
            "namespace": key.namespace,
            "resourceVersion": latest.version,
            "annotations": gone,
        }
        try:
            store.apply({**latest.body, "metadata": metadata})
        except Conflict as error:
            raise Transient(error.message, hint=error.hint) from error
