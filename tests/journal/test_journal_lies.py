"""Every lie about the journal is found: in this folder, and in the copy on the target."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from memory_estate import Estate
from walking import APP, crossing, walk

from kmigrate.adapters.claims import CLAIM, LINE, Holder, LedgerTopic, read_kept
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.memory import MemoryClock, MemoryLedger, MemoryLedgerTopic, MemoryWorld
from kmigrate.adapters.shared_lines import SeenLines, SharedLines
from kmigrate.cli.verify import Looked, end, look_at_journal
from kmigrate.errors import JournalError, PlatformError
from kmigrate.journal import Event, GoingBack, Journal


@dataclass
class Folder:
    """A journal folder of a migration whose ledger lies on a target; `claimed`: there is a copy."""

    path: Path
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    claimed: bool = True

    def topic(self) -> LedgerTopic | None:
        self.ledger.reached()
        return MemoryLedgerTopic(self.ledger) if self.claimed else None

    def write(self, *more: str) -> None:
        """Every line of a walk there and back, or only those."""
        local = JournalFile(self.path, "me")
        us = Holder(who="me", place=local.place, since=1)
        shared = SharedLines(local=local, topic=self.topic, us=us, alone=GoingBack(), tell=lambda _: None)
        list(shared.lines())
        for line in more or _walked():
            shared.append(line)
        shared.close()

    def lines(self) -> list[str]:
        return (self.path / "journal.jsonl").read_text().splitlines()

    def put(self, lines: list[str], *, head: bool = False) -> None:
        """What a liar leaves; with the `head` that belongs to it."""
        (self.path / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
        if head:
            told = hashlib.sha256(lines[-1].encode() if lines else b"").hexdigest()
            (self.path / "journal.head").write_text(f"{len(lines):012d} {told}\n")

    def seen(self) -> SeenLines:
        return SeenLines(local=JournalFile(self.path, "reader", read_only=True), topic=self.topic)

    def read(self) -> Journal:
        return Journal(self.seen(), MemoryClock(), "reader", "shop")

    def looked(self) -> Looked:
        class Claimed(MemoryWorld):
            claim = property(lambda _: self.seen())

        return look_at_journal(self.read(), Claimed(Estate()))


def _walked() -> list[str]:
    estate = Estate()
    lines = crossing(estate)
    walk(estate, lines, ("cutover", "rollback"))
    return lines.written


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "journal")
    made.write()
    return made


def edited(line: str) -> str:
    raw = json.loads(line)
    raw["time"] += 1
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False)


def chained(lines: list[str]) -> list[str]:
    """The same, with the hashes that belong to them: a liar who knows how."""
    last, found = "0" * 64, []
    for line in lines:
        raw = {**json.loads(line), "prev": last, "n": len(found) + 1}
        found.append(json.dumps(raw, separators=(",", ":"), ensure_ascii=False))
        last = hashlib.sha256(found[-1].encode()).hexdigest()
    return found


LIES: dict[str, Callable[[list[str], int], list[str]]] = {
    "edited": lambda lines, at: [*lines[:at], edited(lines[at]), *lines[at + 1 :]],
    "removed": lambda lines, at: [*lines[:at], *lines[at + 1 :]],
    "swapped": lambda lines, at: [*lines[:at], *lines[at : at + 2][::-1], *lines[at + 2 :]],
    "twice": lambda lines, at: [*lines[:at], lines[at], lines[at], *lines[at + 1 :]],
    "blank": lambda lines, at: [*lines[:at], "", *lines[at + 1 :]],
}


def refused(folder: Folder) -> JournalError:
    with pytest.raises(JournalError) as told:
        folder.read()
    assert told.value.exit_code == 8
    assert "nothing was changed" in told.value.hint
    return told.value


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("lie", LIES)
def test_a_line_edited_removed_or_swapped_is_found_wherever_it_stands(folder: Folder, lie: str, claimed: bool) -> None:
    folder.claimed = claimed
    whole = folder.lines()
    for at in range(len(whole) - (lie == "swapped")):
        folder.put(LIES[lie](whole, at))
        assert "line" in refused(folder).message
    folder.put(whole)
    assert len(folder.read().entries) == len(whole)


@pytest.mark.parametrize("lie", ["edited", "removed", "swapped", "blank"])
def test_a_liar_who_puts_the_head_right_too_is_found_by_the_chain_or_by_the_copy(folder: Folder, lie: str) -> None:
    whole = folder.lines()
    for at in range(len(whole) - (lie == "swapped") - (lie == "removed")):
        folder.put(LIES[lie](whole, at), head=True)
        assert f"line {at + 1}" in refused(folder).message
        folder.claimed = False
        if at < len(whole) - 1 or lie != "edited":
            refused(folder)
        folder.claimed = True


def test_a_liar_who_chains_every_line_anew_is_found_by_the_copy(folder: Folder) -> None:
    whole = folder.lines()
    folder.put(chained(LIES["edited"](whole, 7)), head=True)
    told = refused(folder)
    assert "part at line 8: another kmigrate went on there, or one of them was edited" in told.message
    folder.claimed = False
    assert "there is no copy on the target to compare it with" in folder.looked().told


def test_of_a_line_edited_it_is_told_whose_word_counts(folder: Folder) -> None:
    whole = folder.lines()
    folder.put(LIES["edited"](whole, 7), head=True)
    told = refused(folder)
    assert told.message.startswith("line 8 of this folder's journal was edited, removed or moved")
    assert "Move this folder's journal away" in told.hint
    shutil.rmtree(folder.path)
    folder.write(*folder.ledger.lines.values())  # as the next command does
    assert folder.lines()[: len(whole)] == whole


@pytest.mark.parametrize("kept", [0, 1, -1])
def test_last_lines_removed_with_the_head_are_found_by_the_copy(folder: Folder, kept: int) -> None:
    whole = folder.lines()
    folder.put(whole[:kept], head=True)
    seen = folder.looked()
    gone = len(whole) - len(whole[:kept])
    assert f"its last {gone} lines, from line {len(whole) - gone + 1} on, were removed" in seen.wrong[0].what
    with pytest.raises(JournalError, match="the journal is not as it was written") as told:
        end((seen,))
    assert (told.value.exit_code, "the next apply or rollback brings them back" in told.value.hint) == (8, True)
    assert len(folder.read().entries) == len(whole)  # the copy has them
    list(
        SharedLines(
            local=JournalFile(folder.path, "me"),
            topic=folder.topic,
            us=Holder(who="me", place="here", since=2),
            alone=GoingBack(),
            tell=lambda _: None,
        ).lines()
    )
    assert folder.lines() == whole


def test_who_only_has_fewer_lines_than_another_folder_wrote_is_no_liar(folder: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other", folder.ledger)
    other.write(*[_next(folder)])
    assert folder.looked().wrong == ()
    assert folder.looked().told.endswith("and the copy on the target says the same")


def _next(folder: Folder) -> str:
    raw = json.loads(folder.lines()[-1])
    return chained([*folder.lines(), json.dumps({**raw, "event": Event.APPROVED, "unit": f"cutover/{APP}#2"})])[-1]


def test_a_folder_that_was_lost_is_no_lie(folder: Folder) -> None:
    shutil.rmtree(folder.path)
    folder.path.mkdir()
    assert folder.looked().wrong == ()


def test_what_cannot_be_compared_is_told(folder: Folder) -> None:
    journal = folder.read()
    folder.ledger.away = True

    class Claimed(MemoryWorld):
        claim = property(lambda _: folder.seen())

    seen = look_at_journal(journal, Claimed(Estate()))
    assert seen.wrong[0].unknown
    with pytest.raises(PlatformError):
        end((seen,))


@pytest.mark.parametrize("at", [1, 8, -1])
def test_a_record_of_the_copy_edited_is_found_and_this_folder_counts(folder: Folder, at: int) -> None:
    number = len(folder.lines()) if at < 0 else at
    folder.ledger.lines[number] = edited(folder.ledger.lines[number])
    assert f"line {number}" in refused(folder).message


def test_a_record_of_the_copy_removed_is_found(folder: Folder) -> None:
    del folder.ledger.lines[8]
    assert "line 8 is not among them" in refused(folder).message
    assert "Remove the ledger's KafkaTopic" in refused(folder).hint


def test_the_last_record_of_the_copy_removed_is_found_by_the_step_that_made_it(folder: Folder) -> None:
    del folder.ledger.lines[len(folder.lines())]
    assert folder.looked().wrong == ()
    assert not folder.seen().whole()


def test_records_of_the_topic_read() -> None:
    claim = Holder(who="me", place="here", since=1)
    records = [(CLAIM, claim.written().encode()), (LINE + b"1", b"a"), (LINE + b"2", b"b"), (LINE + b"2", None)]
    kept = read_kept([*records, (b"line-x", b"?"), (b"else", b"?"), (None, None)])
    assert (kept.holder, kept.lines) == (claim, {1: "a"})
    assert read_kept([*records, (CLAIM, None)]).holder is None
    with pytest.raises(JournalError, match="the claim on the target cannot be read"):
        read_kept([(CLAIM, b"{")])
