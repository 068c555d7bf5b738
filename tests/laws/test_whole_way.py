"""The whole way back, of a wave or of everything: what is told of it before anything is touched, and its order."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from dataclasses import replace
from typing import TypedDict

import pytest
from law_watch import estate_of, watch_of
from laws import BEFORE, Walk
from rich.console import Console
from writers_move import FIRST, PLAN, die_after, prepared, stray

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli import whole_way
from kmigrate.cli.rollback import go, ways_back
from kmigrate.cli.session import Session
from kmigrate.engine import phase_done, where
from kmigrate.errors import Blocked, NoWayBack, UsageError
from kmigrate.journal import Event
from kmigrate.model import Side
from kmigrate.probes.foreign import Foreign, keep
from kmigrate.probes.ownership import epochs
from kmigrate.world import Key

PHASES = tuple(reversed(BEFORE))


class Named(TypedDict, total=False):
    """What `rollback` is told to take back."""

    wave: int
    app: str


def session(walk: Walk) -> Session:
    journal = walk.journal()
    return Session(
        migration=walk.estate.migration,
        plan=walk.plan,
        journal=journal,
        world=MemoryWorld(walk.estate).bound(journal.past()),
        read_anew=lambda: nullcontext(journal),
    )


def moved(*commands: str) -> Walk:
    walk = prepared()
    for command in ("cutover checkout", *commands):
        walk.type(command)
    return walk


def names(walk: Walk, *, to: str = "", wave: int = 0, app: str = "") -> list[str]:
    return [way.unit.name for way in ways_back(session(walk), app, to, wave)]


def seen(walk: Walk, *, to: str = "", wave: int = 0, app: str = "") -> whole_way.WholeWay:
    s = session(walk)
    return whole_way.look(s, ways_back(s, app, to, wave), to)


def drawn(picture: whole_way.WholeWay) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(whole_way.way_picture(picture))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_everything_goes_back_writers_before_their_readers_then_the_phases_newest_first() -> None:
    assert names(moved(), to="start") == ["rollback/checkout#1", "rollback/fraud#1", *PHASES]


def test_a_reader_that_moved_anew_after_its_writer_comes_back_after_it_all_the_same() -> None:
    walk = moved("rollback fraud", "cutover fraud")
    assert names(walk, to="rehearse") == ["rollback/checkout#1", "rollback/fraud#2"]


def test_what_is_half_done_comes_first_since_somebody_stands_still() -> None:
    walk = moved("rollback fraud")
    die_after(walk, "stop-workloads", "cutover fraud")
    assert names(walk, to="rehearse") == ["cutover/fraud#2", "rollback/checkout#1"]
    first, second = seen(walk, to="rehearse").legs
    assert (first.way.undo, second.way.undo) == (True, False)
    assert "stands still; way back" in drawn(seen(walk, to="rehearse"))
    assert [step.step for step in first.steps] == ["stop-workloads", "ready"]


def test_an_attempt_that_a_move_back_took_over_is_not_half_done_for_ever() -> None:
    walk = prepared(readers=False)
    die_after(walk, "start-workloads", "cutover fraud")
    for command in ("rollback fraud", "cutover fraud", "cutover checkout"):
        walk.type(command)
    assert names(walk, to="rehearse") == ["rollback/checkout#1", "rollback/fraud#2"]


def test_a_wave_goes_back_and_who_is_on_the_source_already_is_left() -> None:
    walk = moved()
    assert names(walk, wave=2) == ["rollback/checkout#1"]
    s = session(walk)
    go(s, ways_back(s, "", "", 2))
    walk.exact()
    assert where(walk.journal(), "checkout") is Side.SOURCE
    assert names(walk, wave=2) == []
    assert names(walk, wave=1) == ["rollback/fraud#1"]


def one_move_by_now(walk: Walk) -> Walk:
    """The plan file has both share a transactional id since."""
    apps = tuple(replace(app, transactional_ids=("shared-0",)) for app in PLAN.applications)
    walk.estate.migration = replace(PLAN, applications=apps)
    edited = Walk(walk.estate)
    assert edited.plan.waves == (("checkout+fraud",),)
    return edited


@pytest.mark.parametrize("named", [{"wave": 1}, {"app": "checkout+fraud"}])
def test_those_that_moved_each_by_itself_come_back_all_of_them_the_last_one_first(named: Named) -> None:
    walk = one_move_by_now(moved())
    assert names(walk, **named) == ["rollback/checkout#1", "rollback/fraud#1"]
    s = session(walk)
    go(s, ways_back(s, named.get("app", ""), "", named.get("wave", 0)))
    assert names(walk, **named) == []
    assert [where(walk.journal(), app) for app in ("checkout", "fraud")] == [Side.SOURCE] * 2
    walk.exact()


def test_of_those_only_who_is_on_the_target_comes_back_and_who_is_half_done_first() -> None:
    assert names(one_move_by_now(moved("rollback checkout")), wave=1) == ["rollback/fraud#1"]
    walk = moved("rollback fraud")
    die_after(walk, "stop-workloads", "cutover fraud")
    assert names(one_move_by_now(walk), wave=1) == ["cutover/fraud#2", "rollback/checkout#1"]


@pytest.mark.parametrize(
    ("app", "to", "wave", "told"),
    [
        ("fraud", "start", 0, "--app or --to, not both"),
        ("fraud", "", 1, "--wave instead of either"),
        ("", "start", 1, "--wave instead of either"),
        ("", "", 3, "wave 3 has no move"),
        ("", "", 0, "or --wave with its number"),
    ],
)
def test_one_thing_is_named(app: str, to: str, wave: int, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ways_back(session(moved()), app, to, wave)


def test_it_tells_each_leg_with_its_steps_and_how_long_who_stands_still_and_touches_nothing() -> None:
    walk = moved()
    was, counts = walk.estate.picture(), walk.counts()
    told = json.loads(json.dumps(whole_way.way_json(seen(walk, to="start"))))
    assert (walk.estate.picture(), walk.counts()) == (was, counts)
    assert told["event"] == "way_back"
    assert [(leg["unit"], leg["how"]) for leg in told["legs"]] == [
        ("rollback/checkout#1", "move"),
        ("rollback/fraud#1", "move"),
        *((phase, "undo") for phase in PHASES),
    ]
    checkout, *_, assess = told["legs"]
    assert [step["step"] for step in checkout["steps"]][:3] == ["ready", "stop-workloads", "fence-clients"]
    assert checkout["steps"][1]["changes"][0] == "stop checkout"
    assert checkout["standsStill"]["parts"][0]["from"] == "measured when it last left the source"
    assert (assess["standsStill"], [step["step"] for step in assess["steps"]]) == (None, ["take-inventory"])
    text = drawn(seen(walk, to="start"))
    for word in (
        "the whole way back",
        "stands still for about",
        "nobody stands still",
        "↶ create-topics",
        "stop checkout",
    ):
        assert word in text


def test_it_tells_what_is_not_undone_and_why() -> None:
    walk = moved()
    (told,) = seen(walk, wave=2).left
    assert told.startswith("what checkout wrote on the target into orders, payments stays there")
    (fed,) = seen(walk, app="fraud").left
    assert fed.startswith("checkout stays on the target and writes orders, payments there, which fraud reads")
    walk.type("rollback fraud")
    left = seen(walk, to="cutover/checkout#1").left
    assert [each.partition(" was on")[0] for each in left] == ["fraud"]
    assert "kmigrate apply --phase cutover --app fraud" in left[0]


def test_everything_that_closes_the_way_is_told_at_once_and_nothing_is_touched() -> None:
    walk = moved()
    walk.journal().record("decommission", "f", Event.STARTED, "stop-lanes")
    was = walk.counts()
    with pytest.raises(NoWayBack, match=r"stop-lanes of decommission was begun.*what is written on the source") as told:
        ways_back(session(walk), "", "start")
    assert told.value.exit_code == 5
    assert "decommission: stop-lanes cannot be undone" in told.value.message
    assert walk.counts() == was


def test_what_ends_it_in_the_middle_says_what_was_done_and_the_same_command_goes_on() -> None:
    walk = moved()
    walk.estate.workloads["fraud"].elsewhere = "nowhere:9092"
    s = session(walk)
    with pytest.raises(Blocked, match="fraud points to nowhere:9092") as told:
        go(s, ways_back(s, "", "rehearse"))
    assert told.value.hint.splitlines()[-1] == "  done before: rollback/checkout#1"
    walk.estate.workloads["fraud"].elsewhere = ""
    s = session(walk)
    ways = ways_back(s, "", "start")
    assert [way.unit.name for way in ways] == ["rollback/fraud#1", *PHASES]
    go(s, ways)
    walk.exact()


def test_a_wave_of_which_nothing_was_begun_has_nothing_to_go_back() -> None:
    assert names(prepared(), wave=2) == []


@pytest.mark.parametrize("checkpoint", ["start", "assess", "provision", "replicate"])
def test_after_everything_went_back_it_goes_forward_again_and_back_and_again(checkpoint: str) -> None:
    """What hand-overs said of topics that were taken away is not taken for what is made anew."""
    walk = moved()
    for _ in range(2):
        s = session(walk)
        go(s, ways_back(s, "", checkpoint))
        walk.rest()
        walk.exact()
        for command in (*BEFORE[len(BEFORE) - missing(walk) :], "cutover fraud", "cutover checkout"):
            walk.type(command)
        walk.exact()
    assert where(walk.journal(), "checkout") is Side.TARGET
    for life in epochs(session(walk).world).values():
        assert len(life.seams) == (2 if checkpoint in ("start", "assess") else 6)
    assert watch_of(walk.estate).unruly == []


def test_everything_undone_leaves_nothing_on_either_side() -> None:
    walk = Walk(estate_of(PLAN))
    walk.rest()
    was = walk.estate.picture()
    for command in (*BEFORE, "cutover fraud", "cutover checkout", "rollback checkout", "cutover checkout"):
        walk.type(command)
    s = session(walk)
    go(s, ways_back(s, "", "start"))
    walk.rest()
    now = walk.estate.picture()
    # a cluster forgets positions with their topic, which the memory world does not
    assert {name: part for name, part in now.items() if name != "groups"} == {
        name: part for name, part in was.items() if name != "groups"
    }


def missing(walk: Walk) -> int:
    """How many phases are not done."""
    return sum(not phase_done(walk.plan, walk.journal(), phase) for phase in BEFORE)


def test_a_topic_with_records_that_stand_on_the_target_alone_is_not_removed_and_that_is_told_first() -> None:
    walk = moved("rollback checkout", "rollback fraud")
    at, unit = stray(walk, Side.TARGET), walk.journal().units["rollback/checkout#1"]
    world = session(walk).world.bound(walk.journal().ledger(unit.name, unit.fingerprint))
    keep(world, Side.TARGET, [Foreign(partition=FIRST, offset=at, last=at, time=77)])
    was = walk.counts()
    with pytest.raises(Blocked, match=f"orders would be removed on the target, .* stand there alone: orders/0 at {at}"):
        seen(walk, to="start")
    s = session(walk)
    assert walk.counts() == was
    with pytest.raises(Blocked, match="stand there alone") as told:
        go(s, ways_back(s, "", "start"))
    assert "not begun: assess" in told.value.hint
    assert "orders" in walk.estate.clusters[Side.TARGET].made
    walk.estate.store.delete(Key("KafkaTopic", "kafka", "orders"))
    s = session(walk)
    go(s, ways_back(s, "", "start"))
    assert names(walk, to="start") == []
