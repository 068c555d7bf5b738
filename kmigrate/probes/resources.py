"""Whether what the resources ask for is there: the status contract of Strimzi (`strimzi.md` §3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from kmigrate.errors import Blocked, StillUnderWay
from kmigrate.model import Json, JsonObject
from kmigrate.probes.set_by import only_by_others
from kmigrate.probes.waited import where_to_look
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Key, Resource, ResourceStore, World

UNSEEN = "the operator has not looked at the last change yet"
_SILENCE_MS = 60_000
_NOT_ASKED = frozenset({"apiVersion", "kind", "metadata", "status"})
_WITHOUT_READY = frozenset({"KafkaNodePool"})
"""Their Kafka says whether they are Ready."""
_MANY = frozenset({"KafkaTopic", "KafkaUser"})
"""Kinds of which there may be thousands; what else is asked for, as Secrets are, is asked for by name alone."""
_OF_PODS = frozenset({"template", "resources", "jvmOptions", "logging", "metricsConfig"})
"""What a platform team may add to pods (tolerations, sizes, what they log); no setting of a connector or a mirror."""
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
        return UNSEEN
    for seen in told:
        bad = seen.get("type") == "NotReady" or (seen.get("type") == "Ready" and seen.get("status") == "False")
        if bad:
            message = seen.get("message", "")
            look = where_to_look(message)
            return f"{seen.get('reason', 'NotReady')}: {message}{f'; {look}' if look else ''}"
    if resource.key.kind in _WITHOUT_READY:
        return ""
    ready = any(seen.get("type") == "Ready" and seen.get("status") == "True" for seen in told)
    return "" if ready else "no Ready condition yet"


def stored(store: ResourceStore, keys: Iterable[Key]) -> dict[Key, Resource]:
    """Those of the resources that are there; of several topics or users all of the namespace are listed, at once."""
    places: dict[tuple[str, str], list[Key]] = {}
    for key in keys:
        places.setdefault((key.kind, key.namespace), []).append(key)
    found: dict[Key, Resource] = {}
    for (kind, namespace), some in places.items():
        if len(some) > 1 and kind in _MANY:
            there = {each.key: each for each in store.list(kind, namespace)}
            found |= {key: there[key] for key in some if key in there}
        else:
            found |= {key: seen for key in some if (seen := store.get(key)) is not None}
    return found


def missing(world: World, wanted: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Those of the wanted bodies whose spec and labels are not stored as wanted, or whose resource is not Ready."""
    found = stored(world.resources, map(key_of, wanted))
    return tuple(body for body in wanted if not is_there(found.get(key_of(body)), body))


def await_ready(world: World, wanted: Sequence[JsonObject], *, what: str, deadline_ms: int, every_ms: int = 50) -> None:
    """Wait until every wanted resource is Ready at its generation; the error after the deadline names a late one.

    Raises Blocked after a minute in which no operator wrote a word about any of them: then nobody works on them.
    """
    patience, keys = world.clock.monotonic_ms() + _SILENCE_MS, tuple(map(key_of, wanted))

    def look() -> Ready[None] | NotYet:
        found = stored(world.resources, keys)
        late = {str(key): why for key in keys if (why := _state(found.get(key)))}
        if not late:
            return Ready(None)
        name, why = next(iter(late.items()))
        # a status of whatever generation: somebody has worked on it
        if world.clock.monotonic_ms() >= patience and not any(resource.status for resource in found.values()):
            raise _nobody_works_on(keys[0])
        return NotYet(f"{len(late)} of {len(wanted)} not ready; {name}: {why}")

    clock, reporter = world.clock, world.reporter
    wait_until(look, what=what, clock=clock, reporter=reporter, deadline_ms=deadline_ms, every_ms=every_ms)


def _nobody_works_on(key: Key) -> Blocked:
    return Blocked(
        f"no operator reacts to {key}: in {_SILENCE_MS // 1000} s none has written a status",
        hint=f"start the operator that watches namespace {key.namespace} (in a lab: kmigrate lab up) and run the same "
        "command again; if the name is mistyped, take back what was made: kmigrate rollback lists the checkpoints",
    )


def require(world: World, key: Key, *, patience_ms: int = 0) -> Resource:
    """The resource, Ready; raises Blocked when it is not there or not Ready.

    An operator that has not looked at the last change yet is given so long: it may be our own change of just now.
    """
    found: Resource | None = None

    def look() -> Ready[None] | NotYet:
        nonlocal found
        found = world.resources.get(key)
        return NotYet(UNSEEN) if found is not None and unready(found) == UNSEEN else Ready(None)

    clock, reporter = world.clock, world.reporter
    with contextlib.suppress(StillUnderWay):
        wait_until(look, what=str(key), clock=clock, reporter=reporter, deadline_ms=patience_ms, every_ms=20)
    if found is None:
        raise Blocked(f"there is no {key}", hint="apply it first, or correct target.cluster in the plan file")
    why = unready(found)
    if why:
        raise Blocked(f"{key} is not ready: {why}", hint="look at the operator's log, then run this again")
    return found


def asked(body: JsonObject) -> tuple[str, ...]:
    """The parts of a body that say how the resource is to be: `spec`, or whatever its kind has instead."""
    return tuple(each for each in body if each not in _NOT_ASKED)


def is_there(resource: Resource | None, body: JsonObject) -> bool:
    """Whether it is stored as the body wants it, and Ready."""
    return (
        resource is not None
        and all(_covers(resource, resource.body.get(each), body[each], (each,)) for each in asked(body))
        and _labels(body).items() <= _labels(resource.body).items()
        and not unready(resource)
    )


def _labels(body: JsonObject) -> Mapping[str, Json]:
    metadata = body.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}


def _state(resource: Resource | None) -> str:
    return unready(resource) if resource else "it is gone"


def left_to_others(resource: Resource, path: Sequence[str]) -> bool:
    """Whether a place in the resource is about pods, and others alone have set what is there: it stays theirs."""
    return tuple(path[:1]) == ("spec",) and not _OF_PODS.isdisjoint(path[1:2]) and only_by_others(resource, *path)


def _covers(resource: Resource, have: Json, want: Json, path: tuple[str, ...]) -> bool:
    """Whether it is as wanted; what is there besides must be left to others."""
    if have == want:
        return True
    if want is None:
        return left_to_others(resource, path)
    if not (isinstance(have, Mapping) and isinstance(want, Mapping)):
        return False
    return all(_covers(resource, have.get(n), want.get(n), (*path, n)) for n in {*have, *want})
