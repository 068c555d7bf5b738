"""Bad plan files and what each answer looks like: `bad/NN-name.yaml`, and its answer word for word in `.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmigrate.errors import KmigrateError
from kmigrate.planfile import load

FOLDER = Path(__file__).parent / "bad"
FILES = sorted(FOLDER.glob("*.yaml"))
SET = ("CC_KEY", "CC_SECRET", "MM_KEY", "MM_SECRET")


def answer(file: Path) -> str:
    """What the command line prints, with the folder left out."""
    with pytest.raises(KmigrateError) as caught:
        load(file, look_up=True)
    assert caught.value.exit_code == 2
    told = f"kmigrate: {caught.value.message}\n  → {caught.value.hint}\n"
    return told.replace(f"{FOLDER}/", "")


def test_there_are_forty() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_bad_file_is_answered_word_for_word_and_nothing_is_touched(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SET:
        monkeypatch.setenv(name, "hunter2")
    before = sorted(FOLDER.iterdir())
    told = answer(file)
    assert told == file.with_suffix(".txt").read_text()
    assert "hunter2" not in told
    assert sorted(FOLDER.iterdir()) == before


def test_a_file_of_ten_megabytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "kmigrate.yaml"
    file.write_text("a: b\n" * 2_000_000)
    with pytest.raises(KmigrateError, match="larger than 1000 kB"):
        load(file)
