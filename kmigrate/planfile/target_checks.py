"""What contradicts itself in the cluster that a plan file asks for: zones, names, and who signs in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kmigrate.model import Json
from kmigrate.planfile.lines import Document, Path
from kmigrate.planfile.mistakes import Mistake, nearest, place

_CLUSTER: Path = ("target", "cluster")


def target_contradictions(document: Document) -> Iterator[Mistake]:
    """Zones that nobody declared or that get no broker, listeners without a name, users that are none of the plan's."""
    if _of(document.data, ("target", "platform")) == "strimzi":
        yield from _zones(document)
        yield from _listeners(document)
        yield from _storage(document)
        yield from _bridge(document)
        yield from _two_passwords(document)
    else:
        yield from _passwords(document)


def _zones(document: Document) -> Iterator[Mistake]:
    zones = _texts(_of(document.data, (*_CLUSTER, "zones")))
    for number, zone in enumerate(zones):
        if zone in zones[:number]:
            yield _at(document, (*_CLUSTER, "zones", number), f"zone {zone} stands twice")
    brokers = _of(document.data, (*_CLUSTER, "brokers"))
    if isinstance(brokers, int) and 0 < brokers < len(set(zones)):
        told = (
            f"{brokers} brokers for {len(set(zones))} zones leave a zone without one; name fewer zones, or more brokers"
        )
        yield _at(document, (*_CLUSTER, "brokers"), told)


def _listeners(document: Document) -> Iterator[Mistake]:
    zones = _texts(_of(document.data, (*_CLUSTER, "zones")))
    for path, listener in _every_listener(document):
        if path[-1] != "listener" and "name" not in listener:
            yield _at(document, path, "a further listener needs a name of its own")
        subnets = listener.get("subnets")
        for zone in subnets if isinstance(subnets, Mapping) else ():
            if zone not in zones:
                told = f"zone {zone} is not in target.cluster.zones{nearest(zone, zones)}"
                yield _at(document, (*path, "subnets", zone), told)
    if _of(document.data, (*_CLUSTER, "listener", "auth")) == "tls":
        told = "kmigrate signs in there with a password; put this one under target.cluster.listeners"
        yield _at(document, (*_CLUSTER, "listener", "auth"), told)


def _every_listener(document: Document) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    first, more = (_of(document.data, (*_CLUSTER, key)) for key in ("listener", "listeners"))
    if isinstance(first, Mapping):
        yield (*_CLUSTER, "listener"), first
    for number, each in enumerate(more if isinstance(more, list) else ()):
        if isinstance(each, Mapping):
            yield (*_CLUSTER, "listeners", number), each


def _storage(document: Document) -> Iterator[Mistake]:
    storage = _of(document.data, (*_CLUSTER, "storage"))
    if not isinstance(storage, Mapping):
        return
    if storage.get("create") is True and "class" not in storage:
        yield _at(document, (*_CLUSTER, "storage", "create"), "say in class what the new storage class is called")
    for key in ("iops", "throughput"):
        if key in storage and storage.get("create") is not True:
            told = f"{key} is of the storage class that create: true asks for; the one that is there has its own"
            yield _at(document, (*_CLUSTER, "storage", key), told)


def _bridge(document: Document) -> Iterator[Mistake]:
    user = _of(document.data, (*_CLUSTER, "bridge", "user"))
    known = [name for _, principal in _principals(document) if isinstance(name := principal.get("target"), str)]
    if isinstance(user, str) and known and user not in known:
        told = f"no application of the plan has the target principal {user[:60]}{nearest(user, known)}"
        yield _at(document, (*_CLUSTER, "bridge", "user"), told)


def _passwords(document: Document) -> Iterator[Mistake]:
    for path, principal in _principals(document):
        if "targetPassword" in principal:
            told = "a given password is for target.platform strimzi; the lab makes its own"
            yield _at(document, (*path, "targetPassword"), told)


def _two_passwords(document: Document) -> Iterator[Mistake]:
    """Applications may share a principal, and so its password."""
    known: dict[str, Json] = {}
    for path, principal in _principals(document):
        name, given = principal.get("target"), principal.get("targetPassword")
        if isinstance(name, str) and known.setdefault(name, given) != given:
            told = f"{name[:60]} stands in the plan with another password, or with none; say the same everywhere"
            yield _at(document, (*path, "targetPassword"), told)


def _principals(document: Document) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    apps = _of(document.data, ("applications",))
    for number, app in enumerate(apps if isinstance(apps, list) else ()):
        listed = app.get("principals") if isinstance(app, Mapping) else None
        for index, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, Mapping):
                yield ("applications", number, "principals", index), each


def _at(document: Document, path: Path, told: str) -> Mistake:
    return Mistake(document.line(path), f"{place(path)}: {told}")


def _of(data: Json, path: Path) -> Json:
    for key in path:
        data = data.get(str(key)) if isinstance(data, Mapping) else None
    return data


def _texts(value: Json) -> Sequence[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
