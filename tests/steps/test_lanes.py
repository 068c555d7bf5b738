"""Lanes of both directions are stopped, armed and started over the world alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from mirror_estate import TARGET, MirrorEstate, lane_of

from kmigrate.adapters.memory import MemoryStore
from kmigrate.errors import Blocked, StillUnderWay, VerifyFailed
from kmigrate.manifests.lane_offsets import ACTION, asked
from kmigrate.manifests.lanes import names_of
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import JsonObject, Partition, objects, part
from kmigrate.probes.lanes import connector_spec, lane_key, with_setting
from kmigrate.steps.lanes import LaneState, arm_lane, lane_offsets, lane_state, start_lane, stop_lane
from kmigrate.world import Key, Resource

FIRST, SECOND = Partition("orders", 0), Partition("shipments", 1)
STANDS = LaneState(asked=STOPPED, told="STOPPED", tasks=0)
RUNS = LaneState(asked=RUNNING, told="RUNNING", tasks=1)
SOON_MS = 60_000


@pytest.fixture(params=["forward", "reverse"])
def made(request: pytest.FixtureRequest) -> MirrorEstate:
    return MirrorEstate(lane_of(str(request.param)))


def seen(made: MirrorEstate) -> Resource:
    resource = made.estate.store.get(lane_key(made.lane, TARGET.namespace))
    assert resource is not None
    return resource


def stopped(made: MirrorEstate) -> MirrorEstate:
    made.ask(STOPPED)
    made.turns(3)
    return made


def stop(made: MirrorEstate) -> None:
    stop_lane(made.world, TARGET, made.lane, SOON_MS)


def start(made: MirrorEstate) -> None:
    start_lane(made.world, TARGET, made.lane, SOON_MS)


def arm(made: MirrorEstate, last: dict[Partition, int]) -> None:
    arm_lane(made.world, TARGET, made.lane, last, SOON_MS)


def state(made: MirrorEstate) -> LaneState:
    return lane_state(made.world, TARGET, made.lane)


def test_a_lane_stops_and_starts_and_twice_equals_once(made: MirrorEstate) -> None:
    made.ask(RUNNING)
    start(made)
    assert state(made) == RUNS
    for _ in range(2):
        stop(made)
        assert state(made) == STANDS
        made.write(FIRST, 3)
        made.turns(5)
        assert made.copies(FIRST) == []
    generation = seen(made).generation
    stop(made)
    assert seen(made).generation == generation
    for _ in range(2):
        start(made)
        assert state(made) == RUNS
    made.eventually("copied", lambda: made.copies(FIRST) == [*range(6)])


def test_a_look_changes_nothing_and_says_when_the_operator_has_not_looked(made: MirrorEstate) -> None:
    made.ask(RUNNING)
    version = made.estate.store.version
    assert state(made) == LaneState(asked=RUNNING, told="", tasks=0)
    assert not state(made).running
    assert made.estate.store.version == version
    made.turns(3)
    made.ask(STOPPED)
    assert state(made) == LaneState(asked=STOPPED, told="", tasks=1)
    assert not state(made).stopped


def test_a_lane_that_is_nowhere_is_named(made: MirrorEstate) -> None:
    for verb in (stop, start, lambda it: arm(it, {}), state):
        with pytest.raises(Blocked, match=f"lane {made.lane.name}: there is no {lane_key(made.lane, 'kafka').kind}"):
            verb(made)


def test_an_alias_that_the_mirror_has_not_is_never_added() -> None:
    made = MirrorEstate(lane_of("forward"))
    made.ask(RUNNING)
    body = seen(made).body
    with pytest.raises(Blocked, match="has no mirror of source-9"):
        stop_lane(made.world, TARGET, replace(made.lane, source_alias="source-9"), SOON_MS)
    assert seen(made).body == body


def test_only_the_state_of_the_lanes_own_entry_changes() -> None:
    made = MirrorEstate(lane_of("forward"))
    made.ask(RUNNING)
    body = json.loads(json.dumps(seen(made).body))
    other = json.loads(json.dumps(body["spec"]["mirrors"][0]).replace("source-1", "source-2"))
    other["topicsPattern"] = "other"
    body["spec"]["mirrors"].insert(0, other)
    made.estate.store.apply(body)
    before = objects(seen(made).spec["mirrors"])
    stop(made)
    first, second = objects(seen(made).spec["mirrors"])
    assert first == before[0]
    connector = before[1]["sourceConnector"]
    assert isinstance(connector, dict)
    stands = {"state": STOPPED, "autoRestart": {"enabled": False}}
    assert second == {**before[1], "sourceConnector": {**connector, **stands}}
    assert seen(made).generation == 3


def test_a_lane_that_is_started_gets_up_again_by_itself_and_one_that_stands_does_not(made: MirrorEstate) -> None:
    made.ask(STOPPED)
    start_lane(made.world, TARGET, made.lane, SOON_MS)
    assert part(connector_spec(seen(made), made.lane), "autoRestart") == {"enabled": True}
    stop(made)
    assert part(connector_spec(seen(made), made.lane), "autoRestart") == {"enabled": False}


def test_a_slow_operator_is_waited_for(made: MirrorEstate) -> None:
    made.estate.operator.slowness = 4
    made.ask(RUNNING)
    start(made)
    stop(made)
    assert state(made) == STANDS
    arm(made, {FIRST: 7})
    assert made.estate.mirror.copied(made.lane) == {FIRST: 7}


def test_an_operator_that_never_stops_it_is_under_way_with_where_it_stands(made: MirrorEstate) -> None:
    made.ask(RUNNING)
    start(made)
    made.estate.operator.slowness = 1_000_000
    with pytest.raises(StillUnderWay, match="asked to be stopped, the operator has not looked at it yet, 1 tasks run"):
        stop(made)


def test_an_armed_lane_copies_exactly_what_came_from_there_on(made: MirrorEstate) -> None:
    begin = made.write(FIRST, 20) + 1
    stopped(made)
    arm(made, {FIRST: begin - 1})
    arm(made, {FIRST: begin - 1})
    last = made.write(FIRST, 11)
    made.write(SECOND, 3)
    start(made)
    made.eventually("copied", lambda: len(made.copies(FIRST)) == 11 and len(made.copies(SECOND)) == 3)
    made.turns(5)
    assert made.copies(FIRST) == [*range(begin, last + 1)]
    assert made.copies(SECOND) == [0, 1, 2]
    assert lane_offsets(made.world, TARGET, made.lane, SOON_MS) == {FIRST: last, SECOND: 2}


def test_a_lane_that_begins_at_zero_everywhere_is_only_read_back(made: MirrorEstate) -> None:
    stopped(made)
    arm(made, {})
    assert made.estate.store.get(_wanted(made)) is None


def _wanted(made: MirrorEstate) -> Key:
    return Key("ConfigMap", TARGET.namespace, names_of(made.lane).offsets_wanted(made.lane))


def test_a_lane_that_runs_is_not_armed(made: MirrorEstate) -> None:
    made.ask(RUNNING)
    start(made)
    with pytest.raises(Blocked, match="has not stopped: asked to be running, Connect says RUNNING, 1 tasks run"):
        arm(made, {FIRST: 1})
    assert made.estate.mirror.copied(made.lane) == {}


def test_a_lane_that_connect_moves_between_its_workers_is_armed_once_it_stands(made: MirrorEstate) -> None:
    stopped(made)
    made.estate.store.apply(with_setting(seen(made), made.lane, "tasks.max", "2"))
    made.turns(1)
    assert lane_state(made.world, TARGET, made.lane).told == "UNASSIGNED"
    arm(made, {FIRST: 1})
    assert lane_state(made.world, TARGET, made.lane) == STANDS


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ({SECOND: 4}, "shipments/1: none was set, 4 is there"),
        ({Partition("orders", 1): 0, SECOND: 4}, "orders/1: none was set, 0 is there; shipments/1: none was set"),
    ],
)
def test_an_offset_that_nobody_set_is_named(made: MirrorEstate, there: dict[Partition, int], told: str) -> None:
    stopped(made)
    made.estate.mirror.lanes(made.lane).last |= there
    with pytest.raises(VerifyFailed, match=told):
        arm(made, {FIRST: 7})
    assert state(made) == STANDS


def test_an_older_list_is_never_taken_for_a_new_one(made: MirrorEstate) -> None:
    stopped(made)
    arm(made, {FIRST: 7})

    def deaf() -> None:
        """Whoever works now takes wishes away and fulfils none."""
        gone: JsonObject = {**seen(made).metadata, "annotations": asked(made.lane, None)}
        made.estate.store.apply_by_operator({**seen(made).body, "metadata": gone})

    made.estate.clock.work = deaf
    with pytest.raises(VerifyFailed, match="does not have the offsets of lane"):
        arm(made, {FIRST: 7})


def test_a_wish_that_is_refused_is_told_and_taken_back_in_the_end(made: MirrorEstate) -> None:
    stopped(made)
    made.estate.operator.slowness = 1_000_000
    with pytest.raises(StillUnderWay, match=r"alter the offsets of lane .*: the operator has not seen to it yet"):
        arm(made, {FIRST: 7})
    assert ACTION not in json.dumps(seen(made).metadata)


def test_a_lane_that_may_not_write_does_not_start_and_why_is_told(made: MirrorEstate) -> None:
    made.may_write("shipments")
    made.write(FIRST, 1)
    stopped(made)
    with pytest.raises(Blocked, match=r"does not run: .* task 0 FAILED: .*TopicAuthorizationException.*'orders'"):
        start(made)
    assert made.copies(FIRST) == []


def test_a_connector_that_nobody_runs_yet_has_not_stopped(made: MirrorEstate) -> None:
    stopped(made)

    def early() -> None:
        """The operator has looked while Connect was still handing the connector to a worker."""
        told: JsonObject = {"name": made.lane.connector, "connector": {"state": "UNASSIGNED"}, "tasks": []}
        status: JsonObject = {
            "observedGeneration": seen(made).generation,
            "connectors": [told],
            "connectorStatus": told,
        }
        made.estate.store.write_status(seen(made).key, status)

    early()
    made.estate.clock.work = early
    with pytest.raises(StillUnderWay, match="asked to be stopped, Connect says UNASSIGNED, 0 tasks run"):
        stop(made)


class Racing:
    """A store in which somebody else is faster, once."""

    def __init__(self, store: MemoryStore) -> None:
        self._store, self._left = store, 1

    def get(self, key: Key) -> Resource | None:
        resource = self._store.get(key)
        if resource is not None and self._left:
            self._left = 0
            annotations: JsonObject = {**resource.metadata, "annotations": {"theirs": "kept"}}
            self._store.apply({**resource.body, "metadata": annotations})
        return resource

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_what_somebody_else_changes_meanwhile_stays(made: MirrorEstate) -> None:
    made.ask(RUNNING)
    made.turns(3)
    store = made.estate.store
    made.estate.store = Racing(store)
    stop(made)
    made.estate.store = store
    assert state(made) == STANDS
    annotations = seen(made).metadata["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["theirs"] == "kept"
