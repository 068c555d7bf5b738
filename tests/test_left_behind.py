"""What kmigrate leaves on a disk: files that are its owner's alone whatever the umask, reports and no cores."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmigrate.adapters.commands import CommandWorkloads
from kmigrate.adapters.folder import FolderStore
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.kept_syncs import Known, keep
from kmigrate.adapters.manual import ManualWorkloads, Place
from kmigrate.adapters.memory import MemoryClock, MemoryGroups
from kmigrate.adapters.secrets import SecretReader
from kmigrate.cli.looks import _write
from kmigrate.lab.folder import LabFolder
from kmigrate.lab.runtime import cache
from kmigrate.lab.runtime.properties import write_secret
from kmigrate.model import Application, CommandWorkload, ManualWorkload, Reads, SecretRef, Side
from kmigrate.world import Reporter

TOKEN = "planted-token"
DEFECT = """
import sys
from pathlib import Path
from kmigrate.adapters.secrets import SecretReader
from kmigrate.cli import app as commands
from kmigrate.model import SecretRef
from kmigrate.wiring import folder_store

def break_down() -> None:
    password = SecretReader(folder_store(Path("store")), "kafka").resolve(SecretRef(env="PLANTED"))
    connection = {"sasl.password": password}
    1 / (len(connection) - 1)

commands.app.command("break-down")(break_down)
sys.argv = ["kmigrate", "break-down"]
commands.run()
"""
HOLDING = """
import ctypes, os, resource, subprocess, sys
from kmigrate.adapters.system import never_dumped
never_dumped()
ask = (sys.executable, "-c", "import ctypes; print(ctypes.CDLL(None).prctl(3))")
print(ctypes.CDLL(None).prctl(3), flush=True)
subprocess.run(ask)
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
os.abort()
"""


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def run(script: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose umask lets everything through."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        umask=0,
        env={**os.environ, "TMPDIR": str(folder), **more},
    )


def modes(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): stat.filemode(path.lstat().st_mode) for path in sorted(root.rglob("*"))}


def journal(root: Path) -> None:
    file = JournalFile(root / "new" / "journal", "somebody")
    file.append("line")
    file.close()


def store(root: Path) -> None:
    SecretReader(FolderStore(root / "new" / "store", MemoryClock()), "kafka").store(
        "a", "password", SecretRef(env="PLANTED")
    )


def syncs(root: Path) -> None:
    keep(root / "kept.index", Known(topic_id="id", next={0: 1}))


def by_hand(root: Path) -> None:
    app = Application(
        name="app",
        team="",
        reads=(Reads(group="g", topics=("t",)),),
        writes=(),
        principals=(),
        workloads=(ManualWorkload(note=""),),
    )
    place = Place(bootstrap="a:1", username="u", mechanism="m")
    groups = MemoryGroups("source")
    hand = ManualWorkloads(
        app=app,
        groups=lambda side: groups,
        place=lambda side: place,
        clock=MemoryClock(),
        reporter=Reporter(),
        pointed=root / "new" / "state" / "pointed-app",
    )
    hand.switch(Side.TARGET, 1_000)


def settings(root: Path) -> None:
    """What `switch` finds, and what is left of it: a copy that the program made while it could."""
    argv = ("sh", "-c", f'mkdir -m 700 {root}/seen && cp -p "$KMIGRATE_SETTINGS" {root}/seen/')
    work = CommandWorkload(stop=argv, switch=argv, start=argv, healthy=argv)
    CommandWorkloads("app", [work], lambda side: {"password": TOKEN}, root / "state").switch(Side.TARGET, 60_000)


def lab(root: Path) -> None:
    LabFolder(root / "labs" / "one").create()
    write_secret(root / "labs" / "one" / "credentials" / "sa", TOKEN)


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("leave", [journal, store, syncs, by_hand, settings, lab])
def test_what_is_left_is_its_owners_alone_whatever_the_umask(
    leave: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", TOKEN)
    leave(tmp_path)
    left = modes(tmp_path)
    assert any(mode.startswith("-") for mode in left.values())
    assert {mode[1:] for mode in left.values() if mode[0] == "-"} == {"rw-------"}
    assert {mode[1:] for mode in left.values() if mode[0] == "d"} <= {"rwx------"}


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_may_write_a_drafted_plan_or_the_jars_that_a_lab_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "kmigrate.yaml", "text")
    monkeypatch.setenv("KMIGRATE_CACHE", str(tmp_path / "cache" / "of" / "mine"))
    cache.folder("jars")
    assert not [path for path, mode in modes(tmp_path).items() if "w" in mode[4:]]


def test_the_report_of_a_defect_is_its_owners_alone_and_tells_no_secret(tmp_path: Path) -> None:
    done = run(DEFECT, tmp_path, PLANTED=TOKEN)
    assert done.returncode == 1, done.stderr
    (report,) = tmp_path.iterdir()
    assert str(report) in done.stderr
    assert "ZeroDivisionError" in report.read_text()
    assert modes(tmp_path) == {report.name: "-rw-------"}
    assert TOKEN not in report.read_text() + done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
def test_a_process_that_holds_secrets_leaves_no_core_and_programs_that_it_starts_do_as_they_did(tmp_path: Path) -> None:
    done = run(HOLDING, tmp_path)
    assert done.returncode < 0
    assert done.stdout.split() == ["0", "1"]
    assert list(tmp_path.iterdir()) == []
