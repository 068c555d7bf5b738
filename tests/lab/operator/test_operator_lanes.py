"""The steps of lanes (kmigrate.steps.lanes) over real Connect, for both kinds of resource and both directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from operator_stage import TARGET, Stage
from reverse_stage import PARTITIONS, Reverse, identities
from two_clusters import acls

from kmigrate.adapters.kafka import Connection, Login
from kmigrate.adapters.mirror import ConnectMirror
from kmigrate.errors import Blocked
from kmigrate.lab.operator.admin import ClusterAdmin, NewTopicWish
from kmigrate.lab.runtime.kafka import KafkaCluster
from kmigrate.manifests.internal import internal_topics, topics_on_source
from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.lanes import FORWARD, REVERSE, names_of, side_written
from kmigrate.manifests.mirror import STOPPED, Endpoint, mirror_maker
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.topics import kafka_topic
from kmigrate.manifests.users import (
    Rule,
    forward_mirror_rules,
    reverse_mirror_rules,
    reverse_source_rules,
    user,
    worker_rules,
)
from kmigrate.model import JsonObject, Lane, Partition, Side
from kmigrate.steps.lanes import LaneState, arm_lane, lane_offsets, lane_state, start_lane, stop_lane
from kmigrate.world import Clock, Reporter, ResourceStore

pytestmark = pytest.mark.kafka

OUT = Lane(name="out", direction="forward", source_alias="cc-out", target_alias="strimzi", topics=("lanes.out",))
BACK = Lane(name="back", direction="reverse", source_alias="strimzi", target_alias="cc-back", topics=("lanes.back",))
USERS = {OUT.name: "lanes-out", BACK.name: "lanes-back"}
SIGNS_IN = "sa-mirror"
EACH = 40
DEADLINE_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LanesWorld:
    """As much of a world as the steps of lanes touch."""

    clock: Clock
    resources: ResourceStore
    mirror: ConnectMirror
    reporter: Reporter = field(default_factory=Reporter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A lane over both clusters, made stopped."""

    lane: Lane
    world: LanesWorld
    both: Reverse

    @property
    def topic(self) -> str:
        return self.lane.topics[0]

    @property
    def begins(self) -> str:
        return "target" if side_written(self.lane) is Side.SOURCE else "source"

    def write(self, prefix: str) -> None:
        """Two committed transactions with an aborted one between them, so that offsets have holes."""
        for turn, abort in enumerate((False, True, False)):
            self.both.write(self.begins, self.topic, [f"{prefix}-{turn}-{n}" for n in range(EACH)], abort=abort)

    def ends(self) -> dict[int, int]:
        return self.both.ends(self.begins, self.topic)

    def copies(self) -> dict[int, list[object]]:
        return identities(self.both.log(str(side_written(self.lane)), self.topic))

    def since(self, begin: dict[int, int]) -> dict[int, list[object]]:
        log = self.both.log(self.begins, self.topic)
        return {number: [one for at, one in log[number] if at >= begin[number]] for number in log}

    def state(self) -> LaneState:
        return lane_state(self.world, TARGET, self.lane)

    def own(self, side: Side) -> None:
        """The side owns the topic: the lane's user may not write it, if it would write there."""
        owned = self.lane.topics if side is side_written(self.lane) else ()
        if self.lane.direction == "forward":
            self.both.lab.apply(user(USERS[self.lane.name], forward_mirror_rules([OUT], FORWARD, owned), TARGET))
            return
        admin = ClusterAdmin(self.both.source.layout.admin_config())
        given, taken = self._rights(owned), self._rights(() if owned else self.lane.topics)
        assert admin.add_acls(acls(SIGNS_IN, given)) == ""
        assert admin.remove_acls(acls(SIGNS_IN, taken)) == ""

    def _rights(self, owned: tuple[str, ...]) -> list[Rule]:
        """Over the topic alone: to describe it is left, else the task waits for the topic instead of failing."""
        rules = reverse_source_rules([self.lane], REVERSE, owned)
        return [rule for rule in rules if rule.resource == "topic" and rule.name == self.topic]


@pytest.fixture(scope="session")
def world(lab: Stage, source: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanesWorld]:
    prepare(lab, source)
    both = Reverse(lab=lab, source=source)

    def connection(side: Side) -> Connection:
        settings = both.settings(str(side))
        return Connection(
            Login(
                name=str(side),
                bootstrap=str(settings["bootstrap.servers"]),
                mechanism=str(settings["sasl.mechanism"]),
                username=str(settings["sasl.username"]),
                password=str(settings["sasl.password"]),
                ca=Path(str(settings["ssl.ca.location"])).read_text(),
            )
        )

    mirror = ConnectMirror(lab.store, TARGET.namespace, connection, tmp_path_factory.mktemp("kept"))
    yield LanesWorld(clock=lab.bench.clock, resources=lab.store, mirror=mirror)
    mirror.close()


@pytest.fixture(params=[OUT, BACK], ids=["forward", "reverse"])
def way(request: pytest.FixtureRequest, world: LanesWorld, lab: Stage, source: KafkaCluster) -> Way:
    return Way(lane=request.param, world=world, both=Reverse(lab=lab, source=source))


