"""Applications run or stand still as their folder wishes; time is a clock that the test turns."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmigrate.lab.runtime.applications import Applications
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.runtime.process import Machine
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"


class TurnedClock(LabClock):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000

    def monotonic_ms(self) -> int:
        return self.now


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = Machine()
        self.clock = TurnedClock()
        self.part = Applications(folder, self.machine, self.clock)

    def add(self, name: str, desired: str, *argv: str) -> Path:
        home = self.folder / name
        home.mkdir(parents=True)
        (home / "desired").write_text(desired + "\n")
        (home / "command.json").write_text(json.dumps({"argv": argv or ["sleep", "1000"]}))
        return home

    def state(self, name: str) -> dict[str, object]:
        told: dict[str, object] = json.loads((self.folder / name / "state.json").read_text())
        return told

    def until(self, so: Callable[[], bool]) -> None:
        """Tick until it is so."""

        def look() -> Ready[None] | NotYet:
            self.part.tick()
            return Ready(None) if so() else NotYet("not so")

        wait_until(look, what="stage", clock=LabClock(), reporter=Reporter(), deadline_ms=20_000, slowest_ms=50)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "apps")
    yield made
    made.machine.close()


def test_what_shall_run_runs_and_what_shall_not_does_not(stage: Stage) -> None:
    stage.add("one", "running")
    stage.add("two", "stopped")
    stage.part.start()
    one = stage.state("one")
    assert one == {"running": True, "pid": stage.machine.pid("app-one"), "desired": "running", "crashes": 0}
    assert stage.state("two") == {"running": False, "pid": None, "desired": "stopped", "crashes": 0}
    assert (stage.folder / "one" / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_wish_is_followed_in_both_directions_and_is_no_crash(stage: Stage) -> None:
    home = stage.add("one", "running")
    stage.part.start()
    first = stage.machine.pid("app-one")
    (home / "desired").write_text("stopped")
    stage.until(lambda: stage.state("one")["running"] is False)
    (home / "desired").write_text("running")
    stage.until(lambda: stage.state("one")["running"] is True)
    assert stage.state("one")["crashes"] == 0
    assert stage.machine.pid("app-one") != first


def test_one_that_ends_by_itself_is_counted_and_started_again_after_half_a_second(stage: Stage) -> None:
    stage.add("one", "running")
    stage.part.start()
    first = stage.machine.pid("app-one")
    stage.machine.kill("app-one")
    stage.part.tick()
    assert stage.state("one") == {"running": False, "pid": None, "desired": "running", "crashes": 1}
    stage.clock.now += 499
    stage.part.tick()
    assert stage.state("one")["running"] is False
    stage.clock.now += 1
    stage.part.tick()
    assert stage.state("one")["running"] is True
    assert stage.state("one")["pid"] not in (None, first)


def test_one_that_ignores_sigterm_is_killed_after_ten_seconds(stage: Stage) -> None:
    home = stage.add("one", "running", sys.executable, "-c", STUBBORN)
    stage.part.start()
    stage.until(lambda: "deaf" in (home / "output.log").read_text())
    (home / "desired").write_text("stopped")
    stage.part.tick()
    stage.clock.now += 9_999
    stage.part.tick()
    assert stage.state("one")["running"] is True
    stage.clock.now += 1
    stage.part.tick()
    stage.part.tick()
    assert stage.state("one") == {"running": False, "pid": None, "desired": "stopped", "crashes": 0}
    assert stage.machine.exit_code("app-one") == -signal.SIGKILL


def test_an_application_that_comes_later_or_cannot_be_started_does_no_harm(stage: Stage) -> None:
    stage.part.start()
    stage.add("broken", "running", "/no-such-program")
    stage.add("later", "running")
    stage.part.tick()
    assert stage.state("later")["running"] is True
    assert stage.state("broken") == {"running": False, "pid": None, "desired": "running", "crashes": 1}


def test_stopping_the_part_ends_all_and_leaves_the_wishes(stage: Stage) -> None:
    home = stage.add("one", "running")
    stage.part.start()
    stage.part.stop()
    assert stage.state("one")["running"] is False
    assert (home / "desired").read_text() == "running\n"
