"""What the chain alone cannot see: the last line edited, the last lines removed; and what a disk can do to us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.memory import MemoryClock
from kmigrate.errors import JournalError, PlatformError
from kmigrate.journal import Event, Journal


def write(folder: Path, count: int = 3) -> list[bytes]:
    file = JournalFile(folder, "me")
    journal = Journal(file, MemoryClock(), "me", "shop")
    for number in range(count):
        journal.ledger("u", "f").put("n", number)
    file.close()
    return (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)


def refused(folder: Path, *, told: str) -> None:
    """Both who writes and who only looks are refused, and nothing is changed."""
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "journal.lock"}
    for read_only in (True, False):
        with pytest.raises(JournalError, match=told) as caught:
            list(JournalFile(folder, "me", read_only=read_only).lines())
        assert caught.value.exit_code == 8
        assert "copy" in caught.value.hint
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "journal.lock"} == before


def test_the_last_line_edited_is_found(tmp_path: Path) -> None:
    lines = write(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1].replace(b'"n":2', b'"n":7'))
    refused(tmp_path, told="line 4 is not what was written")


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_last_lines_removed_are_found(kept: int, tmp_path: Path) -> None:
    lines = write(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:kept]))
    refused(tmp_path, told="its end was removed")


def test_a_journal_removed_whole_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    with pytest.raises(JournalError, match="its end was removed"):
        list(JournalFile(tmp_path, "me", read_only=True).lines())


def test_a_line_that_we_did_not_write_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b"{}\n{}\n")
    refused(tmp_path, told="has 6 lines, of which kmigrate wrote 4")


@pytest.mark.parametrize("count", [1, 3])
def test_a_head_removed_is_found_by_who_looks_too_and_no_other_is_made(count: int, tmp_path: Path) -> None:
    write(tmp_path, count)
    (tmp_path / "journal.head").unlink()
    refused(tmp_path, told=r"journal\.head is missing")
    (tmp_path / "journal.head").touch()
    refused(tmp_path, told=r"journal\.head is an old one")


def test_a_torn_line_stays_where_the_journal_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"half":')
    (tmp_path / "journal.head").unlink()
    refused(tmp_path, told="is missing")


def test_a_death_before_the_first_head_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").touch()
    assert list(JournalFile(tmp_path, "me", read_only=True).lines()) == []
    JournalFile(tmp_path, "me").close()


@pytest.mark.parametrize("text", ["x y\n", "0004\n"])
def test_a_head_damaged_is_found(text: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "journal.head").write_text(text)
    refused(tmp_path, told="damaged|not what was written")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_death_between_line_and_head_is_mended(count: int, tmp_path: Path) -> None:
    write(tmp_path, count)
    file = JournalFile(tmp_path, "me")
    head = (tmp_path / "journal.head").read_bytes()
    Journal(file, MemoryClock(), "me", "shop").record("", "", Event.OPENED, data={"migration": "shop"})
    file.close()
    (tmp_path / "journal.head").write_bytes(head)
    whole = len(list(JournalFile(tmp_path, "me", read_only=True).lines()))
    again = JournalFile(tmp_path, "me")
    assert len(list(again.lines())) == whole
    again.close()
    assert (tmp_path / "journal.head").read_bytes() != head


def test_a_reader_sees_a_writer_go_on(tmp_path: Path) -> None:
    write(tmp_path)
    reader = JournalFile(tmp_path, "me", read_only=True)
    file = JournalFile(tmp_path, "me")
    file.append("x")
    assert len(list(reader.lines())) == 5
    file.close()


def test_a_full_disk_leaves_head_and_line_as_they_were_and_the_next_run_goes_on(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from kmigrate.adapters.journal_file import JournalFile; from kmigrate.errors import PlatformError\n"
        "file = JournalFile(Path(sys.argv[1]), 'me'); file.append('x' * 100)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))\n"
        "try: file.append('y' * 200)\n"
        "except PlatformError as error: print(error.hint)\n"
        "file.append('z'); sys.exit(5)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, "free space" in done.stdout) == (5, True), done.stderr
    file = JournalFile(tmp_path, "me")
    assert list(file.lines()) == ["x" * 100, "z"]
    file.close()


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.lock", "journal.head"])
def test_what_is_no_plain_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(PlatformError, match="no plain file"):
        JournalFile(tmp_path, "me")


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.head"])
@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_who_only_looks_is_refused_too_and_reads_nothing_without_end(name: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    if kind == "device":
        (tmp_path / name).symlink_to("/dev/full")
    elif kind == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(PlatformError, match="no plain file") as caught:
        list(JournalFile(tmp_path, "me", read_only=True).lines())
    assert caught.value.exit_code == 7


def test_a_folder_where_nobody_may_write_is_told() -> None:
    with pytest.raises(PlatformError, match="cannot be written") as caught:
        JournalFile(Path("/proc/kmigrate"), "me")
    assert (caught.value.exit_code, "journal.store" in caught.value.hint) == (7, True)


def test_who_is_refused_is_told_since_when_the_other_works(tmp_path: Path) -> None:
    file = JournalFile(tmp_path, "anna@desk pid 1")
    with pytest.raises(JournalError, match=r"anna@desk pid 1, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"):
        JournalFile(tmp_path, "second")
    file.close()


def test_nothing_stays_open_after_a_refusal(tmp_path: Path) -> None:
    file = JournalFile(tmp_path, "me")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(JournalError):
        JournalFile(tmp_path, "second")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    file.close()
