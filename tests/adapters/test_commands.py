"""Workloads of programs: small real scripts."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from kmigrate.adapters.commands import CommandWorkloads
from kmigrate.errors import PlatformError, StillUnderWay
from kmigrate.model import CommandWorkload, Side

MINUTE = 60_000
SETTINGS = {
    "bootstrap": "target:9092",
    "username": "u",
    "password": "s3cret",
    "ca": "",
    "protocol": "p",
    "mechanism": "m",
}


def sh(text: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", text)


def workloads(
    folder: Path, *healthy: str, stop: str = "true", switch: str = "true", start: str = "true"
) -> CommandWorkloads:
    each = [
        CommandWorkload(stop=sh(stop), switch=sh(switch), start=sh(start), healthy=sh(text))
        for text in healthy or ("true",)
    ]
    return CommandWorkloads("ml", each, lambda side: {**SETTINGS, "bootstrap": f"{side}:9092"}, folder)


def says(running: object, bootstrap: object) -> str:
    return f"echo '{json.dumps({'running': running, 'bootstrap': bootstrap})}'"


def test_it_says_what_the_program_says_whatever_its_exit_code(tmp_path: Path) -> None:
    view = workloads(tmp_path, says(running=True, bootstrap="a:1") + "; exit 3").look()
    assert (view.running, view.bootstrap) == (True, "a:1")


def test_one_running_instance_is_running(tmp_path: Path) -> None:
    assert workloads(tmp_path, says(False, "a:1"), says(True, "a:1")).look().running


def test_instances_that_point_to_different_places_have_no_address_so_that_a_switch_can_mend_it(tmp_path: Path) -> None:
    view = workloads(tmp_path, says(True, "a:1"), says(False, "b:1")).look()
    assert (view.running, view.bootstrap) == (True, "")


@pytest.mark.parametrize(
    "text",
    ["true", "echo hello", "echo '[]'", "echo '{}'", says("false", "a:1"), says(0, "a:1"), says(True, None)],
)
def test_an_answer_that_is_no_answer_is_shown_and_never_guessed(text: str, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="the healthy program of ml printed") as caught:
        workloads(tmp_path, text).look()
    assert '"running"' in caught.value.hint


def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="the stop program of ml ended with 7: no way"):
        workloads(tmp_path, stop="echo no way >&2; exit 7").stop(MINUTE)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    argv = ("/no/such/program",)
    with pytest.raises(PlatformError, match="/no/such/program"):
        CommandWorkloads(
            "ml", [CommandWorkload(stop=argv, switch=argv, start=argv, healthy=argv)], dict, tmp_path
        ).stop(MINUTE)


def test_programs_that_are_not_there_are_seen_before_they_are_run(tmp_path: Path) -> None:
    there, gone, locked = sh(says(True, "a:1")), ("/no/such/program",), tmp_path / "locked"
    locked.write_text("#!/bin/sh\n")
    work = CommandWorkload(stop=gone, switch=(str(locked),), start=("no-such-word",), healthy=there)
    view = CommandWorkloads("ml", [work], dict, tmp_path).look()
    assert view.running
    for told, verb in zip(view.missing, ("stop", "switch", "start"), strict=True):
        assert told.startswith(f"the {verb} program of ml is not there or may not be run: ")
    with pytest.raises(PlatformError, match=r"(?s)the stop program.*the healthy program of ml is not there"):
        CommandWorkloads("ml", [replace(work, healthy=gone)], dict, tmp_path).look()
    assert workloads(tmp_path, says(True, "a:1")).look().missing == ()


def test_switch_hands_the_settings_over_in_a_private_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    folder, seen = tmp_path / "journal", tmp_path / "seen"
    script = (
        f'stat -c %a "$KMIGRATE_SETTINGS" > {seen}; cat "$KMIGRATE_SETTINGS" >> {seen}; echo $KMIGRATE_SIDE >> {seen}'
    )
    workloads(folder, switch=script).switch(Side.TARGET, MINUTE)
    mode, *rest = seen.read_text().splitlines()
    assert mode == "600"
    assert "s3cret" in rest[0]
    assert rest[0].endswith("}target") or rest[-1] == "target"
    assert list(folder.iterdir()) == []


def test_the_secret_is_neither_in_the_arguments_nor_in_the_environment(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    workloads(tmp_path / "j", switch=f"env > {seen}; tr '\\0' ' ' < /proc/$$/cmdline >> {seen}").switch(
        Side.TARGET, MINUTE
    )
    assert "s3cret" not in seen.read_text()


def test_a_failing_switch_leaves_no_settings_and_tells_no_secret(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        workloads(tmp_path / "j", switch="exit 1").switch(Side.SOURCE, MINUTE)
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"
    assert list((tmp_path / "j").iterdir()) == []


@pytest.mark.parametrize("said", ['cat "$KMIGRATE_SETTINGS" >&2', 'seq 200 >&2; echo s3cret\\" and more >&2'])
def test_a_failing_switch_that_prints_its_settings_is_told_without_the_password(said: str, tmp_path: Path) -> None:
    told = {**SETTINGS, "password": 's3cret"'}
    argv = sh(f"{said}; exit 3")
    work = CommandWorkload(stop=argv, switch=argv, start=argv, healthy=argv)
    with pytest.raises(PlatformError, match="the switch program of ml ended with 3") as caught:
        CommandWorkloads("ml", [work], lambda side: told, tmp_path / "j").switch(Side.TARGET, MINUTE)
    assert "…" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_settings_that_a_killed_run_left_are_removed(tmp_path: Path) -> None:
    (tmp_path / "settings-old.json").write_text("s3cret")
    workloads(tmp_path).start(MINUTE)
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_leaves_a_program_running_returns(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    workloads(tmp_path / "j", start=f"sleep 60 & echo $! > {pid}").start(MINUTE)
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_program_that_reads_its_input_gets_none(tmp_path: Path) -> None:
    workloads(tmp_path, stop="cat").stop(MINUTE)


def test_output_that_is_not_text_does_no_harm(tmp_path: Path) -> None:
    workloads(tmp_path, stop="printf '\\377\\376'").stop(MINUTE)


@pytest.mark.parametrize("verb", ["stop", "switch", "start"])
def test_a_program_that_does_not_end_is_waited_for_until_the_deadline(verb: str, tmp_path: Path) -> None:
    app = workloads(tmp_path, **{verb: "exec sleep 60"})
    with pytest.raises(StillUnderWay, match=f"the {verb} program of ml did not end within 0 s"):
        app.switch(Side.TARGET, 50) if verb == "switch" else getattr(app, verb)(50)


@pytest.mark.parametrize("verb", ["stop", "switch", "start"])
def test_the_programs_of_all_workloads_run_side_by_side(verb: str, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    meet = f"echo >> {seen}; until [ $(wc -l < {seen}) = 3 ]; do sleep 0.01; done"
    app = workloads(tmp_path, "true", "true", "true", **{verb: meet})
    app.switch(Side.TARGET, MINUTE) if verb == "switch" else getattr(app, verb)(MINUTE)
    assert len(seen.read_text().splitlines()) == 3


def test_where_one_program_fails_the_others_have_ended_before_it_is_told(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    one_fails = f"mkdir {seen}.one 2>/dev/null && exit 1; sleep 0.2; echo >> {seen}"
    with pytest.raises(PlatformError, match="the stop program of ml ended with 1"):
        workloads(tmp_path, "true", "true", "true", stop=one_fails).stop(MINUTE)
    assert len(seen.read_text().splitlines()) == 2


def test_no_program_has_more_than_the_whole_time(tmp_path: Path) -> None:
    with pytest.raises(StillUnderWay):
        workloads(tmp_path, "true", "true", "true", stop="exec sleep 60").stop(100)
