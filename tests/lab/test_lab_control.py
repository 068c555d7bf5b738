"""`lab up`, `status` and `down` around a supervisor of `sleep` processes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from secret_places import open_to_others

from kmigrate.errors import Blocked, Interrupted, KmigrateError, PlatformError, UsageError
from kmigrate.lab import control
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.lab.status import LabStatus, status, survivors
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter


class Listener(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.seen = threading.Event()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, what: str, detail: str) -> None:
        if "still starting" in detail:
            self.seen.set()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabFolder]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = LabFolder(tmp_path / "lab")
    yield made
    for pid in survivors(made):
        os.kill(pid, signal.SIGKILL)


def up(
    folder: LabFolder, *, stay: bool = True, clock: LabClock | None = None, to: Reporter | None = None
) -> control.Lab:
    return control.up(
        folder,
        brokers=1,
        users=("sa-a",),
        empty=True,
        clock=clock or LabClock(),
        reporter=to or Reporter(),
        stay=stay,
        module="tiny_supervisor",
    )


def down(folder: LabFolder) -> bool:
    return control.down(folder, clock=LabClock(), reporter=Reporter())


def wait_for_none(folder: LabFolder) -> None:
    def look() -> Ready[None] | NotYet:
        left = survivors(folder)
        return NotYet(str(left)) if left else Ready(None)

    wait_until(look, what="lab", clock=LabClock(), reporter=Reporter(), deadline_ms=20_000)


def alive(seen: LabStatus) -> list[str]:
    return [process.name for process in seen.processes if process.alive]


def test_a_lab_comes_up_tells_what_runs_and_leaves_nothing(folder: LabFolder) -> None:
    listener = Listener()
    lab = up(folder, to=listener)
    seen = status(folder)
    assert (seen.phase, seen.pid, seen.brokers) == ("up", lab.supervisor.pid, 1)
    assert alive(seen) == ["supervisor", "source", "second"]
    assert all(process.memory > 0 for process in seen.processes)
    assert seen.facts["source"] == {"bootstrap": "127.0.0.1:9"}
    assert listener.notes == ["source comes", "second comes"]
    assert folder.state.stat().st_mode & 0o777 == 0o600
    assert down(folder) is True
    assert survivors(folder) == ()
    assert not folder.root.exists()
    assert (folder.root.parent / "stopped").read_text() == "second\nsource\n"
    assert lab.supervisor.wait(10) == 0


def test_what_a_lab_writes_is_its_owners_alone_whatever_the_umask(folder: LabFolder) -> None:
    before = os.umask(0)
    try:
        up(folder)
    finally:
        os.umask(before)
    assert {path.name for path in folder.root.rglob("*.log")} == {"supervisor.log", "source.log", "second.log"}
    assert not open_to_others(folder.root)
    down(folder)


def test_down_twice_and_down_of_nothing_say_that_nothing_runs(folder: LabFolder) -> None:
    assert down(folder) is False
    assert status(folder).phase == "nothing"
    up(folder)
    assert [down(folder), down(folder)] == [True, False]


def test_a_second_lab_is_told_what_runs(folder: LabFolder) -> None:
    lab = up(folder)
    with pytest.raises(
        Blocked, match=rf"a lab is up in .*: pid {lab.supervisor.pid}, since .*127\.0\.0\.1:9"
    ) as caught:
        up(folder)
    assert "kmigrate lab down" in caught.value.hint
    assert status(folder).phase == "up"
    down(folder)


def test_a_supervisor_killed_leaves_no_process_and_can_be_cleaned_up(folder: LabFolder) -> None:
    lab = up(folder)
    lab.supervisor.kill()
    lab.supervisor.wait()
    wait_for_none(folder)
    assert status(folder).phase == "dead"
    assert alive(status(folder)) == []
    assert down(folder) is True
    assert not folder.root.exists()


def test_after_a_killed_supervisor_the_next_lab_comes_up(folder: LabFolder) -> None:
    first = up(folder)
    first.supervisor.kill()
    first.supervisor.wait()
    assert up(folder).supervisor.pid != first.supervisor.pid
    down(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing_running(
    number: signal.Signals, folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_FAULT", "slow")
    clock, listener = LabClock(), Listener()

    def interrupt() -> None:
        listener.seen.wait(30)
        clock.stop(number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted) as caught:
        up(folder, clock=clock, to=listener)
    thread.join()
    assert caught.value.exit_code == 128 + number
    assert survivors(folder) == ()
    assert not folder.running()


def test_a_part_that_does_not_start_is_told_with_its_hint_and_leaves_nothing(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_FAULT", "start")
    with pytest.raises(KmigrateError, match="the second broker did not start") as caught:
        up(folder)
    assert (caught.value.exit_code, caught.value.hint) == (PlatformError.exit_code, "look at it")
    assert survivors(folder) == ()
    assert status(folder).phase == "failed"


def test_a_defect_in_a_part_takes_the_lab_down_and_is_told(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINY_FAULT", "tick")
    lab = up(folder)
    assert lab.supervisor.wait(20) == 1
    assert status(folder).error == "a defect in kmigrate's lab: ValueError: oops"
    assert "Traceback" in folder.log.read_text()
    assert survivors(folder) == ()


OWNER = """
import sys, time
from pathlib import Path
from kmigrate.lab import control
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.world import Reporter
control.up(LabFolder(Path(sys.argv[1])), brokers=1, users=(), empty=True, clock=LabClock(), reporter=Reporter(),
           stay=sys.argv[2] == "stay", module="tiny_supervisor")
