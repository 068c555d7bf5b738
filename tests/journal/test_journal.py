"""The journal: a chain of durable lines that tells when it was damaged, and folds into units."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.memory import Death, MemoryClock, MemoryLines
from kmigrate.errors import Interrupted, JournalError, PlatformError, Transient
from kmigrate.journal import Event, Journal


def written() -> MemoryLines:
    lines = MemoryLines(Death())
    journal = opened(lines)
    journal.record("provision", "f1", Event.STARTED, "find", {"a": 1})
    journal.record("provision", "f1", Event.APPLIED, "find")
    journal.record("provision", "f1", Event.VERIFIED, "find", {"ok": True})
    journal.record("provision", "f1", Event.SEALED)
    return lines


def opened(lines: MemoryLines, migration: str = "shop") -> Journal:
    return Journal(lines, MemoryClock(), "somebody", migration)


def test_the_first_line_says_whose_journal_it_is_and_numbers_go_up() -> None:
    lines = written()
    raw = [json.loads(line) for line in lines.written]
    assert [line["event"] for line in raw] == ["OPENED", "STARTED", "APPLIED", "VERIFIED", "SEALED"]
    assert [line["n"] for line in raw] == [1, 2, 3, 4, 5]
    assert raw[0]["data"] == {"migration": "shop"}


def test_what_is_read_back_folds_to_the_same_units() -> None:
    lines = written()
    unit = opened(lines).unit("provision")
    assert unit is not None
    assert unit.sealed
    assert unit.steps["find"].before == {"a": 1}


@pytest.mark.parametrize("at", range(4))
def test_an_edited_line_is_found(at: int) -> None:
    lines = written()
    lines.written[at] = lines.written[at].replace("somebody", "nobody")
    with pytest.raises(JournalError, match=f"line {at + 2}"):
        opened(lines)


@pytest.mark.parametrize("at", range(4))
def test_a_removed_line_is_found(at: int) -> None:
    lines = written()
    del lines.written[at]
    with pytest.raises(JournalError, match="edited, removed or moved"):
        opened(lines)


@pytest.mark.parametrize("at", range(4))
def test_two_swapped_lines_are_found(at: int) -> None:
    lines = written()
    lines.written[at], lines.written[at + 1] = lines.written[at + 1], lines.written[at]
    with pytest.raises(JournalError):
        opened(lines)


@pytest.mark.parametrize("line", ["", "not json", "[]", "{}", '{"v": 1}', '"text"', '{"v": "x"}'])
def test_a_line_that_is_no_entry_is_refused(line: str) -> None:
    lines = written()
    lines.written.append(line)
    with pytest.raises(JournalError, match="line 6"):
        opened(lines)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_line_is_told_in_words(blank: str) -> None:
    lines = written()
    lines.written.insert(1, blank)
    with pytest.raises(JournalError, match="journal line 2 is blank: a line was added, or its text removed"):
        opened(lines)


def test_a_newer_version_is_refused_even_if_its_keys_are_unknown() -> None:
    lines = MemoryLines(Death(), ['{"v": 2, "unheard": true}'])
    with pytest.raises(JournalError, match="format 2"):
        opened(lines)


def test_the_journal_of_another_migration_is_refused() -> None:
    with pytest.raises(JournalError, match="of the migration 'shop', not of 'other'"):
        opened(written(), "other")


def test_a_write_that_a_signal_cut_short_ends_writing_in_this_process() -> None:
    class Interrupting(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if len(self.written) == 3:
                raise Interrupted

    lines = Interrupting(Death())
    journal = opened(lines)
    journal.record("u", "f", Event.STARTED, "s")
    with pytest.raises(Interrupted):
        journal.record("u", "f", Event.APPLIED, "s")
    with pytest.raises(JournalError, match="cut short"):
        journal.record("u", "f", Event.VERIFIED, "s")
    assert len(opened(lines).entries) == 3


def test_a_line_that_may_be_there_ends_the_process() -> None:
    class Unsure(MemoryLines):
        def append(self, line: str) -> None:
            super().append(line)
            if "APPLIED" in line:
                raise Transient("no answer")

    lines = Unsure(Death())
    journal = opened(lines)
    journal.record("u", "f", Event.STARTED, "s")
    with pytest.raises(Transient):
        journal.record("u", "f", Event.APPLIED, "s")
    with pytest.raises(JournalError, match="cut short"):
        journal.record("u", "f", Event.APPLIED, "s")
    assert len(opened(lines).entries) == 3


def test_a_write_that_the_disk_refused_may_be_tried_again() -> None:
    class Full(MemoryLines):
        full = False

        def append(self, line: str) -> None:
            if self.full:
                raise PlatformError("no space left")
            super().append(line)

    lines = Full(Death())
    journal = opened(lines)
    journal.record("u", "f", Event.STARTED, "s")
    lines.full = True
    with pytest.raises(PlatformError):
        journal.record("u", "f", Event.APPLIED, "s")
    lines.full = False
    journal.record("u", "f", Event.APPLIED, "s")
    assert len(opened(lines).entries) == 3


# ---- the fold ----


def test_the_first_before_of_an_attempt_stays_and_a_new_one_comes_after_undo() -> None:
    journal = opened(MemoryLines(Death()))
    for before in ({"was": 1}, {"was": 2}):
        journal.record("u", "f", Event.STARTED, "s", before)
    unit = journal.unit("u")
    assert unit is not None
    assert unit.steps["s"].before == {"was": 1}
    journal.record("u", "f", Event.UNDOING, "s")
    assert unit.started("s")
    journal.record("u", "f", Event.STARTED, "s", {"was": 3})
    assert unit.steps["s"].before == {"was": 1}
    journal.record("u", "f", Event.UNDONE, "s")
    assert not unit.started("s")
    journal.record("u", "f", Event.STARTED, "s", {"was": 4})
    assert unit.steps["s"].before == {"was": 4}


def test_facts_belong_to_their_unit_and_the_last_one_counts() -> None:
    lines = MemoryLines(Death())
    journal = opened(lines)
    one, other = journal.ledger("one", "f"), journal.ledger("other", "f")
    one.put("bound", 1)
    one.put("bound", 2)
    assert (one.get("bound"), other.get("bound")) == (2, None)
    assert opened(lines).ledger("one", "f").get("bound") == 2


def test_a_unit_that_went_back_is_neither_sealed_nor_open_and_has_no_facts() -> None:
    journal = opened(written())
    journal.ledger("provision", "f1").put("bound", 1)
    journal.record("provision", "f1", Event.WENT_BACK)
    unit = journal.unit("provision")
    assert unit is not None
    assert (unit.sealed, unit.open, unit.facts) == (False, False, {})


def test_the_fingerprint_is_that_of_the_first_step_and_not_of_an_earlier_yes() -> None:
    journal = opened(MemoryLines(Death()))
    journal.record("u", "old", Event.APPROVED)
    journal.record("u", "new", Event.STARTED, "s")
    unit = journal.unit("u")
    assert unit is not None
    assert unit.fingerprint == "new"


# ---- on disk ----


def test_a_torn_last_line_is_cut_off_and_the_journal_goes_on(tmp_path: Path) -> None:
    file = JournalFile(tmp_path, "me")
    opened_file = Journal(file, MemoryClock(), "me", "shop")
    opened_file.record("u", "f", Event.STARTED, "s")
    file.close()
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"v":1,"n":3,"ti')
    assert len(list(JournalFile(tmp_path, "reader", read_only=True).lines())) == 2
    again = JournalFile(tmp_path, "me")
    assert path.read_bytes() == whole
    journal = Journal(again, MemoryClock(), "me", "shop")
    journal.record("u", "f", Event.APPLIED, "s")
    again.close()
    assert path.read_bytes().count(b"\n") == 3


def test_a_line_with_odd_line_ends_inside_is_one_line(tmp_path: Path) -> None:
    file = JournalFile(tmp_path, "me")
    journal = Journal(file, MemoryClock(), "me", "shop")
    journal.record("u", "f", Event.FACT, data={"text": "a\nb\u2028c\x85d\re"})
    assert len(Journal(file, MemoryClock(), "me", "shop").entries) == 2
    file.close()


def test_a_second_process_is_refused_and_told_who_works(tmp_path: Path) -> None:
    file = JournalFile(tmp_path, "anna@desk pid 1")
    program = (
        "import sys; from pathlib import Path; from kmigrate.adapters.journal_file import JournalFile\n"
        "from kmigrate.errors import JournalError\n"
        "try: JournalFile(Path(sys.argv[1]), 'second')\n"
        "except JournalError as error: print(error.message); sys.exit(error.exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 8
    assert "anna@desk pid 1" in done.stdout
    file.close()
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 0


def test_a_full_disk_takes_the_line_back_and_says_so(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from kmigrate.adapters.journal_file import JournalFile; from kmigrate.errors import PlatformError\n"
        "file = JournalFile(Path(sys.argv[1]), 'me'); file.append('x' * 50)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: file.append('y' * 200)\n"
        "except PlatformError as error: print(error.message, error.hint); sys.exit(error.exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "free space" in done.stdout
    assert (tmp_path / "journal.jsonl").read_bytes() == b"x" * 50 + b"\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match="cannot be written"):
        JournalFile(tmp_path / "file" / "new", "me")


def test_a_journal_that_is_a_folder_is_named_when_it_is_only_read(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(PlatformError, match="cannot be read"):
        list(JournalFile(tmp_path, "me", read_only=True).lines())


def test_reading_creates_nothing(tmp_path: Path) -> None:
    assert list(JournalFile(tmp_path / "none", "me", read_only=True).lines()) == []
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_may_read_the_journal(tmp_path: Path) -> None:
    JournalFile(tmp_path / "j", "me").close()
    assert (tmp_path / "j" / "journal.jsonl").stat().st_mode & 0o777 == 0o600
