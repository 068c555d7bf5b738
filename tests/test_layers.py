"""The layers hold: a planted upward import and a planted vendor import each break the build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(HERE / "pyproject.toml", tmp_path)
    shutil.copytree(HERE / "kmigrate", tmp_path / "kmigrate", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    call = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    # -c puts the folder first, so that the copy is what is looked at
    return subprocess.run(
        [sys.executable, "-c", call, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def plant(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}\n{line}\n")


def test_the_code_as_it_is_keeps_every_contract(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("model/facts.py", "from kmigrate import engine", "imports point one way"),
        ("probes/drain.py", "from kmigrate.steps import provision", "imports point one way"),
        ("engine/run.py", "from kmigrate.steps import provision", "imports point one way"),
        ("steps/replicate.py", "import confluent_kafka", "vendor libraries stop at adapters, lab and cli"),
        ("positions/match.py", "import pydantic", "vendor libraries stop at adapters, lab and cli"),
        ("story.py", "from kmigrate.adapters import folder", "reach adapters through wiring only"),
        ("lab/auditor/compare.py", "from kmigrate import model", "share no code with the product"),
    ],
)
def test_a_planted_import_breaks_the_build(file: str, line: str, contract: str, copy: Path) -> None:
    plant(copy / "kmigrate" / file, line)
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    broken = [told for told in done.stdout.splitlines() if told.endswith("BROKEN")]
    assert any(contract in told for told in broken), done.stdout
