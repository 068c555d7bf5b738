"""What its resources say of a lane: what the operator found wrong, and whether it writes exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kmigrate.manifests.lanes import names_of, side_written
from kmigrate.model import JsonObject, Lane, Side, objects, part
from kmigrate.probes.lanes import connector_spec, connector_status, lane_key
from kmigrate.probes.resources import unready
from kmigrate.world import Key, Resource, ResourceStore

Missing = Callable[[Side, Iterable[str]], Iterable[str]]
"""Which of some topics a side does not have."""
_SEE_THERE = "see connectorStatus for more details."


def trouble(store: ResourceStore, namespace: str, lane: Lane, missing: Missing) -> tuple[str, ...]:
    """Resources that are missing or not Ready, the lane's connector and tasks that FAILED, and topics it lost."""
    keys = dict.fromkeys((workers_key(lane, namespace), lane_key(lane, namespace)))
    resources = [store.get(key) for key in keys]
    for key, resource in zip(keys, resources, strict=True):
        if resource is None:
            return (f"there is no {key.kind} {key.name}",)
    found = [resource for resource in resources if resource is not None]
    failed = tuple(_failures(connector_status(found[-1], lane)))
    unwell = [word for resource in found for word in _unready(resource, failed)]
    return (*unwell, *failed, *_lost(lane, missing))


def once(store: ResourceStore, namespace: str, lane: Lane) -> bool:
    """Whether the workers support exactly-once, and the lane's connector refuses to run without it (KIP-618)."""
    group, resource = store.get(workers_key(lane, namespace)), store.get(lane_key(lane, namespace))
    connector = connector_spec(resource, lane) if resource is not None else None
    if group is None or connector is None:
        return False
    asked = part(connector, "config").get("exactly.once.support") == "required"
    at = ("config",) if lane.direction == "reverse" else ("target", "config")
    return asked and part(group.spec, *at).get("exactly.once.source.support") == "enabled"


def workers_key(lane: Lane, namespace: str) -> Key:
    """The resource of the workers that run the lane."""
    kind = "KafkaConnect" if lane.direction == "reverse" else "KafkaMirrorMaker2"
    return Key(kind, namespace, names_of(lane).group)


def _unready(resource: Resource, failed: tuple[str, ...]) -> Iterator[str]:
    """Why it is not Ready, unless that only points to what is told of the connector anyway."""
    why = unready(resource)
    if why and not (failed and why.endswith(_SEE_THERE)):
        yield f"{resource.key.kind} {resource.key.name}: {why}"


def _lost(lane: Lane, missing: Missing) -> Iterator[str]:
    """Topics of its own that are gone: a producer that cannot find its topic waits without a word.

    The task goes on to say RUNNING, and copies nothing.
    """
    names, side = names_of(lane), side_written(lane)
    for name in missing(side, (names.connector_offsets(lane),)):
        again = "apply its KafkaTopic again" if side is Side.TARGET else f"make it again on the {side}, compacted"
        yield f"{lane.connector} stands still: its topic {name} is gone; {again}"
    for name in missing(Side.TARGET, (names.offset_syncs(lane),)):
        yield f"{lane.connector} stands still: its topic {name} is gone; apply its KafkaTopic again"


def _failures(connector: JsonObject) -> Iterator[str]:
    """Connector and tasks that FAILED, with why, from Connect's raw status."""
    parts = [("connector", part(connector, "connector")), *(("task", t) for t in objects(connector.get("tasks")))]
    for what, told in parts:
        if told.get("state") == "FAILED":
            why = _why(str(told.get("trace", "")))
            yield f"{connector.get('name')}: {what} {told.get('id', '')} FAILED: {why}"


def _why(trace: str) -> str:
    """The first line of a Java trace and its last cause, which is the first: "failed to flush" says nothing of why."""
    lines = trace.splitlines()
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return "; ".join([*lines[:1], *causes[-1:]])