def prepare(lab: Stage, source: KafkaCluster) -> None:
    """Topics and rights of both sides, and each lane made stopped."""
    topics = [*OUT.topics, *BACK.topics]
    internal = (
        *internal_topics(FORWARD, [OUT], TARGET, brokers=1),
        *internal_topics(REVERSE, [BACK], TARGET, brokers=1),
    )
    for body in (*internal, *(kafka_topic(topic, PARTITIONS, {}, TARGET, replicas=1) for topic in topics)):
        lab.store.apply(body)
    admin = ClusterAdmin(source.layout.admin_config())
    wishes = [NewTopicWish(name=topic, partitions=PARTITIONS, replicas=1, config={}) for topic in topics]
    wishes += [
        NewTopicWish(name=t.name, partitions=1, replicas=1, config=t.config) for t in topics_on_source(REVERSE, [BACK])
    ]
    assert set(admin.create_topics(wishes).values()) == {""}
    reads = [Rule(resource="topic", name=topic, operations=("Describe", "Read")) for topic in OUT.topics]
    assert admin.add_acls(acls(SIGNS_IN, (*reads, *reverse_source_rules([BACK], REVERSE)))) == ""
    lab.apply(user(USERS["out"], forward_mirror_rules([OUT], FORWARD), TARGET))
    lab.apply(user(USERS["back"], (*reverse_mirror_rules([BACK], REVERSE), *worker_rules(REVERSE)), TARGET))
    for body in resources(source):
        lab.settled(lab.store.apply(body), DEADLINE_MS)


def resources(source: KafkaCluster) -> tuple[JsonObject, ...]:
    there = Endpoint(
        bootstrap=source.layout.bootstrap("CLIENT"),
        mechanism="plain",
        username=SIGNS_IN,
        password=("cc", "password"),
        ca=("cc", "ca.crt"),
    )
    out, back = (here(USERS[name]) for name in ("out", "back"))
    return (
        mirror_maker(FORWARD, [OUT], TARGET, reads_from=there, writes_to=out, states={OUT.name: STOPPED}),
        reverse_connect(REVERSE, TARGET, reads_from=back, writes_to=there),
        reverse_lane(REVERSE, BACK, TARGET, reads_from=back, writes_to=there),
    )


def here(name: str) -> Endpoint:
    return Endpoint(
        bootstrap=bootstrap(TARGET),
        mechanism="scram-sha-512",
        username=name,
        password=(name, "password"),
        ca=(ca_secret(TARGET), "ca.crt"),
    )


def workers(way: Way) -> int | None:
    suffix = "connect" if way.lane.direction == "reverse" else "mirrormaker2"
    return way.both.lab.bench.machine.pid(f"{names_of(way.lane).group}-{suffix}-0")


def test_a_lane_armed_by_the_steps_copies_exactly_what_came_from_there_on_and_no_pod_rolls(way: Way) -> None:
    pid = workers(way)
    assert pid is not None
    stop_lane(way.world, TARGET, way.lane, DEADLINE_MS)
    assert way.state().stopped
    way.write("before")
    begin = way.ends()
    last = {Partition(way.topic, number): end - 1 for number, end in begin.items() if end > 0}
    assert len(last) == PARTITIONS - 1
    for _ in range(2):
        arm_lane(way.world, TARGET, way.lane, last, DEADLINE_MS)
    way.write("after")
    assert sum(map(len, way.copies().values())) == 0

    for _ in range(2):
        start_lane(way.world, TARGET, way.lane, DEADLINE_MS)
        assert way.state().running
    way.both.lab.until("the copies", lambda: way.copies() == way.since(begin))
    stop_lane(way.world, TARGET, way.lane, DEADLINE_MS)
    copied = way.copies()
    assert sum(map(len, copied.values())) == 2 * EACH
    way.write("stopped")
    there = lane_offsets(way.world, TARGET, way.lane, DEADLINE_MS)
    assert there == dict(way.world.mirror.copied(way.lane))
    assert way.copies() == copied
    start_lane(way.world, TARGET, way.lane, DEADLINE_MS)
    with pytest.raises(Blocked, match="has not stopped"):
        arm_lane(way.world, TARGET, way.lane, last, DEADLINE_MS)
    way.both.lab.until("the rest", lambda: way.copies() == way.since(begin))
    assert way.world.mirror.trouble(way.lane) == ()
    assert workers(way) == pid


def start_until_it_is_refused(way: Way) -> str:
    """A task runs until it first writes, and once it FAILED its operator starts it again."""
    told: list[str] = []

    def is_refused() -> bool:
        try:
            start_lane(way.world, TARGET, way.lane, DEADLINE_MS)
        except Blocked as refusal:
            told.append(refusal.message)
        return bool(told)

    way.both.lab.until("the refusal", is_refused)
    return told[0]


def test_a_lane_that_may_not_write_is_failed_and_named_and_adds_nothing(way: Way) -> None:
    """After the one above: the lane has copied all there is."""
    stop_lane(way.world, TARGET, way.lane, DEADLINE_MS)
    copied = way.copies()
    way.own(side_written(way.lane))
    way.write("foreign")

    told = start_until_it_is_refused(way)
    assert told.startswith(f"lane {way.lane.name} does not run: {way.lane.connector}: task 0 FAILED: ")
    assert f"TopicAuthorizationException: Not authorized to access topics: [{way.topic}]" in told
    assert way.copies() == copied
    stop_lane(way.world, TARGET, way.lane, DEADLINE_MS)
    assert way.copies() == copied
    way.own(Side.SOURCE if side_written(way.lane) is Side.TARGET else Side.TARGET)
    start_lane(way.world, TARGET, way.lane, DEADLINE_MS)
    way.both.lab.until(
        "the copies", lambda: sum(map(len, way.copies().values())) == sum(map(len, copied.values())) + 2 * EACH
    )
    stop_lane(way.world, TARGET, way.lane, DEADLINE_MS)
