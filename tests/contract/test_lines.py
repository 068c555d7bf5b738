"""What every place of journal lines promises (journal.Lines), and the ledger over it (kmigrate.world)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmigrate.adapters.journal_file import JournalFile
from kmigrate.adapters.memory import Death, Died, MemoryClock, MemoryLines
from kmigrate.journal import Journal, Lines
from kmigrate.world import Ledger

Opening = Callable[[], Lines]
"""Opens the same lines anew, as another process would; what was open before is closed."""


@pytest.fixture(params=["memory", "file"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    if request.param == "memory":
        kept = MemoryLines()
        yield lambda: MemoryLines(kept.death, kept.written)
        return
    files: list[JournalFile] = []

    def again() -> JournalFile:
        for file in files:
            file.close()
        files.append(JournalFile(tmp_path, "me"))
        return files[-1]

    yield again
    for file in files:
        file.close()


def test_nothing_was_written_at_first(opened: Opening) -> None:
    assert list(opened().lines()) == []


def test_lines_are_durable_and_in_order(opened: Opening) -> None:
    lines, wanted = opened(), [str(number) for number in range(50)]
    for number, line in enumerate(wanted):
        lines.append(line)
        if number % 20 == 0:
            lines = opened()
    assert list(lines.lines()) == list(opened().lines()) == wanted


def test_a_line_comes_back_as_it_was_written(opened: Opening) -> None:
    wanted = ["", '{"a": "b"}', "Grüße, 世界", " spaces ", "x" * 100_000]
    for line in wanted:
        opened().append(line)
    assert list(opened().lines()) == wanted


def test_who_reads_while_lines_come_has_what_was_there(opened: Opening) -> None:
    lines = opened()
    lines.append("first")
    reading = lines.lines()
    seen = [next(iter(reading))]
    lines.append("second")
    assert seen == ["first"]
    assert list(lines.lines()) == ["first", "second"]


def ledger(lines: Lines, unit: str = "move#1") -> Ledger:
    return Journal(lines, MemoryClock(), "me", "shop").ledger(unit, "f")


def test_a_fact_nobody_put_is_none(opened: Opening) -> None:
    assert ledger(opened()).get("bounds") is None


def test_a_fact_is_there_also_in_another_process_and_the_last_word_counts(opened: Opening) -> None:
    facts = ledger(opened())
    facts.put("bounds", {"t/0": 1})
    assert facts.get("bounds") == {"t/0": 1}
    assert ledger(opened()).get("bounds") == {"t/0": 1}
    again = ledger(opened())
    again.put("bounds", {"t/0": 2})
    again.put("other", [1, "two", None])
    assert ledger(opened()).get("bounds") == {"t/0": 2}
    assert ledger(opened()).get("other") == [1, "two", None]


def test_units_do_not_see_each_others_facts(opened: Opening) -> None:
    ledger(opened()).put("bounds", 1)
    assert ledger(opened(), "move#2").get("bounds") is None


# ---- in memory: deaths ----


@pytest.mark.parametrize(("at", "there"), [(1, []), (2, ["line"])])
def test_a_death_before_a_line_leaves_nothing_and_one_after_it_leaves_it(at: int, there: list[str]) -> None:
    lines = MemoryLines(Death(at))
    with pytest.raises(Died):
        lines.append("line")
    assert list(lines.lines()) == there


def test_the_facts_of_all_units_are_seen_in_the_order_they_were_begun(opened: Opening) -> None:
    journal = Journal(opened(), MemoryClock(), "me", "shop")
    first, second = journal.ledger("move#1", "f"), journal.ledger("move#2", "f")
    first.put("seams", {"t/0": 1})
    second.put("seams", {"t/0": 2})
    first.put("seams", {"t/0": 3})
    wanted = [("move#1", {"t/0": 3}), ("move#2", {"t/0": 2})]
    for seen in (first, second, journal.past()):
        assert list(seen.by_unit("seams").items()) == wanted
    second.put("seams", None)
    assert list(ledger(opened(), "move#3").by_unit("seams").items()) == wanted[:1]
    assert first.by_unit("bounds") == {}