print("up", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize(("how", "phase"), [("stay", "up"), ("go", "stopped")])
def test_a_lab_survives_its_killed_starter_only_when_it_shall(how: str, phase: str, folder: LabFolder) -> None:
    owner = subprocess.Popen((sys.executable, "-c", OWNER, str(folder.root), how), stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"up\n"
        owner.kill()
        owner.wait()
    if how == "go":
        wait_for_none(folder)
    assert status(folder).phase == phase
    assert down(folder) is True
    assert survivors(folder) == ()


def test_a_starter_killed_in_the_middle_leaves_nothing_running(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_FAULT", "slow")
    owner = subprocess.Popen((sys.executable, "-c", OWNER, str(folder.root), "stay"))

    def look() -> Ready[None] | NotYet:
        return Ready(None) if "second" in status(folder).facts or len(survivors(folder)) > 2 else NotYet("starting")

    wait_until(look, what="lab", clock=LabClock(), reporter=Reporter(), deadline_ms=20_000)
    owner.kill()
    owner.wait()
    wait_for_none(folder)
    assert status(folder).phase == "stopped"


def test_a_folder_that_holds_something_else_is_left_alone(folder: LabFolder) -> None:
    folder.root.mkdir()
    (folder.root / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"is no lab's folder and holds thesis\.txt"):
        up(folder)
    with pytest.raises(UsageError, match="nothing was touched"):
        down(folder)
    assert (folder.root / "thesis.txt").read_text() == "precious"


def test_files_that_a_lab_did_not_make_survive_down(folder: LabFolder) -> None:
    up(folder)
    (folder.root / "notes.txt").write_text("mine")
    down(folder)
    assert [path.name for path in folder.root.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"the lab cannot use .*file/lab: Not a directory"):
        up(LabFolder(tmp_path / "file" / "lab"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user")
def test_the_lab_of_another_user_is_left_alone(folder: LabFolder) -> None:
    folder.create()
    os.chown(folder.root, 12345, 12345)
    for command in (up, down):
        with pytest.raises(Blocked, match="belongs to another user"):
            command(folder)
    os.chown(folder.root, 0, 0)


def test_a_damaged_state_file_is_told_with_the_way_out(folder: LabFolder) -> None:
    folder.create()
    folder.state.write_text("{")
    with pytest.raises(Blocked, match=r"lab\.json is damaged"):
        status(folder)
    assert down(folder) is True


def test_a_pid_that_was_given_to_somebody_else_is_not_touched(folder: LabFolder) -> None:
    bystander = subprocess.Popen(("sleep", "1000"))
    folder.create()
    folder.write({"pid": bystander.pid, "started": 1.0, "since": 0, "brokers": 1, "phase": "up", "progress": ""})
    assert status(folder).phase == "dead"
    assert down(folder) is True
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.parametrize(("brokers", "megabytes", "told"), [(1, 1499, "needs 1500 MB"), (3, 2999, "--brokers 1")])
def test_too_little_memory_is_told_beforehand(brokers: int, megabytes: int, told: str) -> None:
    with pytest.raises(PlatformError) as caught:
        control.check_memory(brokers, megabytes << 20)
    assert told in caught.value.message + caught.value.hint
    control.check_memory(brokers, (megabytes + 1) << 20)


def test_too_little_disk_is_told_beforehand() -> None:
    with pytest.raises(PlatformError, match=r"needs 2000 MB of disk and /somewhere has 1999 MB"):
        control.check_disk(Path("/somewhere"), 1_999_999_999)
    control.check_disk(Path("/somewhere"), 2_000_000_000)


def test_up_and_down_again_and_again_leave_no_process_and_no_file(folder: LabFolder) -> None:
    for _ in range(5):
        up(folder)
        assert json.loads(folder.state.read_bytes())["phase"] == "up"
        assert down(folder) is True
        assert survivors(folder) == ()
    assert not folder.root.exists()
