"""Lanes: what a move writes shares one, and nothing ever changes its lane."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from memory_estate import Estate, migration
from walking import walk

from kmigrate.adapters.memory import MemoryLines
from kmigrate.journal import Event, Journal
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Application, ManualWorkload, Migration
from kmigrate.steps.provision import CreateTopics
from kmigrate.story import as_begun
from kmigrate.waves import crowded, extended, lane_topics, sharers


def app(name: str, writes: str = "") -> Application:
    return Application(name=name, team="", reads=(), writes=tuple(writes), principals=(), workloads=())


def test_each_writing_move_has_a_lane_and_what_nobody_moves_shares_one() -> None:
    apps = (app("one", "ab"), app("two", "c"), app("three", "bd"), app("reader"))
    assert lane_topics(apps, "abcdef", 8) == (("a", "b", "d"), ("c",), ("e", "f"))


def test_past_the_budget_the_smallest_share_a_lane() -> None:
    apps = (app("one", "ab"), app("two", "c"), app("three", "d"))
    assert lane_topics(apps, "abcd", 2) == (("a", "b"), ("c", "d"))
    assert lane_topics(apps, "abcde", 1) == (("a", "b", "c", "d", "e"),)
    assert sharers((("a", "b"), ("c", "d")), ("c",)) == ("d",)
    assert sharers((("a", "b"), ("c", "d")), ("a", "b")) == ()


def test_past_the_budget_just_those_moves_are_told_that_cannot_be_made() -> None:
    apps = [replace(app(f"app-{name}", name), workloads=(ManualWorkload(note="n"),)) for name in "abcdefghi"]
    told = crowded(apps, lane_topics(apps, "abcdefghi", 8), way_back=True)
    assert sorted(told) == ["app-h", "app-i"]
    assert told["app-h"].startswith("what it writes shares a lane with i, ")
    assert told["app-h"].endswith("there must be 9 lanes")
    assert crowded(apps, lane_topics(apps, "abcdefghi", 9), way_back=True) == {}
    assert sorted(crowded(apps, lane_topics(apps, "abcdefghiz", 9), way_back=True)) == ["app-i"]
    assert crowded(apps, lane_topics(apps, "abcdefghi", 8), way_back=False) == {}


def test_without_topics_there_is_no_lane() -> None:
    assert lane_topics((), (), 8) == ()


@given(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3), max_size=4), st.integers(1, 5))
def test_every_topic_is_in_one_lane_and_the_budget_is_kept(writes: list[set[str]], most: int) -> None:
    apps = [app(f"app-{number}", "".join(each)) for number, each in enumerate(writes)]
    lanes = lane_topics(apps, "abcdef", most)
    assert sorted(topic for lane in lanes for topic in lane) == list("abcdef")
    assert len(lanes) <= most


@given(st.sets(st.sampled_from("abcdefgh")), st.lists(st.sampled_from("abcdefgh"), unique=True), st.integers(1, 4))
def test_whatever_is_edited_no_topic_changes_its_lane(before: set[str], after: list[str], most: int) -> None:
    kept = lane_topics([app(name, name) for name in sorted(before)], before, most) or (("z",),)
    later = extended(kept, lane_topics([app(name, name) for name in after], after, most), most)
    assert len(later) <= max(most, len(kept))
    assert sorted(topic for lane in later for topic in lane) == sorted(after)
    stayed = {topic: number for number, lane in enumerate(kept) for topic in lane if topic in after}
    assert all(topic in later[number] for topic, number in stayed.items())


def other_lanes() -> Migration:
    return replace(migration(), topics=("new", "shipments"), lane_topics=(("new",), ("shipments",)))


def test_lanes_are_fixed_once_topics_were_made_for_them_and_a_new_topic_gets_a_lane_behind_them() -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    begun = Journal(lines, estate.clock, "test", "shop")
    assert as_begun(other_lanes(), begun) == other_lanes()
    walk(estate, lines, ("provision",))
    settled = as_begun(other_lanes(), Journal(lines, estate.clock, "test", "shop"))
    assert settled.lane_topics == (("shipments",), ("new",))
    assert [lane.source_alias for lane in forward_lanes(settled)] == ["source-1", "source-2"]


def test_a_lane_whose_topics_are_all_gone_leaves_its_number_to_nobody() -> None:
    left = replace(migration(), lane_topics=((), ("shipments",)))
    assert [lane.name for lane in forward_lanes(left)] == ["lane-2"]


def test_a_journal_that_does_not_tell_its_lanes_had_one() -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    walk(estate, lines, ("provision",))
    journal = Journal(lines, estate.clock, "test", "shop")
    del journal.units["provision"].facts["lanes"]
    assert as_begun(other_lanes(), journal).lane_topics == (("new", "shipments"),)


def test_a_death_before_lanes_were_fixed_leaves_those_of_the_plan() -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    journal = Journal(lines, estate.clock, "test", "shop")
    journal.record("provision", "f", Event.STARTED, CreateTopics.name, {})
    assert as_begun(other_lanes(), journal) == other_lanes()
    journal.record("provision", "f", Event.APPLIED, CreateTopics.name)
    assert as_begun(other_lanes(), journal).lane_topics == (("new", "shipments"),)
