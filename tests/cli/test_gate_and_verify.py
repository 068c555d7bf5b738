"""Which unit a command takes up, what is shouted meanwhile, and looking again; on a world in memory."""

from __future__ import annotations

import io
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from memory_estate import TOPIC, Estate, migration
from walking import APP, command, crossing, journal_of, plan_of, run_until, walk

from kmigrate.adapters.memory import MemoryClock, MemoryCluster, MemoryLines, MemoryWorld
from kmigrate.cli import gate, views
from kmigrate.cli.migrate import apply_one, confirm, unit_to_apply
from kmigrate.cli.rollback import go_back, ways_back
from kmigrate.cli.session import DEFAULT_PLAN, Session, bind
from kmigrate.cli.verify import Looked, compare_content, look_again
from kmigrate.engine import phase_done, run_unit
from kmigrate.errors import Blocked, Interrupted, JournalError, NotConfirmed, PlatformError, UsageError
from kmigrate.journal import Event
from kmigrate.model import Side
from kmigrate.story import story
from kmigrate.world import Ledger, Reporter, Workload


def session_of(estate: Estate, lines: MemoryLines) -> Session:
    journal = journal_of(estate, lines)
    return Session(
        migration=migration(),
        plan=plan_of(),
        journal=journal,
        world=MemoryWorld(estate),
        read_anew=lambda: nullcontext(journal),
    )


def moved() -> tuple[Estate, MemoryLines]:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("cutover",))
    return estate, lines


def wrong_steps(seen: tuple[Looked, ...]) -> dict[str, list[str]]:
    return {each.unit: [wrong.step for wrong in each.wrong] for each in seen if each.wrong}


def test_a_phase_waits_for_those_before_it() -> None:
    estate = Estate()
    with pytest.raises(Blocked, match="assess is not done yet"):
        unit_to_apply(session_of(estate, crossing(estate)), "cutover", APP)


def test_a_cutover_waits_for_the_rehearsal_and_decommission_does_not() -> None:
    estate = Estate()
    lines = MemoryLines(estate.death)
    walk(estate, lines, ("assess", "provision", "replicate"))
    s = session_of(estate, lines)
    with pytest.raises(Blocked, match="rehearse is not done yet"):
        unit_to_apply(s, "cutover", APP)
    last = unit_to_apply(s, "decommission", "")
    assert last is not None
    assert last.name == "decommission"
    assert unit_to_apply(s, "replicate", "") is None
    walk(estate, lines, ("rehearse",))
    unit = unit_to_apply(session_of(estate, lines), "cutover", APP)
    assert unit is not None
    assert unit.name == f"cutover/{APP}#1"


def test_decommission_waits_for_a_move_that_is_half_done() -> None:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("assess",))
    run_until(estate, lines, '"event":"VERIFIED","step":"switch-settings"')
    with pytest.raises(Blocked, match=f"cutover/{APP}#1 is half done") as told:
        unit_to_apply(session_of(estate, lines), "decommission", "")
    assert f"kmigrate apply --phase cutover --app {APP}" in told.value.hint


def test_rollback_with_nothing_named_lists_the_checkpoints() -> None:
    with pytest.raises(UsageError, match=f"(?s)--app with one of: {APP}.*start.*provision.*cutover/{APP}#1"):
        ways_back(session_of(*moved()), "", "")


def test_rollback_to_a_checkpoint_takes_back_all_that_came_after_it() -> None:
    estate, lines = moved()
    s = session_of(estate, lines)
    ways = ways_back(s, "", "provision")
    assert [(way.unit.name, way.undo) for way in ways] == [(f"rollback/{APP}#1", False), ("replicate", True)]
    for way in ways:
        go_back(s, way)
    assert estate.app.side is Side.SOURCE
    assert ways_back(session_of(estate, lines), "", "provision") == ()


@pytest.mark.parametrize("sign", ['"stop-workloads"', '"fence-clients"', '"lift-fence"', '"switch-settings"'])
def test_while_an_application_stands_still_every_end_says_so_with_both_ways_on(
    sign: str, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, sign)
    s = session_of(estate, lines)
    with pytest.raises(Blocked) as told, gate.loudly(s.journal):
        raise Blocked("something", hint="mend it")
    ways = ("IS STOPPED", f"on: kmigrate apply --phase cutover --app {APP}", f"back: kmigrate rollback --app {APP}")
    assert all(way in told.value.hint for way in ("mend it", *ways))
    with gate.loudly(s.journal):
        pass
    assert "IS STOPPED" in capsys.readouterr().err


def test_an_application_that_is_only_watched_or_done_does_not_stand_still() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, "soak_began_ms")
    assert gate.warning(journal_of(estate, lines)) == ""
    assert gate.warning(journal_of(*moved())) == ""


