"""A lane of either direction in memory: its resources as kmigrate renders them, its user's rights, its topics."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from memory_estate import migration

from kmigrate.adapters.memory import MemoryEstate, MemoryFacts, MemoryWorld
from kmigrate.manifests.lanes import FORWARD, REVERSE, forward_lanes, names_of, reverse_lanes, side_written
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.users import forward_mirror_rules, user
from kmigrate.model import JsonObject, Lane, Partition, Right, Side, Topic
from kmigrate.positions import digest
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

MIRRORED = replace(migration(), topics=("orders", "shipments"))
TARGET = MIRRORED.target
PARTITIONS = 2
USER = "mirror"
SIGNED = Endpoint(bootstrap="b:1", mechanism="plain", username=USER, password=("s", "k"))


def lane_of(direction: str) -> Lane:
    """The only lane of that direction."""
    (lane,) = reverse_lanes(MIRRORED) if direction == "reverse" else forward_lanes(MIRRORED)
    return lane


def bodies(lane: Lane, state: str, *, all_begin_written: bool = False) -> tuple[JsonObject, ...]:
    """Every resource that the lane needs to be in that state."""
    if lane.direction == "forward":
        states = {lane.name: state}
        return (mirror_maker(FORWARD, [lane], TARGET, reads_from=SIGNED, writes_to=SIGNED, states=states),)
    both = {"reads_from": SIGNED, "writes_to": SIGNED}
    connector = reverse_lane(REVERSE, lane, TARGET, state=state, all_begin_written=all_begin_written, **both)
    return reverse_connect(REVERSE, TARGET, **both), connector


def with_setting(lane: Lane, state: str, part: str, name: str, value: str) -> tuple[JsonObject, ...]:
    """The same with one setting of the `workers` or of the `connector` another."""
    changed: list[JsonObject] = json.loads(json.dumps(bodies(lane, state)))
    first, last = changed[0]["spec"], changed[-1]["spec"]
    places = {"workers": first, "connector": last}
    if lane.direction == "forward":
        places = {"workers": first["target"], "connector": last["mirrors"][0]["sourceConnector"]}
    assert name in places[part]["config"]
    places[part]["config"][name] = value
    return tuple(changed)


@dataclass
class MirrorEstate:
    """An estate with the topics of both sides, the lane's own, and its user's rights; nothing runs yet."""

    lane: Lane
    estate: MemoryEstate = field(default_factory=lambda: MemoryEstate(MIRRORED))
    world: MemoryWorld = field(init=False)

    def __post_init__(self) -> None:
        self.world = MemoryWorld(self.estate, MemoryFacts())
        names, clusters = names_of(self.lane), self.estate.clusters
        for cluster in clusters.values():
            for name in MIRRORED.topics:
                cluster.create(Topic(name=name, partitions=PARTITIONS))
        clusters[side_written(self.lane)].create(Topic(name=names.connector_offsets(self.lane), partitions=1))
        clusters[Side.TARGET].create(Topic(name=names.offset_syncs(self.lane), partitions=1))
        self.may_write(*MIRRORED.topics)

    @property
    def origin(self) -> Side:
        """The side the lane reads."""
        return Side.TARGET if side_written(self.lane) is Side.SOURCE else Side.SOURCE

    def may_write(self, *topics: str) -> None:
        """From now on the lane's user may write these topics, and no others."""
        owned = set(MIRRORED.topics) - {*topics}
        self.estate.store.apply(user(USER, forward_mirror_rules([lane_of("forward")], FORWARD, owned), TARGET))
        if self.lane.direction == "reverse":
            who = f"User:{USER}"
            rights = [Right(principal=who, resource="topic", name=topic, operation="Write") for topic in topics]
            self.estate.clusters[Side.SOURCE].acls.put(who, rights)

    def ask(self, state: str, *, all_begin_written: bool = False) -> None:
        for body in bodies(self.lane, state, all_begin_written=all_begin_written):
            self.estate.store.apply(body)

    def write(self, partition: Partition, count: int) -> int:
        """So many more records where the lane reads; the offset of the last one."""
        log = self.estate.clusters[self.origin].logs[partition]
        for _ in range(count):
            log.put(1_000, digest(1_000, None, str(log.end).encode()), log.end)
        return log.end - 1

    def copies(self, partition: Partition) -> list[int]:
        """The numbers of the records that stand where the lane writes: the offsets they were written at."""
        log = self.estate.clusters[side_written(self.lane)].logs[partition]
        return [entry.number for entry in log.visible()]

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.estate.turn()

    def eventually(self, what: str, holds: Callable[[], object]) -> None:
        """It becomes true while somebody waits."""

        def look() -> Ready[None] | NotYet:
            return Ready(None) if holds() else NotYet("not yet")

        wait_until(look, what=what, clock=self.estate.clock, reporter=Reporter(), deadline_ms=60_000)
