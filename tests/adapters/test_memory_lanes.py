"""The mirror in memory: what rights hold up, what offsets do, and what the operator tells of either."""

from __future__ import annotations

import json

import pytest
from mirror_estate import TARGET, MirrorEstate, lane_of

from kmigrate.manifests.lane_offsets import ALTER, LIST, asked, file_name, listed_offsets, wanted_offsets
from kmigrate.manifests.lanes import names_of, side_written
from kmigrate.manifests.mirror import RUNNING, STOPPED
from kmigrate.model import Partition, Right, Side
from kmigrate.probes.lanes import lane_key
from kmigrate.probes.resources import conditions
from kmigrate.world import Key, Resource

FIRST, SECOND = Partition("orders", 0), Partition("shipments", 1)
DIRECTIONS = ["forward", "reverse"]


@pytest.fixture(params=DIRECTIONS)
def made(request: pytest.FixtureRequest) -> MirrorEstate:
    return MirrorEstate(lane_of(str(request.param)))


def seen(made: MirrorEstate) -> Resource:
    resource = made.estate.store.get(lane_key(made.lane, TARGET.namespace))
    assert resource is not None
    return resource


def wish(made: MirrorEstate, action: str) -> None:
    metadata = {"name": seen(made).key.name, "namespace": TARGET.namespace, "annotations": asked(made.lane, action)}
    made.estate.store.apply({**seen(made).body, "metadata": metadata})


def is_served(made: MirrorEstate) -> bool:
    annotations = seen(made).metadata["annotations"]
    assert isinstance(annotations, dict)
    return not annotations.keys() & asked(made.lane, LIST).keys()


def want(made: MirrorEstate, last: dict[Partition, int]) -> None:
    made.estate.store.apply(wanted_offsets(names_of(made.lane), made.lane, TARGET, last))


def listed(made: MirrorEstate) -> dict[Partition, int]:
    wish(made, LIST)
    made.eventually("listed", lambda: is_served(made))
    place = Key("ConfigMap", TARGET.namespace, names_of(made.lane).offsets_listed(made.lane))
    written = made.estate.store.get(place)
    assert written is not None
    return listed_offsets(made.lane, str(written.data[file_name(made.lane)]))


def test_a_topic_that_the_lane_may_not_write_fails_its_task_and_nothing_is_added(made: MirrorEstate) -> None:
    made.may_write("shipments")
    made.ask(RUNNING)
    made.eventually("it runs", lambda: made.estate.mirror.tasks(made.lane) == 1)
    made.write(FIRST, 3)
    made.write(SECOND, 3)
    made.eventually("told", lambda: any("FAILED" in word for word in made.estate.mirror.trouble(made.lane)))
    made.turns(5)
    told = f"{made.lane.connector}: task 0 FAILED: org.apache.kafka.common.errors.TopicAuthorizationException"
    (word,) = made.estate.mirror.trouble(made.lane)
    assert word == f"{told}: Not authorized to access topics: ['orders']"
    assert made.estate.mirror.tasks(made.lane) == 0
    assert made.copies(FIRST) == []
    assert made.copies(SECOND) == []
    assert made.estate.mirror.copied(made.lane) == {}


def test_a_task_that_failed_tries_again_only_once_it_is_started_again(made: MirrorEstate) -> None:
    made.may_write("shipments")
    made.ask(RUNNING)
    made.write(FIRST, 3)
    made.eventually("told", lambda: any("FAILED" in word for word in made.estate.mirror.trouble(made.lane)))
    made.may_write("orders", "shipments")
    made.turns(5)
    assert made.copies(FIRST) == []
    made.ask(STOPPED)
    made.turns(3)
    made.ask(RUNNING)
    made.eventually("copied", lambda: made.copies(FIRST) == [0, 1, 2])
    made.eventually("well", lambda: made.estate.mirror.trouble(made.lane) == ())


def test_a_right_that_was_denied_counts_as_none(made: MirrorEstate) -> None:
    acls = made.estate.clusters[side_written(made.lane)].acls
    made.ask(RUNNING)
    made.turns(3)
    denied = Right(principal="User:mirror", resource="topic", name="orders", operation="Write", type="deny")
    acls.rules = {*acls.rules, denied}
    made.turns(1)
    made.write(FIRST, 1)
    made.turns(3)
    assert made.copies(FIRST) == []
    assert made.estate.mirror.tasks(made.lane) == 0