@pytest.mark.parametrize(
    ("sign", "there"),
    [
        ('"STARTED","step":"start-workloads"', False),
        ('"APPLIED","step":"start-workloads"', True),
        ("soak_began_ms", True),
    ],
)
def test_an_application_is_told_where_it_was_started_also_before_its_move_is_sealed(*, sign: str, there: bool) -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, sign)
    assert views.works_on(journal_of(estate, lines), APP) is (Side.TARGET if there else Side.SOURCE)
    command("cutover", estate, lines)
    run_until(estate, lines, sign, verb="rollback")
    assert views.works_on(journal_of(estate, lines), APP) is (Side.SOURCE if there else Side.TARGET)


def test_a_way_back_that_has_only_begun_leaves_an_application_where_it_works() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, "soak_began_ms")
    run_until(estate, lines, '"STARTED","step":"ready"', verb="rollback")
    assert views.works_on(journal_of(estate, lines), APP) is Side.TARGET


def test_before_anything_is_stopped_nothing_is_shouted() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"ready"')
    assert gate.warning(journal_of(estate, lines)) == ""


def test_a_way_back_that_has_not_stopped_anything_leaves_standing_what_stood() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"start-workloads"')
    (way,) = ways_back(session_of(estate, lines), APP, "")
    journal_of(estate, lines).ledger(way.unit.name, way.unit.fingerprint).put("keeps", way.unit.keeps)
    assert f"IS STOPPED. on: kmigrate apply --phase cutover --app {APP}" in gate.warning(journal_of(estate, lines))


def test_the_time_given_ends_a_wait_but_never_one_while_an_application_stands_still() -> None:
    clock, held = MemoryClock(), [True]
    timed = gate.TimedClock(clock=clock, end=clock.now + 100, hold=lambda: held[0])
    timed.sleep(150)
    timed.sleep(50)
    assert clock.now == 1_000_200
    held[0] = False
    with pytest.raises(gate.TimeIsUp) as told:
        timed.sleep(1)
    assert told.value.exit_code == 11


@pytest.mark.parametrize(("text", "length"), [("", 0), ("90s", 90_000), ("10m", 600_000), ("250ms", 250)])
def test_a_length_of_time_as_it_is_typed(text: str, length: int) -> None:
    assert gate.milliseconds(text) == length


