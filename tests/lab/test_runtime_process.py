"""Processes end with the one that started them, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kmigrate.errors import PlatformError
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.process import Machine, ProcessSpec
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

OWNER = """
import itertools, signal, sys
from pathlib import Path
from kmigrate.lab.runtime.process import Machine, ProcessSpec
machine, log = Machine(), Path(sys.argv[1]) / "log"
def start(name, *argv):
    machine.start(ProcessSpec(name=name, argv=argv, log=log))
if sys.argv[2] == "endlessly":
    print("ready", flush=True)
    for number in itertools.count():
        start(f"p{number}", "sleep", "1000")
start("plain", "sleep", "1000")
start("deaf", "sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1000; done")
start("stopped", "sleep", "1000")
machine.signal("stopped", signal.SIGSTOP)
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


def sleeper(name: str, folder: Path, *argv: str) -> ProcessSpec:
    return ProcessSpec(name=name, argv=argv or ("sleep", "1000"), log=folder / f"{name}.log")


def marked(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def wait_for_none(mark: str) -> None:
    def look() -> Ready[None] | NotYet:
        left = marked(mark)
        return NotYet(str(left)) if left else Ready(None)

    wait_until(look, what="processes", clock=LabClock(), reporter=Reporter(), deadline_ms=10_000)


@pytest.mark.parametrize("how", ["calmly", *["endlessly"] * 5])
def test_killing_the_owner_ends_every_process_it_started(how: str, tmp_path: Path) -> None:
    mark = str(tmp_path)
    owner = subprocess.Popen(
        (sys.executable, "-c", OWNER, str(tmp_path), how),
        stdout=subprocess.PIPE,
        env={**os.environ, "TEST_MARK": mark},
    )
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"ready\n"
        assert len(marked(mark)) > 1
        owner.kill()
        owner.wait()
        wait_for_none(mark)


def test_closing_ends_every_process_and_the_reaper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MARK", str(tmp_path))
    machine = Machine()
    machine.start(sleeper("one", tmp_path))
    assert len(marked(str(tmp_path))) == 2
    machine.close()
    assert marked(str(tmp_path)) == []


def test_processes_do_not_share_our_process_group(machine: Machine, tmp_path: Path) -> None:
    pid = machine.start(sleeper("one", tmp_path))
    assert os.getpgid(pid) != os.getpgid(0)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(machine: Machine, tmp_path: Path) -> None:
    machine.start(sleeper("deaf", tmp_path, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"))

    def look() -> Ready[None] | NotYet:
        return Ready(None) if (tmp_path / "deaf.log").read_text() else NotYet("no word")

    wait_until(look, what="deaf", clock=LabClock(), reporter=Reporter(), deadline_ms=10_000)
    machine.stop("deaf", grace_ms=100)
    assert machine.exit_code("deaf") == -signal.SIGKILL


def test_stopping_many_keeps_their_exit_codes(machine: Machine, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        machine.start(sleeper(name, tmp_path))
    machine.stop_all(("a", "b", "unknown"))
    assert [machine.exit_code(name) for name in ("a", "b", "c")] == [-signal.SIGTERM, -signal.SIGTERM, None]
    assert [(view.name, view.alive) for view in machine.views()] == [("a", False), ("b", False), ("c", True)]
    assert [machine.memory(name) > 0 for name in ("a", "c")] == [False, True]


def test_stopping_twice_and_stopping_nothing_is_fine(machine: Machine, tmp_path: Path) -> None:
    machine.start(sleeper("one", tmp_path))
    machine.stop("one")
    machine.stop("one")
    machine.stop("never started")
    machine.kill("one")
    assert machine.pid("one") is None


def test_a_second_process_of_the_same_name_is_refused_while_the_first_runs(machine: Machine, tmp_path: Path) -> None:
    first = machine.start(sleeper("one", tmp_path))
    with pytest.raises(PlatformError, match="one runs already"):
        machine.start(sleeper("one", tmp_path))
    machine.kill("one")
    assert machine.start(sleeper("one", tmp_path)) != first


def test_a_program_that_is_not_there_is_named(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"gone cannot be started: .*no-such-program"):
        machine.start(sleeper("gone", tmp_path, "/no-such-program"))


def test_without_its_reaper_a_machine_starts_nothing(tmp_path: Path) -> None:
    machine = Machine()
    pid = machine.start(sleeper("one", tmp_path))
    reaper = os.getpgid(pid)
    os.kill(reaper, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(reaper)], timeout=10)
    with pytest.raises(PlatformError, match="reaper is gone"):
        machine.start(sleeper("two", tmp_path))
    machine.close()
