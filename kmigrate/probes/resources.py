"""Whether what the resources ask for is there: the status contract of Strimzi (`strimzi.md` §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmigrate.errors import Blocked
from kmigrate.model import Json, JsonObject
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Resource, World

_SILENCE_MS = 60_000
_NOT_ASKED = frozenset({"apiVersion", "kind", "metadata", "status"})
_WITHOUT_READY = frozenset({"KafkaNodePool"})
"""Their Kafka says whether they are Ready."""
_LEFT_ALONE = {
    "ReconciliationPaused": "its operator is told to leave it alone: take away the annotation "
    "strimzi.io/pause-reconciliation",
    "Unmanaged": "its operator is told to leave it alone: take away the annotation strimzi.io/managed",
}


def key_of(body: JsonObject) -> Key:
    """The key of a resource body."""
    metadata = body["metadata"]
    assert isinstance(metadata, Mapping)
    return Key(str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))


def conditions(resource: Resource) -> tuple[Mapping[str, str], ...]:
    """The conditions the operator last wrote, as text."""
    listed = resource.status.get("conditions")
    if not isinstance(listed, Sequence):
        return ()
    return tuple({k: str(v) for k, v in each.items()} for each in listed if isinstance(each, Mapping))


def unready(resource: Resource) -> str:
    """Why the resource is not as asked, in words; empty when it is Ready at its generation and nothing is NotReady.

    What no operator sees to (a Secret, a NetworkPolicy …) is as asked once it is stored. Failed tasks leave a mirror
    Ready: whoever relies on a lane looks at the lane (`probes.lanes`).
    """
    if not resource.key.kind.startswith("Kafka"):
        return ""
    told = conditions(resource)
    for seen in told:
        if seen.get("type") in _LEFT_ALONE and seen.get("status") == "True":
            return _LEFT_ALONE[seen["type"]]
    if resource.status.get("observedGeneration") != resource.generation:
        return "the operator has not looked at the last change yet"
    for seen in told:
        bad = seen.get("type") == "NotReady" or (seen.get("type") == "Ready" and seen.get("status") == "False")
        if bad:
            return f"{seen.get('reason', 'NotReady')}: {seen.get('message', '')}"
    if resource.key.kind in _WITHOUT_READY:
        return ""
    ready = any(seen.get("type") == "Ready" and seen.get("status") == "True" for seen in told)
    return "" if ready else "no Ready condition yet"


def missing(world: World, wanted: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Those of the wanted bodies whose spec and labels are not stored as wanted, or whose resource is not Ready."""
    return tuple(body for body in wanted if not _is_there(world, body))


def await_ready(world: World, wanted: Sequence[JsonObject], *, what: str, deadline_ms: int, every_ms: int = 50) -> None:
    """Wait until every wanted resource is Ready at its generation; the error after the deadline names a late one.

    Raises Blocked after a minute in which no operator wrote a word about any of them: then nobody works on them.
    """
    patience = world.clock.monotonic_ms() + _SILENCE_MS

    def look() -> Ready[None] | NotYet:
        late = {str(key_of(body)): _state(world, key_of(body)) for body in wanted}
        late = {name: why for name, why in late.items() if why}
        if not late:
            return Ready(None)
        name, why = next(iter(late.items()))
        if world.clock.monotonic_ms() >= patience and not any(_touched(world, key_of(body)) for body in wanted):
            raise _nobody_works_on(key_of(wanted[0]))
        return NotYet(f"{len(late)} of {len(wanted)} not ready; {name}: {why}")

    clock, reporter = world.clock, world.reporter
    wait_until(look, what=what, clock=clock, reporter=reporter, deadline_ms=deadline_ms, every_ms=every_ms)


def _touched(world: World, key: Key) -> bool:
    """Whether an operator ever wrote a status, of whatever generation."""
    resource = world.resources.get(key)
    return resource is not None and bool(resource.status)


def _nobody_works_on(key: Key) -> Blocked:
    return Blocked(
        f"no operator reacts to {key}: in {_SILENCE_MS // 1000} s none has written a status",
        hint=f"start the operator that watches namespace {key.namespace} (in a lab: kmigrate lab up) and run the same "
        "command again; if the name is mistyped, take back what was made: kmigrate rollback lists the checkpoints",
    )


def require(world: World, key: Key) -> Resource:
    """The resource, Ready; raises Blocked when it is not there or not Ready."""
    resource = world.resources.get(key)
    if resource is None:
        raise Blocked(f"there is no {key}", hint="apply it first, or correct target.cluster in the plan file")
    why = unready(resource)
    if why:
        raise Blocked(f"{key} is not ready: {why}", hint="look at the operator's log, then run this again")
    return resource


def asked(body: JsonObject) -> tuple[str, ...]:
    """The parts of a body that say how the resource is to be: `spec`, or whatever its kind has instead."""
    return tuple(each for each in body if each not in _NOT_ASKED)


def _is_there(world: World, body: JsonObject) -> bool:
    resource = world.resources.get(key_of(body))
    return (
        resource is not None
        and all(_covers(resource.body.get(each), body[each]) for each in asked(body))
        and _labels(body).items() <= _labels(resource.body).items()
        and not unready(resource)
    )


def _labels(body: JsonObject) -> Mapping[str, Json]:
    metadata = body.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}


def _state(world: World, key: Key) -> str:
    resource = world.resources.get(key)
    return unready(resource) if resource else "it is gone"


def _covers(have: Json, want: Json) -> bool:
    return have == want
