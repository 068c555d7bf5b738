"""Ctrl-C, SIGTERM, SIGHUP in every step of a unit: the write in flight ends and is journaled; the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WORKER = Path(__file__).parent / "interrupted_worker.py"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STEPS = ("one", "two", "three")


Start = Callable[[str, str], subprocess.Popen[bytes]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Start]:
    """Starts a worker and returns once it stands in the given verb of the given step; none outlives the test."""
    with contextlib.ExitStack() as stack:

        def start(verb: str, step: str) -> subprocess.Popen[bytes]:
            process = stack.enter_context(subprocess.Popen([sys.executable, str(WORKER), str(tmp_path), verb, step]))
            stack.callback(process.kill)
            while not (tmp_path / f"in-{verb}-{step}").exists():
                assert process.poll() is None
                time.sleep(0.005)
            return process

        yield start


def lines(folder: Path) -> list[tuple[str, str]]:
    raw = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [(line["event"], line["step"]) for line in raw if line["unit"]]


def send_and_await(process: subprocess.Popen[bytes], number: signal.Signals, folder: Path) -> None:
    """Until the worker has noted the signal."""
    process.send_signal(number)
    while not (folder / "noted").exists():
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize("number", SIGNALS, ids=["ctrl-c", "sigterm", "sighup"])
@pytest.mark.parametrize("step", STEPS)
def test_a_write_in_flight_ends_and_is_journaled(
    step: str, number: signal.Signals, tmp_path: Path, started: Start
) -> None:
    process = started("apply", step)
    process.send_signal(number)
    (tmp_path / "go").touch()
    assert process.wait(60) == 128 + number
    assert lines(tmp_path)[-1] == ("APPLIED", step)
    assert (tmp_path / f"done-{step}").exists()
    assert subprocess.run([sys.executable, str(WORKER), str(tmp_path)], check=False, timeout=60).returncode == 0
    assert lines(tmp_path)[-1] == ("SEALED", "")
    assert [each for each in lines(tmp_path) if each == ("APPLIED", step)] == [("APPLIED", step)] * 2


@pytest.mark.parametrize("number", SIGNALS, ids=["ctrl-c", "sigterm", "sighup"])
@pytest.mark.parametrize("step", STEPS)
def test_a_wait_ends_at_once(step: str, number: signal.Signals, tmp_path: Path, started: Start) -> None:
    process = started("wait", step)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert lines(tmp_path)[-1] == ("STARTED", step)
    assert subprocess.run([sys.executable, str(WORKER), str(tmp_path)], check=False, timeout=60).returncode == 0
    assert lines(tmp_path)[-1] == ("SEALED", "")


def test_the_second_signal_does_not_wait_for_the_write(tmp_path: Path, started: Start) -> None:
    process = started("apply", "two")
    send_and_await(process, signal.SIGINT, tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert lines(tmp_path)[-1] == ("STARTED", "two")


def test_a_terminal_that_goes_away_and_tells_it_twice_still_lets_the_write_end(tmp_path: Path, started: Start) -> None:
    process = started("apply", "two")
    send_and_await(process, signal.SIGHUP, tmp_path)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    (tmp_path / "go").touch()
    assert process.wait(60) == 129
    assert lines(tmp_path)[-1] == ("APPLIED", "two")


def test_what_nohup_started_outlives_its_terminal(tmp_path: Path) -> None:
    call = [sys.executable, str(WORKER), str(tmp_path), "apply", "two"]
    with subprocess.Popen(["nohup", *call], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (tmp_path / "in-apply-two").exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert lines(tmp_path)[-1] == ("SEALED", "")


def test_a_program_of_a_workload_does_not_get_the_terminals_ctrl_c(tmp_path: Path, started: Start) -> None:
    process = started("program", "one")
    assert os.getpgid(int((tmp_path / "program.pid").read_text())) != os.getpgid(process.pid)
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
