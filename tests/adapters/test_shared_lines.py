"""One operator: lines on a disk and on the target, and who may write them (design §4.13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kmigrate.adapters.claims import Holder, LedgerTopic
from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.memory import MemoryLedger, MemoryLedgerTopic
from kmigrate.adapters.shared_lines import SeenLines, SharedLines
from kmigrate.errors import Blocked, JournalError, PlatformError, Transient

UNDO = "undone"


@dataclass
class Desk:
    """One operator's folder; `sit_down` begins a command there."""

    folder: Path
    ledger: MemoryLedger
    there: bool = True
    told: list[str] = field(default_factory=list)

    def topic(self) -> LedgerTopic | None:
        if self.there:
            self.ledger.reached()
        return MemoryLedgerTopic(self.ledger) if self.there else None

    def sit_down(self, since: int, *, take_over: bool = False) -> SharedLines:
        local = JournalFile(self.folder, self.folder.name)
        lines = SharedLines(
            local=local,
            topic=self.topic,
            us=Holder(who=self.folder.name, place=local.place, since=since),
            alone=lambda line: line.startswith(UNDO),
            tell=self.told.append,
            take_over=take_over,
        )
        try:
            list(lines.lines())
        except BaseException:
            local.close()
            raise
        return lines

    def on_disk(self) -> list[str]:
        return list(JournalFile(self.folder, "reader", read_only=True).lines())

    def seen(self) -> SeenLines:
        return SeenLines(local=JournalFile(self.folder, "reader", read_only=True), topic=self.topic)


NewDesk = Callable[[str], Desk]


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def desk(tmp_path: Path, ledger: MemoryLedger) -> NewDesk:
    return lambda name: Desk(tmp_path / name, ledger)


def worked(desk: Desk, since: int, *wanted: str) -> None:
    lines = desk.sit_down(since)
    for line in wanted:
        lines.append(line)
    lines.close()


