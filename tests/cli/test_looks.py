"""What plan, status, history and init show, drawn at both usual widths and as JSON, from the world in memory."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from memory_estate import TOPIC, Estate, migration
from rich.console import Console, RenderableType
from walking import APP, COMMANDS, calm, crossing, journal_of, plan_of, run_until, walk

from kmigrate.adapters.memory import (
    MemoryAclFence,
    MemoryCluster,
    MemoryLines,
    MemoryUserFence,
    MemoryWorld,
)
from kmigrate.cli import gate, looks, pictures, planned, views
from kmigrate.cli.session import DEFAULT_PLAN, Session
from kmigrate.engine import checkpoints, way_to
from kmigrate.errors import Blocked, Interrupted, PlatformError, UsageError
from kmigrate.model import Partition, SecretRef, Side
from kmigrate.planfile.draft import draft
from kmigrate.probes.inventory import take_inventory
from kmigrate.steps.cutover.fences import denials
from kmigrate.world import Key, Workload

WIDTHS = (80, 120)


class Unreachable(MemoryWorld):
    """The source does not answer."""

    def cluster(self, side: Side) -> MemoryCluster:
        if side is Side.SOURCE:
            raise PlatformError("source: no answer", hint="look at its address")
        return MemoryWorld.cluster(self, side)


class Struck(MemoryWorld):
    """Somebody presses Ctrl-C, or sends SIGTERM, while one thing is looked at."""

    at: ClassVar[str] = ""

    def cluster(self, side: Side) -> MemoryCluster:
        self.strike("cluster")
        return MemoryWorld.cluster(self, side)

    def fence(self, side: Side) -> MemoryAclFence | MemoryUserFence:
        self.strike("fence")
        return MemoryWorld.fence(self, side)

    def workload(self, *applications: str) -> Workload:
        self.strike("workload")
        return MemoryWorld.workload(self, *applications)

    def strike(self, what: str) -> None:
        if what == self.at:
            raise Interrupted(15)


def drawn(picture: RenderableType, width: int) -> str:
    """As a terminal of that width shows it; no line is wider."""
    told = io.StringIO()
    Console(width=width, file=told, highlight=False).print(picture)
    text = told.getvalue()
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    return text


def status(estate: Estate, lines: MemoryLines) -> views.StatusView:
    return views.look(migration(), plan_of(), journal_of(estate, lines), MemoryWorld(estate))


def ahead(estate: Estate, lines: MemoryLines) -> planned.PlanView:
    return planned.look_ahead(migration(), plan_of(), journal_of(estate, lines), MemoryWorld(estate))


@pytest.mark.parametrize("width", WIDTHS)
def test_plan_tells_what_is_there_what_changes_in_which_order_and_how_long(width: int) -> None:
    estate = Estate()
    seen = ahead(estate, MemoryLines(estate.death))
    text = drawn(planned.plan_picture(seen), width)
    for told in ("1 topic with 2 partitions", "1 group in use", "wave 1", "create-users", "maxPause is 300 s"):
        assert told in text
    assert "at least 0.0 s: stopping not known (never measured)" in text
    assert (set(seen.predicted), seen.too_long) == ({APP}, ())
    assert seen.changes


def test_every_command_that_plan_tells_is_about_the_plan_file_in_hand() -> None:
    estate = Estate()
    with gate.naming(Path("x.yaml"), DEFAULT_PLAN):
        told = drawn(planned.plan_picture(ahead(estate, MemoryLines(estate.death))), 10_000)
    commands = re.findall(r"kmigrate (?:status|verify|plan|apply|rollback)\b( -f x.yaml)?", told)
    assert commands
    assert set(commands) == {" -f x.yaml"}


def test_plan_of_a_target_in_kubernetes_tells_which_one_that_is() -> None:
    estate = Estate()
    seen = replace(ahead(estate, MemoryLines(estate.death)), place="context prod (https://k8s.example.org)")
    text = " ".join(drawn(planned.plan_picture(seen), 120).split())
    assert "→ shop in namespace kafka of context prod (https://k8s.example.org)" in text
    assert planned.plan_json(seen)["place"] == "context prod (https://k8s.example.org)"


def test_plan_as_json_has_counts_flags_units_waves_and_pauses() -> None:
    estate = Estate()
    told = json.loads(json.dumps(planned.plan_json(ahead(estate, MemoryLines(estate.death)))))
    assert told["inventory"]["topics"] == 1
    assert told["inventory"]["partitions"] == 2
    assert set(told["flags"]) == {"blocking", "warning", "accepted"}
    assert told["waves"] == [[[APP]]]
    assert told["lastPauseMs"] == {APP: None}
    assert told["predictedPauses"][APP]["unknown"] == ["stopping", "kmigrate", "starting"]
    assert told["tooLong"] == []
    assert f"cutover/{APP}#1" in [unit["unit"] for unit in told["units"]]
    assert told["changes"] is True


def test_a_pause_that_was_measured_is_told() -> None:
    estate, lines = calm()
    seen = ahead(estate, lines)
    assert seen.pauses[APP] > 0
    assert "last time" in drawn(planned.plan_picture(seen), 80)


def test_plan_tells_everything_else_when_the_source_does_not_answer() -> None:
    estate = Estate()
    journal = journal_of(estate, MemoryLines(estate.death))
    seen = planned.look_ahead(migration(), plan_of(), journal, Unreachable(estate))
    text = drawn(planned.plan_picture(seen), 80)
    assert "not known: source: no answer; look at its address" in text
    assert "create KafkaUser" in text
    assert "wave 1" in text
    assert seen.exit_code(detailed=True) == 7


def test_plan_ends_with_3_for_what_a_human_must_decide_and_with_10_only_where_nothing_blocks() -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    seen = ahead(estate, lines)
    assert [seen.exit_code(detailed=detailed) for detailed in (False, True)] == [0, 10]
    estate.groups[Side.SOURCE].held_by["stray"] = {Partition(TOPIC, 0): 1}
    undecided = ahead(estate, lines)
    assert undecided.judged is not None
    assert undecided.judged.blocking
    assert undecided.exit_code(detailed=True) == 3


class Deaf(MemoryWorld):
    """The target does not answer."""

    def cluster(self, side: Side) -> MemoryCluster:
        if side is Side.TARGET:
            raise PlatformError("target: wrong password for kmigrate", hint="look at its KafkaUser")
        return MemoryWorld.cluster(self, side)


class Unmade(MemoryWorld):
    """There is no target yet."""

    def cluster(self, side: Side) -> MemoryCluster:
        if side is Side.TARGET:
            raise Blocked("Kafka shop tells no address")
        return MemoryWorld.cluster(self, side)


@pytest.mark.parametrize(("world", "told"), [(Unreachable, "source: no answer"), (Deaf, "target: wrong password")])
def test_a_side_that_fails_is_told_by_plan_and_status_which_show_the_rest(world: type[MemoryWorld], told: str) -> None:
    estate = Estate()
    lines = crossing(estate)
    journal = journal_of(estate, lines)
    seen = views.look(migration(), plan_of(), journal, world(estate))
    assert seen.unanswered[0].startswith(told)
    text = drawn(pictures.status_picture(seen), 120)
    assert f"DOES NOT ANSWER: {told}" in text
    assert "kmigrate apply --phase" in text
    assert pictures.status_json(seen)["unanswered"] == list(seen.unanswered)
    assert planned.look_ahead(migration(), plan_of(), journal, world(estate)).exit_code(detailed=False) == 7


def test_a_target_that_is_not_made_yet_is_no_failure() -> None:
    estate = Estate()
    journal = journal_of(estate, MemoryLines(estate.death))
    assert views.look(migration(), plan_of(), journal, Unmade(estate)).unanswered == ()
    assert planned.look_ahead(migration(), plan_of(), journal, Unmade(estate)).exit_code(detailed=False) == 0


def test_an_edit_against_a_move_that_was_made_is_told_as_refused() -> None:
    estate, lines = calm()
    app = migration().applications[0]
    other = replace(migration(), applications=(replace(app, reads=(replace(app.reads[0], group="another"),)),))
    seen = planned.look_ahead(other, plan_of(other), journal_of(estate, lines), MemoryWorld(estate))
    text = drawn(planned.plan_picture(seen), 120)
    assert "The plan file was edited since" in text
    assert "refused; put the plan file back" in text
    assert seen.exit_code(detailed=True) == 3


@pytest.mark.parametrize("width", WIDTHS)
def test_status_tells_fences_with_the_commands_that_lift_them(width: int) -> None:
    estate = Estate()
    lines = crossing(estate)
    assert "FENCED" not in drawn(pictures.status_picture(status(estate, lines)), width)
    standing = denials(Side.SOURCE, migration().applications[0])
    estate.fences[Side.SOURCE].deny(standing)
    text = " ".join(drawn(pictures.status_picture(status(estate, lines)), width).split())
    assert "CLIENTS ARE FENCED on the source" in text
    assert f"--deny-principal {standing[0].principal} --operation Read --group {standing[0].name}" in text


def test_status_tells_what_is_known_of_the_pause_of_each_move_that_is_still_to_go() -> None:
    estate = Estate()
    lines = crossing(estate)
    assert f"{APP}: at least 0.0 s: stopping not known (never measured)" in drawn(
        pictures.status_picture(status(estate, lines)), 200
    )
    walk(estate, lines, ("cutover",))
    assert status(estate, lines).pauses == {}
    walk(estate, lines, ("rollback",))
    assert f"{APP}: about" in drawn(pictures.status_picture(status(estate, lines)), 200)


@pytest.mark.parametrize("width", WIDTHS)
def test_status_tells_the_pause_with_its_parts_the_grades_and_the_way_back(width: int) -> None:
    estate, lines = calm()
    text = " ".join(drawn(pictures.status_picture(status(estate, lines)), width).split())
    for told in ("looked at", "kmigrate ", "application ", "EXACT", "next: kmigrate"):
        assert told in text
    view = status(estate, lines).applications[0]
    assert (view.side, view.running) == ("target", "yes")
    assert view.way_back == f"open until decommission (a move of its own): kmigrate rollback --app {APP}"


def test_status_as_json_has_every_part() -> None:
    estate, lines = calm()
    told = json.loads(json.dumps(pictures.status_json(status(estate, lines))))
    parts = {"migration", "time", "units", "applications", "pauses", "lag", "fences", "next"}
    assert set(told) == {*parts, "standingStill", "refusedEdits", "unanswered", "atWork", "onOneSideAlone"}
    assert set(told["units"][-1]["pause_parts"]) == {"tool", "application"}


def test_a_cutover_that_a_move_back_took_over_is_not_told_as_half_done() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"APPLIED","step":"start-workloads"')
    walk(estate, lines, ("rollback",))
    told = {unit.name: unit.state for unit in status(estate, lines).units if "/" in unit.name}
    assert told == {f"cutover/{APP}#1": f"left for rollback/{APP}#1", f"rollback/{APP}#1": "sealed"}


def test_how_long_catching_up_takes_is_told_from_two_looks_only() -> None:
    then, now = views.LagView(lane="l", behind=300), views.LagView(lane="l", behind=100)
    assert pictures.eta_ms(now, then, 2_000) == 1_000
    assert pictures.eta_ms(now, None, 2_000) is None
    assert pictures.eta_ms(then, now, 2_000) is None


def test_the_next_command_finishes_what_is_half_done_then_goes_in_the_order_of_the_story() -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    assert views.next_command(plan_of(), journal_of(estate, lines)) == "kmigrate apply --phase assess"
    lines = crossing(estate)
    run_until(estate, lines, '"positions"')
    half = journal_of(estate, lines)
    assert views.next_command(plan_of(), half) == f"kmigrate apply --phase cutover --app {APP}"


@pytest.mark.parametrize("at", ["cluster", "fence", "workload"])
def test_an_interruption_ends_a_look_and_is_nothing_that_was_seen(at: str) -> None:
    estate, lines = calm()
    world = type("At", (Struck,), {"at": at})(estate)
    with pytest.raises(Interrupted) as told:
        views.look(migration(), plan_of(), journal_of(estate, lines), world)
    assert told.value.exit_code == 143


def test_an_interruption_ends_plan_and_the_look_at_whose_journal_it_is() -> None:
    estate = Estate()
    world = type("At", (Struck,), {"at": "cluster"})(estate)
    journal = journal_of(estate, MemoryLines(estate.death))
    with pytest.raises(Interrupted):
        planned.look_ahead(migration(), plan_of(), journal, world)
    with pytest.raises(Interrupted):
        looks._belongs(
            Session(
                migration=migration(),
                plan=plan_of(),
                journal=journal,
                world=world,
                read_anew=lambda: nullcontext(journal),
            )
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_history_has_a_line_per_entry_and_the_checkpoints(width: int) -> None:
    estate, lines = calm()
    rows = looks.rows_of(plan_of(), journal_of(estate, lines))
    text = drawn(pictures.history_picture(rows), width)
    assert "⚑" in text
    assert "SEALED" in text
    assert len(text.splitlines()) > len(rows)


@pytest.mark.parametrize("commands", [(), COMMANDS[:3], COMMANDS[:4], COMMANDS])
def test_history_flags_just_those_checkpoints_that_rollback_takes(commands: tuple[str, ...]) -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    walk(estate, lines, commands)
    journal = journal_of(estate, lines)
    flagged = [row.checkpoint for row in looks.rows_of(plan_of(), journal) if row.checkpoint]
    assert flagged == [each.name for each in checkpoints(plan_of(), journal)]
    for name in flagged:
        way_to(plan_of(), journal, name)


def test_init_never_overwrites_and_wants_one_place_of_the_secret(tmp_path: Path) -> None:
    there = tmp_path / "kmigrate.yaml"
    there.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        looks.init(bootstrap="localhost:1", username="k", password_env="S", output=there)
    assert there.read_text() == "mine"
    with pytest.raises(UsageError, match="needs one of"):
        looks.init(bootstrap="localhost:1", username="k", output=tmp_path / "new.yaml")
    assert not (tmp_path / "new.yaml").exists()


def test_init_writes_the_reference_it_was_given_into_the_draft() -> None:
    inventory = take_inventory(MemoryWorld(Estate()), migration())
    text = draft("source:9092", inventory)
    assert text.count(looks.DRAFTED) == 1
    assert looks.credential("k", SecretRef(env="S")) == '{"type": "plain", "username": "k", "password": {"env": "S"}}'


def test_plan_and_status_of_a_dead_source_end_with_7_and_tell_the_rest(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "plans" / "one-reader.yaml").read_text()
    file = tmp_path / "kmigrate.yaml"
    file.write_text(re.sub(r"bootstrapServers: \S+", "bootstrapServers: localhost:1", text))
    call = [sys.executable, "-m", "kmigrate", "-f", str(file), "--json"]
    secrets = dict.fromkeys(re.findall(r"env: (\w+)", text), "x")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "USER": "somebody", **secrets}
    for command in (["status"], ["plan", "--detailed-exitcode"]):
        argv = [*call[:3], *command, *call[3:]]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 7, done.stderr
        assert len(json.loads(done.stdout)["unanswered"]) == 1
    told = json.loads(done.stdout)
    assert (told["changes"], told["inventory"]) == (True, None)
    assert "localhost:1" in told["unknown"] or "source" in told["unknown"]
    assert not (tmp_path / ".kmigrate").exists()


def test_status_shouts_who_stands_still_and_what_of_the_plan_file_is_refused() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"fence-clients"')
    seen = status(estate, lines)
    assert f"{APP.upper()} IS STOPPED" in seen.standing_still
    assert seen.edits == ()
    assert f"{APP.upper()} IS STOPPED" in drawn(pictures.status_picture(seen), 160)


def test_what_somebody_changed_behind_its_back_is_told_field_by_field_and_nothing_else_is() -> None:
    estate, lines = calm()
    assert ahead(estate, lines).since == ()
    topic = estate.store.get(Key("KafkaTopic", "kafka", TOPIC))
    assert topic is not None
    config = {**topic.spec["config"], "retention.ms": "1000"}
    estate.store.apply({**topic.body, "spec": {**topic.spec, "config": config}})
    estate.turns(5)
    seen = ahead(estate, lines)
    assert [(each.unit, each.step) for each in seen.since] == [("provision", "create-topics")]
    text = drawn(planned.plan_picture(seen), 250)
    assert "Changed since it was made" in text
    assert 'config.retention.ms "1000" → "-1"' in text
    assert "kmigrate apply --phase provision puts it back" in text
    assert "Nothing to do" not in text
    assert planned.plan_json(seen)["changedSince"]
    assert seen.exit_code(detailed=True) == 10
