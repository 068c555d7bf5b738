"""What the KafkaMirrorMaker2 says of a lane: what its operator found wrong, and whether it writes exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from kmigrate.manifests.lanes import FORWARD
from kmigrate.model import Json, JsonObject, Lane
from kmigrate.probes.resources import unready
from kmigrate.world import Key, ResourceStore


def trouble(
    store: ResourceStore, namespace: str, lane: Lane, missing: Callable[[Iterable[str]], Iterable[str]]
) -> tuple[str, ...]:
    """The resource that is missing or not Ready, the lane's connector and tasks that FAILED, and topics it lost.

    `missing` tells which of some topics the target does not have.
    """
    mirror = store.get(Key("KafkaMirrorMaker2", namespace, FORWARD.group))
    if mirror is None:
        return (f"there is no KafkaMirrorMaker2 {FORWARD.group}",)
    why = unready(mirror)
    listed = mirror.status.get("connectors")
    connectors = listed if isinstance(listed, Sequence) else ()
    failed = [word for each in connectors for word in _failures(each) if word.startswith(lane.connector)]
    gone = missing((FORWARD.connector_offsets(lane), FORWARD.offset_syncs(lane)))
    # a producer that cannot find its topic waits without a word: the task goes on to say RUNNING, and copies nothing
    lost = (f"{lane.connector} stands still: its topic {name} is gone; apply its KafkaTopic again" for name in gone)
    return (*([f"KafkaMirrorMaker2 {FORWARD.group}: {why}"] if why else []), *failed, *lost)


def once(store: ResourceStore, namespace: str, lane: Lane) -> bool:
    """Whether the workers support exactly-once, and the lane's connector refuses to run without it (KIP-618)."""
    mirror = store.get(Key("KafkaMirrorMaker2", namespace, FORWARD.group))
    if mirror is None:
        return False
    workers = _part(mirror.spec, "target", "config")
    listed = mirror.spec.get("mirrors")
    ours = [
        _part(each, "sourceConnector", "config")
        for each in (listed if isinstance(listed, Sequence) else ())
        if _part(each, "source").get("alias") == lane.source_alias
    ]
    asked = bool(ours) and all(config.get("exactly.once.support") == "required" for config in ours)
    return asked and workers.get("exactly.once.source.support") == "enabled"


def _part(of: Json, *names: str) -> JsonObject:
    """What lies at that path of a resource; empty where there is nothing."""
    for name in names:
        of = of.get(name) if isinstance(of, Mapping) else None
    return of if isinstance(of, Mapping) else {}


def _failures(connector: Json) -> Iterator[str]:
    """Connector and tasks that FAILED, with the first line of why, from Connect's raw status."""
    if not isinstance(connector, Mapping):
        return
    name = str(connector.get("name"))
    tasks = connector.get("tasks")
    parts = [
        ("connector", connector.get("connector")),
        *(("task", t) for t in (tasks if isinstance(tasks, Sequence) else ())),
    ]
    for what, part in parts:
        if isinstance(part, Mapping) and part.get("state") == "FAILED":
            why = str(part.get("trace", "")).splitlines()[:1]
            yield f"{name}: {what} {part.get('id', '')} FAILED: {''.join(why)}"
