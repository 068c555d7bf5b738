"""A phase that is done again, and undone by itself: it puts back what it found, never what moves have changed since."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from at_the_desk import Desk
from law_watch import watch_of
from laws import Walk

from kmigrate.adapters.memory import Died
from kmigrate.engine import undo_unit
from kmigrate.errors import Blocked
from kmigrate.manifests.lanes import FORWARD, forward_lanes, reverse_lanes
from kmigrate.manifests.users import denials
from kmigrate.model import ARMED, Direction, Partition, Right, Side
from kmigrate.probes.arming import is_armed
from kmigrate.probes.lanes import lane_key
from kmigrate.steps.lanes import asked_state
from kmigrate.world import Key


def die_after(desk: Desk, sign: str, command: Callable[[], object]) -> None:
    """Type the command and die right after the journal line with the sign."""

    def kill() -> None:
        if sign in desk.estate.lines.written[-1]:
            raise Died

    watch_of(desk.estate).at_instant = kill
    with pytest.raises(Died):
        command()
    watch_of(desk.estate).at_instant = None


def mirror_writes(desk: Desk, topic: str) -> bool:
    asked = Right(principal="User:kmigrate-mirror", resource="topic", name=topic, operation="Write")
    return asked in desk.session().world.cluster(Side.TARGET).rights()


def processed(desk: Desk, topic: str) -> tuple[int, int]:
    """Records that were written to the first partition, and those of them that fraud has had."""
    first, app = Partition(topic, 0), desk.estate.workloads["fraud"]
    return desk.estate.written[first], len(app.processed["fraud", first])


def test_undone_after_a_writer_came_back_it_leaves_the_mirror_at_work_for_who_stayed(tmp_path: Path) -> None:
    desk = Desk.at()
    desk.apply("cutover", "fraud")
    desk.apply("cutover", "checkout")
    desk.add_audit(tmp_path)
    assert desk.apply_all()[1:3] == ["provision#2", "replicate#2"]
    desk.rollback("checkout")
    assert desk.rollback(to="cutover/fraud#1") == ["rehearse#2", "replicate#2", "provision#2", "assess#2"]
    s = desk.session()
    assert asked_state(s.world, s.migration.target, forward_lanes(s.migration)[0]) == "running"
    assert mirror_writes(desk, "orders")
    before = processed(desk, "orders")
    desk.estate.turns(20)
    written, had = processed(desk, "orders")
    assert written > before[0]
    assert had == written


def test_undone_it_leaves_the_fences_of_a_move_that_went_back(tmp_path: Path) -> None:
    desk = Desk.at()
    desk.add_audit(tmp_path, read_by_fraud=True)
    desk.estate.workloads["fraud"].app = desk.migration.application("fraud")
    acls = desk.estate.clusters[Side.SOURCE].acls
    acls.rules |= {Right(principal="User:sa-fraud", resource="topic", name="audit", operation="Read")}
    acls.work()
    desk.estate.turns(5)
    desk.apply_all()
    desk.apply("cutover", "fraud")
    desk.rollback("fraud")
    user = Key("KafkaUser", "kafka", "fraud")
    fences = denials(desk.estate.store.get(user).spec)
    assert fences
    desk.rollback(to="rehearse")
    assert denials(desk.estate.store.get(user).spec) == fences


def test_nobody_moves_while_a_further_attempt_is_half_done(tmp_path: Path) -> None:
    desk = Desk.at()
    desk.add_audit(tmp_path)
    desk.apply("assess")
    desk.apply("provision")
    die_after(desk, '"STARTED","step":"catch-up"', lambda: desk.apply("replicate"))
    with pytest.raises(Blocked, match=r"replicate#2 is half done") as told:
        desk.apply("cutover", "fraud")
    assert told.value.hint == "kmigrate apply --phase replicate"
    assert desk.apply("replicate") == "replicate#2"
    desk.apply("rehearse")
    assert desk.apply("cutover", "fraud") == "cutover/fraud#1"


def test_undone_while_a_writer_is_on_the_target_it_removes_what_it_made_and_nothing_else(tmp_path: Path) -> None:
    desk = Desk.at()
    desk.apply("cutover", "fraud")
    desk.apply("cutover", "checkout")
    desk.add_audit(tmp_path)
    desk.apply_all()
    desk.rollback(to="cutover/checkout#1")
    topics = {found.key.name for found in desk.estate.store.list("KafkaTopic", "kafka")}
    assert {"orders", "payments"} <= topics
    assert "audit" not in topics


def test_what_was_cut_short_while_it_was_undone_is_done_again_by_apply() -> None:
    desk = Desk.at()
    die_after(desk, '"UNDONE","step":"start-mirror"', lambda: desk.rollback(to="provision"))
    mirror = Key("KafkaMirrorMaker2", "kafka", FORWARD.group)
    assert desk.estate.store.get(mirror) is None
    with pytest.raises(Blocked, match=r"replicate is not done yet"):
        desk.apply("cutover", "fraud")
    assert desk.apply("replicate") == "replicate"
    assert desk.estate.store.get(mirror) is not None
    desk.apply("rehearse")
    assert desk.apply("cutover", "fraud") == "cutover/fraud#1"


def test_what_somebody_took_away_is_made_again_by_the_phase_and_undone_with_it() -> None:
    desk = Desk.at()
    desk.apply("cutover", "fraud")
    desk.apply("cutover", "checkout")
    back = lane_key(reverse_lanes(desk.migration)[0], "kafka")
    desk.estate.store.delete(back)
    desk.estate.turns(5)
    with pytest.raises(Blocked, match="there is no KafkaConnector") as told:
        desk.rollback("checkout")
    assert "kmigrate apply --phase replicate" in told.value.hint
    (gone, *_) = [wrong for wrong in desk.wrong() if wrong.step == "prepare-reverse"]
    assert "kmigrate apply --phase replicate puts it back" in gone.hint
    watch_of(desk.estate).unruly.clear()
    assert desk.apply("replicate") == "replicate#2"
    assert desk.estate.store.get(back) is not None
    assert desk.apply("replicate") == ""
    assert watch_of(desk.estate).unruly == []


def test_a_way_back_that_was_refused_before_it_began_holds_nobody_up() -> None:
    desk = Desk.at()
    desk.apply("cutover", "fraud")
    desk.apply("cutover", "checkout")
    desk.estate.workloads["checkout"].elsewhere = "nowhere:9092"
    with pytest.raises(Blocked, match="nowhere:9092"):
        desk.rollback("checkout")
    desk.estate.workloads["checkout"].elsewhere = ""
    assert desk.apply("cutover", "checkout") == ""
    desk.estate.settle()
    assert desk.apply("decommission") == "decommission"


def test_who_was_refused_before_they_began_may_move_with_others_later() -> None:
    desk = Desk.at()
    desk.estate.workloads["fraud"].elsewhere = "nowhere:9092"
    with pytest.raises(Blocked, match="nowhere:9092"):
        desk.apply("cutover", "fraud")
    desk.estate.workloads["fraud"].elsewhere = ""
    together = [replace(app, transactional_ids=("shared",)) for app in desk.migration.applications]
    desk.migration = desk.estate.migration = replace(desk.migration, applications=tuple(together))
    desk.apply_all()
    assert desk.rollback("fraud") == []
    assert desk.apply("cutover", "fraud") == "cutover/checkout+fraud#1"
    assert desk.rollback("fraud") == ["rollback/checkout+fraud#1"]


@pytest.mark.parametrize("phase", ["provision", "replicate", "decommission"])
def test_no_phase_changes_what_a_move_relies_on_while_it_is_half_done(phase: str) -> None:
    desk = Desk.at()
    desk.apply("cutover", "fraud")
    desk.apply("cutover", "checkout")
    die_after(desk, '"VERIFIED","step":"hand-over-topics"', lambda: desk.rollback("checkout"))
    desk.estate.store.delete(lane_key(reverse_lanes(desk.migration)[0], "kafka"))
    looked = {each.unit: each.skipped for each in desk.look()}
    assert looked["replicate"] == "rollback/checkout#1 is half done, and changes what replicate made"
    before = len(desk.estate.lines.written)
    with contextlib.suppress(Blocked):
        assert desk.apply(phase) == ""
    assert len(desk.estate.lines.written) == before


def test_a_lane_that_was_armed_stays_so_when_the_attempt_that_armed_it_is_undone() -> None:
    desk = Desk.at()
    desk.apply("cutover", "fraud")
    die_after(desk, '"STARTED","step":"start-workloads"', lambda: desk.apply("cutover", "checkout"))
    die_after(desk, '"APPLIED","step":"carry-positions"', lambda: desk.rollback("checkout"))
    s = desk.session()
    assert ARMED in s.journal.units["rollback/checkout#1"].facts
    undo_unit(s.plan.unit("checkout", Direction.ROLLBACK, 1), s.world, s.journal)
    lane = reverse_lanes(s.migration)[0]
    assert is_armed(desk.session().world, lane)
    desk.estate.turns(8)
    desk.rollback("checkout")
    Walk(desk.estate).exact()
