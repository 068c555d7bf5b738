"""Offsets of a mirror's connector, listed and altered by annotations (KIP-875).

Source: io.strimzi.operator.cluster.operator.assembly.AbstractConnectOperator (manageConnectorOffsets); `strimzi.md` §3.
"""

from __future__ import annotations

import json

from kmigrate.errors import Conflict, PlatformError, Transient
from kmigrate.lab.operator.connect import Connectors
from kmigrate.lab.operator.connectors import KINDS, connector_name, mirrors
from kmigrate.lab.operator.status import Condition, Rejected, annotation, mapping, warning
from kmigrate.model import Json, JsonObject
from kmigrate.world import Key, Resource, ResourceStore

ACTION = "strimzi.io/connector-offsets"
CONNECTOR = "strimzi.io/mirrormaker-connector"
_REASONS = {"list": "ListOffsets", "alter": "AlterOffsets", "reset": "ResetOffsets"}


def serve(store: ResourceStore, resource: Resource, connectors: Connectors) -> tuple[Condition, ...]:
    """Do what the annotations ask for and remove them; a failure is a Warning, the annotations stay for another try.

    Raises Rejected when one annotation stands without the other. `reset` always fails, as it does with the real
    operator under our settings: Connect 4.3.1 writes the tombstones to the worker's offsets topic first and to the
    connector's own one from a callback, when the transaction is over, and times out (ConnectorOffsetBackingStore.set).
    """
    action, name = annotation(resource, ACTION), annotation(resource, CONNECTOR)
    if not action and not name:
        return ()
    if not action or not name:
        raise Rejected("InvalidConfigurationException", f"{ACTION} and {CONNECTOR} are needed together")
    if action not in _REASONS:
        return (warning("InvalidAnnotation", f"{ACTION}: {action} is none of list, alter, reset"),)
    try:
        _act(store, resource, connectors, action, name)
    except PlatformError as error:
        return (warning(_REASONS[action], error.message),)
    _remove_annotations(store, resource.key)
    return ()


def file_name(connector: str) -> str:
    """The key in the ConfigMap: `->` is not allowed in one."""
    return f"{connector.replace('->', '--')}.json"


def _act(store: ResourceStore, resource: Resource, connectors: Connectors, action: str, name: str) -> None:
    spec = _connector(resource.spec, name)
    if action == "reset":
        raise PlatformError("Connect cannot forget offsets kept in a topic of the connector's own", hint="alter them")
    if action == "list":
        _write(store, _map(resource, spec, "listOffsets", "toConfigMap"), name, connectors.offsets(name))
    else:
        connectors.alter_offsets(name, _read(store, _map(resource, spec, "alterOffsets", "fromConfigMap"), name))


def _connector(spec: JsonObject, name: str) -> JsonObject:
    for mirror in mirrors(spec):
        for kind in KINDS:
            if kind in mirror and connector_name(spec, mirror, kind) == name:
                return mapping(mirror[kind])
    raise PlatformError(f"connector {name} is not in the spec", hint="name one of the spec")


def _map(resource: Resource, connector: JsonObject, field: str, below: str) -> Key:
    name = mapping(mapping(connector.get(field)).get(below)).get("name")
    if not name:
        raise PlatformError(f"{field}.{below}.name is missing in the connector's spec", hint="set it")
    return Key("ConfigMap", resource.key.namespace, str(name))


def _write(store: ResourceStore, key: Key, connector: str, offsets: Json) -> None:
    there = store.get(key)
    data: dict[str, Json] = {**(there.data if there is not None else {}), file_name(connector): json.dumps(offsets)}
    metadata: JsonObject = {"name": key.name, "namespace": key.namespace}
    store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _read(store: ResourceStore, key: Key, connector: str) -> Json:
    there = store.get(key)
    if there is None or file_name(connector) not in there.data:
        raise PlatformError(f"{key} has no {file_name(connector)}", hint="write the offsets there first")
    try:
        offsets: Json = json.loads(str(there.data[file_name(connector)]))
    except ValueError as error:
        raise PlatformError(f"{key}: {file_name(connector)} is no JSON: {error}", hint="correct it") from error
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