@pytest.mark.parametrize("text", ["soon", "10", "0s", "-1m", "1d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        gate.milliseconds(text)


@pytest.mark.parametrize("commands", [("cutover",), ("cutover", "rollback"), ("cutover", "rollback", "cutover")])
def test_what_is_sealed_and_untouched_is_as_it_must_be_and_looking_writes_nothing(commands: tuple[str, ...]) -> None:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, commands)
    before, seen = len(lines.written), estate.death.seen
    s = session_of(estate, lines)
    looked = look_again(s.plan, s.journal, s.world)
    assert wrong_steps(looked) == {}
    older = [f"{looked[-1].unit} came after it"] if len(commands) > 1 else []
    assert [each.skipped for each in looked] == ["", "", *older, ""]
    assert (len(lines.written), estate.death.seen) == (before, seen)


def test_verify_names_what_somebody_broke_since() -> None:
    estate, lines = moved()
    estate.app.running = False
    for secret in estate.store.list("Secret", "kafka"):
        estate.store.delete(secret.key)
    s = session_of(estate, lines)
    found = wrong_steps(look_again(s.plan, s.journal, s.world))
    assert found["replicate"] == ["store-logins"]
    assert "start-workloads" in found[f"cutover/{APP}#1"]
    assert list(wrong_steps(look_again(s.plan, s.journal, s.world, APP))) == [f"cutover/{APP}#1"]


def test_verify_says_what_it_does_not_look_at() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"fence-clients"')
    s = session_of(estate, lines)
    assert look_again(s.plan, s.journal, s.world, APP)[0].skipped == "it is not done yet"


def test_verify_also_proves_what_a_check_alone_does_not_see() -> None:
    estate, lines = moved()
    estate.access[Side.TARGET].refusals["target:9092", "topic shipments"] = "refused"
    s = session_of(estate, lines)
    assert wrong_steps(look_again(s.plan, s.journal, s.world))["provision"] == ["try-access"]


def test_verify_leaves_out_what_the_plan_file_or_a_later_phase_has_changed() -> None:
    estate, lines = moved()
    edited = plan_of(replace(migration(), topics=(TOPIC, "another")))
    provision = look_again(edited, journal_of(estate, lines), MemoryWorld(estate))[0]
    assert provision.skipped == "the plan file was edited since: kmigrate apply --phase provision"
    journal = journal_of(estate, lines)
    journal.record("decommission", "f", Event.SEALED)
    skipped = {each.unit: each.skipped for each in look_again(plan_of(), journal, MemoryWorld(estate))}
    assert skipped["replicate"] == "decommission ended what it claims"


def test_looking_again_has_the_facts_and_refuses_to_write_one() -> None:
    estate, lines = moved()
    journal = journal_of(estate, lines)
    record = journal.units[f"cutover/{APP}#1"]
    facts = journal.past(record)
    assert tuple(facts.by_unit("pause_ms").values()) == (record.facts["pause_ms"],)
    assert journal.past().get("pause_ms") is None
    assert facts.get("pause_ms") == record.facts["pause_ms"] is not None
    with pytest.raises(AssertionError, match="pause_ms"):
        facts.put("pause_ms", 0)


def test_an_interruption_ends_looking_again_and_is_no_finding() -> None:
    class Struck(MemoryWorld):
        def bound(self, ledger: Ledger) -> MemoryWorld:
            return Struck(self.estate, ledger, self.reporter)

        def workload(self, *applications: str) -> Workload:
            raise Interrupted

    estate, lines = moved()
    with pytest.raises(Interrupted):
        look_again(plan_of(), journal_of(estate, lines), Struck(estate))


def test_verify_full_compares_the_content_and_writes_nothing() -> None:
    estate, lines = moved()
    before, seen = len(lines.written), estate.death.seen
    looked = compare_content(session_of(estate, lines))
    assert re.fullmatch(r"\d+ records of 2 partitions are equal on both sides", looked.told)
    assert (looked.wrong, looked.skipped) == ((), "")
    assert compare_content(session_of(estate, lines), APP).told
    assert (len(lines.written), estate.death.seen) == (before, seen)


def test_verify_full_names_the_first_difference_of_each_partition() -> None:
    estate, lines = moved()
    for log in estate.clusters[Side.TARGET].logs.values():
        log.entries[2:3] = []
        log.entries = [replace(e, offset=n) for n, e in enumerate(log.entries)]
        log.entries = [replace(e, record=e.record and e.record._replace(offset=e.offset)) for e in log.entries]
    looked = compare_content(session_of(estate, lines))
    told = [wrong.what for wrong in looked.wrong]
    assert [each.partition(":")[0] for each in told] == [f"{TOPIC}/0", f"{TOPIC}/1"]
    assert all("1 record of the source missing on the target" in each for each in told)


def test_verify_full_says_when_there_is_nothing_to_compare() -> None:
    estate = Estate()
    early = compare_content(session_of(estate, MemoryLines(estate.death)))
    assert early.skipped == "replicate is not done yet"
    estate, lines = moved()
    journal_of(estate, lines).record("decommission", "f", Event.SEALED)
    assert compare_content(session_of(estate, lines)).skipped == "decommission ended the mirror"


def test_verify_full_tells_what_keeps_it_from_comparing() -> None:
    estate, lines = moved()
    estate.mirror.failed = "a task FAILED"
    estate.mirror.last.clear()
    (wrong,) = compare_content(session_of(estate, lines)).wrong
    assert "a task FAILED" in wrong.what


def test_without_a_terminal_nobody_is_asked_and_yes_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    gate.need_answer("provision", yes=True)
    with pytest.raises(NotConfirmed):
        gate.need_answer("provision", yes=False)


@pytest.mark.parametrize(("typed", "begun"), [("shop\n", True), ("y\n", False), ("", False)])
def test_what_cannot_be_taken_back_wants_the_name_typed(
    typed: str, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    if begun:
        return gate.ask_for_name("decommission", "shop")
    with pytest.raises(NotConfirmed):
        gate.ask_for_name("decommission", "shop")
    return None


def test_without_a_human_what_cannot_be_taken_back_is_told_twice_too() -> None:
    estate, lines = moved()
    command("rehearse", estate, lines)
    command("assess", estate, lines)
    estate.writing = False
    s, was = session_of(estate, lines), estate.picture()
    for name in ("", "y", "shops"):
        with pytest.raises(NotConfirmed, match="--yes answers one of its two questions") as told:
            apply_one(s, "decommission", "", yes=True, name=name, as_json=True)
        assert "--yes --name shop" in told.value.hint
    assert estate.picture() == was
    assert s.journal.unit("decommission") is None
    apply_one(s, "decommission", "", yes=True, name="shop", as_json=True)
    assert phase_done(s.plan, s.journal, "decommission")


@pytest.mark.parametrize(("typed", "begun"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_only_a_yes_is_a_yes(typed: str, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    if begun:
        return gate.ask("provision", "Now?")
    with pytest.raises(NotConfirmed):
        gate.ask("provision", "Now?")
    return None


@pytest.mark.parametrize(("phase", "typed", "begun"), [("replicate", "y\n", True), ("decommission", "y\n", False)])
def test_decommission_asks_a_second_time(phase: str, typed: str, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = Estate()
    s, unit = session_of(estate, MemoryLines(estate.death)), plan_of().phase(phase).unit
    assert unit is not None
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}shop\n"))
    confirm(s, unit)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    if begun:
        return confirm(s, unit)
    with pytest.raises(NotConfirmed):
        confirm(s, unit)
    return None


class Hearing(Reporter):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: str) -> None:
        self.heard.append(text)


def test_whoever_closes_the_door_is_told_who_could_not_be_looked_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (app,) = migration().applications
    said = replace(migration(), applications=(app, replace(app, name="nightly", reads=(), workloads=())))
    estate = Estate(said)
    s, heard = session_of(estate, MemoryLines(estate.death)), Hearing()
    s = replace(s, plan=plan_of(said), world=replace(s.world, reporter=heard))
    for name in ("assess", "provision", "replicate", "decommission"):
        unit = s.plan.phase(name).unit
        assert unit is not None
        if name != "decommission":
            run_unit(unit, s.world, s.journal)
    told = "Not looked at: nightly; they name no workloads"
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nshop\n"))
    confirm(s, unit)
    assert told in capsys.readouterr().err
    with pytest.raises(Blocked, match=f"{APP} runs there"):
        apply_one(s, "decommission", "", yes=True, name="shop", as_json=True)
    assert any(told in each for each in heard.heard)


@pytest.mark.parametrize("platform", ["lab", "strimzi"])
def test_before_it_asks_a_target_in_kubernetes_is_told_by_its_place(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = Estate()
    s, unit = session_of(estate, MemoryLines(estate.death)), plan_of().phase("replicate").unit
    assert unit is not None
    hearing = Hearing()
    s = replace(
        s,
        world=MemoryWorld(estate, reporter=hearing),
        migration=replace(s.migration, target=replace(s.migration.target, platform=platform)),
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    confirm(s, unit)
    told = ["the target is namespace kafka of the memory of this process"]
    assert hearing.heard == (told if platform == "strimzi" else [])


def test_who_only_looks_goes_on_without_a_cluster_and_never_with_another() -> None:
    class Silent(MemoryWorld):
        def cluster(self, side: Side) -> MemoryCluster:
            raise PlatformError("source: nobody answers")

    estate, lines = moved()
    journal = journal_of(estate, lines)
    silent = Session(
        migration=migration(),
        plan=plan_of(),
        journal=journal,
        world=Silent(estate),
        read_anew=lambda: nullcontext(journal),
    )
    bind(silent, read_only=True)
    with pytest.raises(PlatformError):
        bind(silent, read_only=False)
    journal.bind("another", "two")
    with pytest.raises(JournalError):
        bind(session_of(estate, lines), read_only=True)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("kmigrate.yaml", "on: kmigrate apply --phase assess; or kmigrate rollback --app a"),
        ("x.yaml", "on: kmigrate apply -f x.yaml --phase assess; or kmigrate rollback -f x.yaml --app a"),
        (
            "my dir/x.yaml",
            "on: kmigrate apply -f 'my dir/x.yaml' --phase assess; or kmigrate rollback -f 'my dir/x.yaml' --app a",
        ),
    ],
)
def test_what_to_type_next_acts_on_the_plan_file_in_hand(file: str, told: str) -> None:
    text = "on: kmigrate apply --phase assess; or kmigrate rollback --app a"
    with pytest.raises(Blocked) as error, gate.naming(Path(file), DEFAULT_PLAN):
        raise Blocked("no", hint=gate.with_file(text))
    assert error.value.hint == told
    assert gate.with_file(text) == text


def test_every_command_that_is_told_while_an_application_stands_still_names_the_plan_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, lines, '"fence-clients"')
    s = session_of(estate, lines)
    edited = replace(s, plan=story(replace(estate.migration, applications=())))
    with gate.naming(Path("x.yaml"), DEFAULT_PLAN), gate.loudly(s.journal):
        seen = views.look(s.migration, s.plan, s.journal, s.world)
        refused = [edit.refused for edit in gate.told_edits(edited.plan, s.journal) if edit.refused]
    told = [capsys.readouterr().err, seen.standing_still, seen.next, *(app.way_back for app in seen.applications)]
    commands = [
        found for text in (*told, *refused) for found in re.findall(r"kmigrate (?!explain)\w+( -f x.yaml)?", text)
    ]
    assert refused
    assert len(commands) >= 6
    assert set(commands) == {" -f x.yaml"}
