"""What the operator's status of a KafkaMirrorMaker2 says is wrong with a lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from kmigrate.manifests.lanes import FORWARD
from kmigrate.model import Json, Lane
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