def test_a_lane_without_offsets_copies_from_the_start_and_an_armed_one_from_the_next_record(made: MirrorEstate) -> None:
    end = made.write(FIRST, 20) + 1
    made.write(SECOND, 5)
    made.ask(STOPPED)
    made.turns(3)
    want(made, {FIRST: end - 1})
    wish(made, ALTER)
    made.eventually("altered", lambda: is_served(made))
    assert listed(made) == {FIRST: end - 1}
    later = made.write(FIRST, 12)
    made.turns(3)
    assert made.copies(FIRST) == []
    made.ask(RUNNING)
    made.eventually("copied", lambda: len(made.copies(FIRST)) == 12 and len(made.copies(SECOND)) == 5)
    made.turns(5)
    assert made.copies(FIRST) == [*range(end, later + 1)]
    assert made.copies(SECOND) == [*range(5)]
    assert listed(made) == {FIRST: later, SECOND: 4}


def test_offsets_of_a_lane_that_runs_are_not_altered_and_the_wish_stays(made: MirrorEstate) -> None:
    made.ask(RUNNING)
    made.turns(3)
    want(made, {FIRST: 7})
    wish(made, ALTER)
    made.turns(5)
    assert not is_served(made)
    assert [told["reason"] for told in conditions(seen(made)) if told["type"] == "Warning"] == ["AlterOffsets"]
    assert made.estate.mirror.copied(made.lane) == {}
    made.ask(STOPPED)
    made.eventually("altered", lambda: is_served(made))
    made.turns(2)
    assert [told["type"] for told in conditions(seen(made))] == ["Ready"]
    assert made.estate.mirror.copied(made.lane) == {FIRST: 7}


def test_offsets_of_another_cluster_are_taken_and_mean_nothing(made: MirrorEstate) -> None:
    made.ask(STOPPED)
    made.turns(3)
    body = wanted_offsets(names_of(made.lane), made.lane, TARGET, {FIRST: 7})
    text = json.dumps(body).replace(json.dumps(json.dumps(made.lane.source_alias))[1:-1], r"\"nowhere\"")
    assert "nowhere" in text
    made.estate.store.apply(json.loads(text))
    wish(made, ALTER)
    made.eventually("altered", lambda: is_served(made))
    assert listed(made) == {}


def test_a_wish_for_offsets_that_are_nowhere_stays(made: MirrorEstate) -> None:
    made.ask(STOPPED)
    made.turns(3)
    wish(made, ALTER)
    made.turns(5)
    assert not is_served(made)


def test_what_is_armed_past_the_end_is_copied_again_from_the_start(made: MirrorEstate) -> None:
    made.write(FIRST, 4)
    made.ask(STOPPED)
    made.turns(3)
    want(made, {FIRST: 9})
    wish(made, ALTER)
    made.eventually("altered", lambda: is_served(made))
    made.ask(RUNNING)
    made.eventually("copied", lambda: made.copies(FIRST) == [0, 1, 2, 3])


def test_a_reverse_lane_that_must_begin_somewhere_copies_nothing_while_a_partition_has_no_offset() -> None:
    made = MirrorEstate(lane_of("reverse"))
    made.write(FIRST, 4)
    made.ask(STOPPED, all_begin_written=True)
    made.turns(3)
    made.ask(RUNNING, all_begin_written=True)
    made.turns(5)
    assert made.copies(FIRST) == []
    assert made.estate.mirror.tasks(made.lane) == 1


def test_a_connector_without_its_workers_is_not_ready_and_does_not_run() -> None:
    made = MirrorEstate(lane_of("reverse"))
    made.ask(RUNNING)
    made.estate.store.delete(Key("KafkaConnect", TARGET.namespace, names_of(made.lane).group))
    made.write(FIRST, 1)
    made.turns(5)
    assert [(told["type"], told["reason"]) for told in conditions(seen(made))] == [
        ("NotReady", "NoSuchResourceException")
    ]
    assert made.estate.mirror.tasks(made.lane) == 0
    assert made.copies(FIRST) == []


def test_both_mirrors_on_one_topic_echo_unless_rights_keep_one_of_them_from_it() -> None:
    back = MirrorEstate(lane_of("reverse"))
    forward = MirrorEstate(lane_of("forward"), back.estate)
    back.may_write("orders", "shipments")
    back.write(FIRST, 1)
    for each in (forward, back):
        each.ask(RUNNING)
    forward.turns(9)
    logs = {side: back.estate.clusters[side].logs[FIRST] for side in Side}
    assert min(len(log.visible()) for log in logs.values()) > 3
    forward.may_write("shipments")
    forward.turns(5)
    stood = len(logs[Side.TARGET].visible())
    forward.turns(9)
    assert len(logs[Side.TARGET].visible()) == stood
    assert any("FAILED" in word for word in forward.estate.mirror.trouble(forward.lane))
    assert back.estate.mirror.trouble(back.lane) == ()