def test_every_line_is_here_and_there(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna = desk("anna")
    lines = anna.sit_down(1)
    lines.append("a")
    assert (ledger.lines, anna.on_disk()) == ({1: "a"}, ["a"])
    assert lines.whole()
    assert lines.holder().startswith("anna")
    lines.close()
    assert anna.seen().whole()
    assert anna.seen().holder() == ""


def test_before_there_is_a_ledger_lines_are_here_alone_and_all_come_along(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna = desk("anna")
    anna.there = False
    lines = anna.sit_down(1)
    lines.append("a")
    assert not lines.whole()
    with pytest.raises(Blocked, match="no ledger topic yet"):
        lines.take()
    anna.there = True
    lines.take()
    lines.append("b")
    assert ledger.lines == {1: "a", 2: "b"}


def test_a_second_operator_is_refused_by_name_and_changes_nothing(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna, bert = desk("anna"), desk("bert")
    lines = anna.sit_down(1)
    lines.append("a")
    with pytest.raises(JournalError, match="another kmigrate works on this migration: anna") as refused:
        bert.sit_down(2)
    assert "--take-over" in refused.value.hint
    assert bert.on_disk() == []
    lines.append("b")
    assert ledger.lines == {1: "a", 2: "b"}


def test_who_is_taken_over_is_fenced_at_the_next_line_and_its_line_is_nowhere(
    desk: NewDesk, ledger: MemoryLedger
) -> None:
    anna, bert = desk("anna"), desk("bert")
    lines = anna.sit_down(1)
    lines.append("a")
    other = bert.sit_down(2, take_over=True)
    for line in ("b", UNDO):  # also what undoes: it is no line of ours any more
        with pytest.raises(JournalError, match="another kmigrate has taken this migration over: bert"):
            lines.append(line)
    assert (ledger.lines, anna.on_disk(), bert.on_disk()) == ({1: "a"}, ["a"], ["a"])
    other.append("c")
    lines.close()
    assert ledger.lines == {1: "a", 2: "c"}
    assert ledger.holder is not None
    assert ledger.holder.who == "bert"


def test_who_was_taken_over_while_it_only_looked_hears_of_it_at_its_end(desk: NewDesk) -> None:
    anna, bert = desk("anna"), desk("bert")
    lines = anna.sit_down(1)
    other = bert.sit_down(2, take_over=True)
    lines.close()
    assert "another kmigrate has taken this migration over: bert" in anna.told[-1]
    other.append("b")
    assert bert.seen().whole()


def test_a_process_that_died_here_is_followed_without_a_question(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna = desk("anna")
    dead = anna.sit_down(1)
    dead.append("a")
    dead.local.close()
    assert ledger.holder is not None
    assert ledger.holder.working
    again = anna.sit_down(2)
    again.append("b")
    assert ledger.lines == {1: "a", 2: "b"}


def test_two_desks_by_turns_have_the_same_journal(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna, bert = desk("anna"), desk("bert")
    worked(anna, 1, "a", "b")
    worked(bert, 2, "c")
    worked(anna, 3, "d")
    assert anna.on_disk() == ["a", "b", "c", "d"] == list(ledger.lines.values())
    assert bert.on_disk() == ["a", "b", "c"]
    assert list(bert.seen().lines()) == ["a", "b", "c", "d"]
    assert bert.told == [
        told for told in bert.told if "had no journal: its 2 lines" in told and "what it could not know" in told
    ]
    assert anna.told == ["1 lines that were written from another folder were brought here from the target"]


def test_a_lost_folder_is_rebuilt_line_by_line(desk: NewDesk, tmp_path: Path) -> None:
    anna = desk("anna")
    worked(anna, 1, "a", "b")
    for file in (tmp_path / "anna").iterdir():
        file.unlink()
    anna.sit_down(2).close()
    assert anna.on_disk() == ["a", "b"]


@pytest.mark.parametrize("ends", ["killed between both", "answer lost"])
def test_a_line_that_only_one_side_has_is_brought_to_the_other(desk: NewDesk, ledger: MemoryLedger, ends: str) -> None:
    anna = desk("anna")
    lines = anna.sit_down(1)
    lines.append("a")
    if ends == "killed between both":
        lines.local.append("b")
    else:
        ledger.away = True
        with pytest.raises(Transient):
            lines.append("b")
        ledger.away = False
    lines.local.close()
    anna.sit_down(2).close()
    assert list(ledger.lines.values()) == anna.on_disk() == ["a", "b"]


def test_while_the_target_is_away_only_what_undoes_goes_on(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna = desk("anna")
    worked(anna, 1, "a")
    ledger.away = True
    lines = anna.sit_down(2)
    assert "no other kmigrate is kept out" in anna.told[-1]
    with pytest.raises(PlatformError, match="no broker answers") as refused:
        lines.append("b")
    assert not isinstance(refused.value, Transient)
    lines.append(f"{UNDO} a")
    lines.close()
    ledger.away = False
    assert (anna.on_disk(), ledger.lines) == (["a", f"{UNDO} a"], {1: "a"})
    anna.sit_down(3).close()
    assert ledger.lines == {1: "a", 2: f"{UNDO} a"}


def test_the_target_that_goes_away_in_the_middle_stops_what_goes_on_and_not_what_goes_back(
    desk: NewDesk, ledger: MemoryLedger
) -> None:
    anna = desk("anna")
    lines = anna.sit_down(1)
    ledger.away = True
    lines.append(f"{UNDO} 1")
    with pytest.raises(PlatformError):
        lines.append("b")
    lines.append(f"{UNDO} 2")
    assert anna.on_disk() == [f"{UNDO} 1", f"{UNDO} 2"]
    lines.close()


def test_two_histories_are_never_mixed(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna, bert = desk("anna"), desk("bert")
    worked(anna, 1, "a")
    ledger.away = True
    alone = anna.sit_down(2)
    alone.append(f"{UNDO} a")
    alone.close()
    ledger.away = False
    worked(bert, 3, "b")
    with pytest.raises(JournalError, match="part at line 2") as parted:
        anna.sit_down(4)
    assert "Move this folder's journal away" in parted.value.hint
    with pytest.raises(JournalError, match="part at line 2"):
        list(anna.seen().lines())
    assert (anna.on_disk(), list(ledger.lines.values())) == (["a", f"{UNDO} a"], ["a", "b"])


def test_a_hole_in_the_ledger_is_told(desk: NewDesk, ledger: MemoryLedger) -> None:
    worked(desk("anna"), 1, "a", "b", "c")
    del ledger.lines[2]
    with pytest.raises(JournalError, match="line 2 is not among them"):
        desk("bert").sit_down(2)


def test_who_only_looks_sees_this_folder_while_the_target_is_away(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna = desk("anna")
    worked(anna, 1, "a")
    ledger.away = True
    assert list(anna.seen().lines()) == ["a"]
    with pytest.raises(AssertionError):
        anna.seen().append("b")


def test_a_claim_given_up_is_one_no_more(desk: NewDesk, ledger: MemoryLedger) -> None:
    anna = desk("anna")
    lines = anna.sit_down(1)
    lines.leave()
    lines.append("a")
    assert (ledger.lines, anna.on_disk()) == ({}, ["a"])
