"""What somebody may do behind kmigrate's back to what was sealed: one lie each, planted in a world in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from law_watch import estate_of
from laws import BEFORE, Walk
from memory_estate import Estate

from kmigrate.manifests.lanes import forward_lanes, other_way
from kmigrate.model import JsonObject, Lane, Partition, Right, SecretRef, Side, part
from kmigrate.planfile.load import load
from kmigrate.probes.lanes import lane_key, with_asked
from kmigrate.world import Key

_FILE = load(Path(__file__).parents[2] / "plans" / "mirror-back.yaml")
KNOWN = replace(_FILE.mirror_auth, username="app", password=SecretRef(env="APP"))
PLAN = replace(
    _FILE,
    applications=tuple(
        replace(app, principals=tuple(replace(each, source_auth=KNOWN) for each in app.principals))
        for app in _FILE.applications
    ),
)
PLACE = Partition("payments", 0)
MOVES = {
    "fraud over": ("fraud", ("cutover fraud",)),
    "fraud back": ("fraud", ("cutover fraud", "rollback fraud")),
    "checkout over": ("checkout", ("cutover fraud", "cutover checkout")),
    "checkout back": ("checkout", ("cutover fraud", "cutover checkout", "rollback checkout")),
}
"""A move that reads and one that writes, there and back."""
(LANE,) = forward_lanes(PLAN)
BACK = other_way(LANE)


@cache
def _walked(commands: tuple[str, ...]) -> Walk:
    walk = Walk(estate_of(PLAN))
    for command in (*BEFORE, *commands):
        walk.type(command)
    return walk


@dataclass(frozen=True)
class Scene:
    """A sealed move, and the sides it went between."""

    walk: Walk
    app: str
    left: Side

    @property
    def estate(self) -> Estate:
        return self.walk.estate

    @property
    def entered(self) -> Side:
        return self.left.other

    @property
    def user(self) -> str:
        """Its name on the side that it left."""
        return self.app if self.left is Side.TARGET else f"sa-{self.app}"


def scene(name: str) -> Scene:
    """A copy of its own."""
    app, commands = MOVES[name]
    left = Side.TARGET if name.endswith("back") else Side.SOURCE
    return Scene(_walked(commands).copy(), app, left)


Plant = Callable[[Scene], None]


def moved_by(offsets: int) -> Plant:
    """On the side that was left, where the group stands Empty."""

    def plant(at: Scene) -> None:
        at.estate.groups[at.left].held_by[at.app][PLACE] += offsets

    return plant


def put_before(at: Scene) -> None:
    """On the side entered, one before where it was carried to."""
    told = next(each for each in reversed(at.walk.journal().attempts(at.app)) if each.sealed).facts["positions"]
    assert isinstance(told, Mapping)
    at.estate.groups[at.entered].held_by[at.app][PLACE] = told[at.app][str(PLACE)]["to"] - 1


def put_past_the_end(at: Scene) -> None:
    """On the side entered, where no record is yet: what is written up to there would be skipped."""
    at.estate.groups[at.entered].held_by[at.app][PLACE] = at.estate.clusters[at.entered].logs[PLACE].end + 1_000


def record_changed(side: Side) -> Plant:
    def plant(at: Scene) -> None:
        log = at.estate.clusters[side].logs[PLACE]
        number, entry = next((n, e) for n, e in enumerate(log.entries) if e.record and n > 4)
        assert entry.record is not None
        log.entries[number] = replace(entry, record=entry.record._replace(digest=b"x" * 16))

    return plant


def setting(side: Side, topic: str, name: str, value: str) -> Plant:
    """Changed on the cluster itself."""

    def plant(at: Scene) -> None:
        made = at.estate.clusters[side].made
        made[topic] = replace(made[topic], config={**made[topic].config, name: value})

    return plant


def more_partitions(side: Side) -> Plant:
    def plant(at: Scene) -> None:
        cluster = at.estate.clusters[side]
        cluster.create(replace(cluster.made["orders"], partitions=cluster.made["orders"].partitions + 1))

    return plant


def topic_edited(at: Scene) -> None:
    """In its KafkaTopic, and the operator has seen to it."""
    key = Key("KafkaTopic", "kafka", "orders")
    _edit(at, key, lambda spec: {**spec, "config": {**part(spec, "config"), "retention.ms": "1000"}})
    at.estate.turns(3)


def acl_gone(side: Side, chosen: Callable[[Scene, Right], bool]) -> Plant:
    """From the cluster, past every resource."""

    def plant(at: Scene) -> None:
        acls = at.estate.clusters[side].acls
        acls.rules = acls.rules - {next(right for right in sorted(acls.rules) if chosen(at, right))}
        acls.work()

    return plant


def acl_given(side: Side, right: Right) -> Plant:
    def plant(at: Scene) -> None:
        acls = at.estate.clusters[side].acls
        assert right not in acls.rules
        acls.rules = acls.rules | {right}
        acls.work()

    return plant


def rule_gone(kind: str) -> Plant:
    """From the KafkaUser of the application."""

    def without(spec: JsonObject) -> JsonObject:
        authorization = spec["authorization"]
        assert isinstance(authorization, Mapping)
        acls = list(authorization["acls"])
        acls.remove(next(acl for acl in acls if acl["type"] == kind))
        return {**spec, "authorization": {"type": "simple", "acls": acls}}

    return lambda at: _edit(at, Key("KafkaUser", "kafka", at.app), without)


def user_gone(at: Scene) -> None:
    at.estate.store.delete(Key("KafkaUser", "kafka", at.app))


def lane_asked(lane: Lane, state: str) -> Plant:
    """In its resource, and the operator has seen to it."""

    def plant(at: Scene) -> None:
        resource = at.estate.store.get(lane_key(lane, "kafka"))
        assert resource is not None
        at.estate.store.apply(_wish(with_asked(resource, lane, {"state": state})))
        at.estate.turns(4)

    return plant


def lane_resumed(lane: Lane) -> Plant:
    """At Connect itself: the resource still says stopped."""

    def plant(at: Scene) -> None:
        lanes = at.estate.mirror.lanes(lane)
        lanes.asked = tuple(replace(each, stopped=False) for each in lanes.asked)
        lanes.held_up = True  # it has not met the right that it lacks yet
        lanes.work()
        assert at.estate.mirror.tasks(lane)

    return plant


def claim_lost(at: Scene) -> None:
    at.estate.claim.taken = False


def secret_gone(at: Scene) -> None:
    for secret in at.estate.store.list("Secret", "kafka"):
        at.estate.store.delete(secret.key)


def pointed_elsewhere(at: Scene) -> None:
    at.estate.workloads[at.app].side = at.left


def stopped(at: Scene) -> None:
    at.estate.workloads[at.app].running = False


def came_back(at: Scene) -> None:
    at.estate.groups[at.left].members[at.app] = ("forgotten-0",)


def written_on_the_side_left(at: Scene) -> None:
    """By somebody whom the fence does not catch."""
    at.estate.clusters[at.left].logs[PLACE].put(77, b"s" * 16, -1)


def _edit(at: Scene, key: Key, change: Callable[[JsonObject], JsonObject]) -> None:
    found = at.estate.store.get(key)
    assert found is not None
    at.estate.store.apply(_wish({**found.body, "spec": change(found.spec)}))


def _wish(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name != "status"}


MIRROR_WRITES = Right(principal="User:kmigrate-mirror", resource="topic", name="orders", operation="Write")
BACK_WRITES = Right(principal="User:sa-back", resource="topic", name="orders", operation="Write")
WRITES_TOO = Right(principal="User:fraud", resource="topic", name="payments", operation="Write")
