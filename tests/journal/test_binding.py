"""A journal is of one migration between two clusters."""

from __future__ import annotations

import pytest

from kmigrate.adapters.memory import Death, MemoryClock, MemoryLines
from kmigrate.errors import Blocked, JournalError, UsageError
from kmigrate.journal import Journal
from kmigrate.model import Side
from kmigrate.wiring import bind


def opened(lines: MemoryLines) -> Journal:
    return Journal(lines, MemoryClock(), "somebody", "shop")


def test_the_ids_are_written_once_and_an_unknown_one_later() -> None:
    lines = MemoryLines(Death())
    journal = opened(lines)
    journal.bind("A", "")
    journal.bind("A", "")
    assert len(lines.written) == 2
    opened(lines).bind("A", "B")
    assert len(lines.written) == 3
    again = opened(lines)
    assert again.clusters == {"source": "A", "target": "B"}
    again.bind("", "")
    again.bind("A", "B")
    assert len(lines.written) == 3


@pytest.mark.parametrize(("source", "target", "told"), [("X", "B", "source cluster A"), ("A", "X", "target cluster B")])
def test_other_clusters_are_refused_and_nothing_is_written(source: str, target: str, told: str) -> None:
    lines = MemoryLines(Death())
    opened(lines).bind("A", "B")
    before = list(lines.written)
    with pytest.raises(JournalError, match=told) as caught:
        opened(lines).bind(source, target)
    assert caught.value.exit_code == 8
    assert caught.value.hint
    assert lines.written == before


def test_looking_writes_nothing() -> None:
    lines = MemoryLines(Death())
    opened(lines).belongs_to("A", "B")
    assert lines.written == []


def test_the_same_cluster_twice_is_a_mistake_of_the_plan_file() -> None:
    lines = MemoryLines(Death())
    with pytest.raises(UsageError, match="the same cluster A"):
        opened(lines).bind("A", "A")
    assert lines.written == []


class Pair:
    """Two clusters, as far as `bind` asks them."""

    def __init__(self, source: str, target: str) -> None:
        self.ids = {Side.SOURCE: source, Side.TARGET: target}

    def cluster(self, side: Side) -> Pair:
        if not self.ids[side]:
            raise Blocked("no address yet")
        return self if side is Side.SOURCE else Pair(self.ids[side], "")

    def id(self) -> str:
        return self.ids[Side.SOURCE]


def test_a_target_that_is_not_there_yet_binds_later() -> None:
    lines = MemoryLines(Death())
    journal = opened(lines)
    bind(journal, Pair("A", ""), read_only=True)
    assert journal.clusters == {}
    bind(journal, Pair("A", ""), read_only=False)
    assert journal.clusters == {"source": "A"}
    bind(journal, Pair("A", "B"), read_only=False)
    assert journal.clusters == {"source": "A", "target": "B"}
    with pytest.raises(JournalError):
        bind(journal, Pair("A", "C"), read_only=True)
