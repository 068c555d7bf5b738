"""Rules of node pools (`strimzi.md` §2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kmigrate.manifests.names import CLUSTER_LABEL
from kmigrate.manifests.pools import NEXT_IDS
from kmigrate.manifests.refusals.bodies import Bodies, Rule, Told, belongs_to, items, name, whole
from kmigrate.model import Json, JsonObject, objects, part

_RANGES = re.compile(r"\[\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*\]")
_HOST_NAME = 63


def cluster(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """A pool belongs to a Kafka by its label, as topics and users do."""
    known = [name(each) for each in seen.of("Kafka")]
    if known and belongs_to(body) not in known:
        told = f"it belongs to {belongs_to(body) or 'no Kafka'}"
        yield Told(f"metadata.labels[{CLUSTER_LABEL}]", told, f"say {' or '.join(known)}")


def roles(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Nodes are brokers, controllers, or both."""
    asked = items(part(body, "spec").get("roles"))
    if not asked or not set(map(str, asked)) <= {"broker", "controller"}:
        told = f"{', '.join(map(str, asked)) or 'nothing'} is no role"
        yield Told("spec.roles", told, "say broker, controller or both")


def volume_ids(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """Volumes of a node are told apart by their numbers."""
    known: list[Json] = []
    for number, volume in _volumes(body):
        if "id" not in volume or volume["id"] in known:
            told = f"volume {volume['id']} stands twice" if "id" in volume else "a volume without a number"
            yield Told(f"spec.storage.volumes[{number}].id", told, "number the volumes from 0 on")
        known.append(volume.get("id"))


def volume_size(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """A disk that lasts has a size."""
    several = ((f"spec.storage.volumes[{number}]", volume) for number, volume in _volumes(body))
    for at, each in (("spec.storage", part(body, "spec", "storage")), *several):
        if each.get("type") == "persistent-claim" and not each.get("size"):
            yield Told(f"{at}.size", "a disk that lasts needs a size", "say storage.size")


def quorum_volume(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """What the quorum writes lies on one disk."""
    holding = [number for number, volume in _volumes(body) if "kraftMetadata" in volume]
    for number in holding[1:]:
        told = "what the quorum writes lies on another volume already"
        yield Told(f"spec.storage.volumes[{number}].kraftMetadata", told, "leave it on one volume")


def numbers(body: JsonObject, seen: Bodies) -> Iterator[Told]:
    """Numbers of nodes are those of one pool, and enough for it."""
    at, text = f"metadata.annotations[{NEXT_IDS}]", str(part(body, "metadata", "annotations").get(NEXT_IDS, ""))
    if not text:
        return
    if not _RANGES.fullmatch(text):
        yield Told(at, f"{text!r} are no numbers", "write them like [100-199]")
        return
    own = _numbers(text)
    if len(own) < whole(part(body, "spec").get("replicas")):
        told = f"{len(own)} numbers for {part(body, 'spec').get('replicas')} nodes"
        yield Told(at, told, "name more zones, or ask for fewer brokers in each")
    for other in seen.of("KafkaNodePool"):
        theirs = str(part(other, "metadata", "annotations").get(NEXT_IDS, ""))
        if name(other) < name(body) and _RANGES.fullmatch(theirs) and own & _numbers(theirs):
            yield Told(at, f"pool {name(other)} has some of them, too", "give each pool numbers of its own")


def long_name(body: JsonObject, _: Bodies) -> Iterator[Told]:
    """A pod is called after cluster, pool and number, and the host after the pod."""
    longest = f"{belongs_to(body)}-{name(body)}-999"
    if len(longest) > _HOST_NAME:
        told = f"its pods would be called {longest}, which is longer than {_HOST_NAME}"
        yield Told("metadata.name", told, "choose a shorter name for the cluster")


def _volumes(body: JsonObject) -> tuple[tuple[int, JsonObject], ...]:
    return tuple(enumerate(objects(part(body, "spec", "storage").get("volumes"))))


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for each in text.strip("[] ").split(","):
        first, _, last = each.strip().partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


BELONGING: Mapping[str, Rule] = {"cluster-label": cluster}
POOL_RULES: Mapping[str, Rule] = {
    "pool-roles": roles,
    "pool-volume-ids": volume_ids,
    "pool-volume-size": volume_size,
    "pool-quorum-volume": quorum_volume,
    "pool-numbers": numbers,
    "pool-name": long_name,
}
