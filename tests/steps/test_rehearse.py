"""rehearse keeps how far the content proof is, and says beforehand what it will read; on a world in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from memory_estate import TOPIC, Estate
from walking import command, crossing, journal_of, plan_of

from kmigrate.adapters.memory import Died, MemoryLines, MemoryWorld
from kmigrate.engine import preview
from kmigrate.errors import VerifyFailed
from kmigrate.journal import Journal
from kmigrate.model import Json, Partition, Side

FIRST = Partition(TOPIC, 0)


class Dying(MemoryLines):
    """Dies right after a line with the sign in it."""

    sign = "content_so_far"

    def append(self, line: str) -> None:
        super().append(line)
        if self.sign in line:
            raise Died


def fact(journal: Journal, name: str) -> Json:
    known = journal.unit("rehearse")
    assert known is not None
    return known.facts.get(name)


def test_what_will_be_read_is_said_before_it_is_approved() -> None:
    estate = Estate()
    lines = crossing(estate)
    unit = plan_of().phase("rehearse").unit
    assert unit is not None
    seen = preview(unit, MemoryWorld(estate), journal_of(estate, lines))
    (change,) = seen[0].changes
    spans = sum(len(log.entries) for log in estate.clusters[Side.SOURCE].logs.values())
    assert f"nothing is changed; reads at most {spans:,} records of 2 partitions on each side, about" in change.detail
    assert "egress from the source" in change.detail


def test_a_rehearsal_that_died_goes_on_up_to_the_ends_it_had() -> None:
    estate = Estate()
    lines = crossing(estate)
    with pytest.raises(Died):
        command("rehearse", estate, Dying(lines.death, lines.written))
    kept = fact(journal_of(estate, lines), "content_so_far")
    assert isinstance(kept, Mapping)
    for _ in range(9):
        estate.turn()
    command("rehearse", estate, lines)
    journal = journal_of(estate, lines)
    content = fact(journal, "content")
    assert isinstance(content, Mapping)
    assert fact(journal, "content_so_far") is None
    ends = kept["ends"]
    assert {p: each["source"][1] for p, each in content["partitions"].items()} == {p: at[0] for p, at in ends.items()}


def test_a_difference_is_named_and_the_next_call_begins_anew() -> None:
    estate = Estate()
    lines = crossing(estate)
    entries = estate.clusters[Side.TARGET].logs[FIRST].entries
    there = [entry for entry in entries if entry.record is not None][5]
    assert there.record is not None
    entries[there.offset] = replace(there, record=there.record._replace(digest=b"another digest.."))
    with pytest.raises(VerifyFailed, match=rf"shipments/0: source offset \d+, target offset {there.offset}: the value"):
        command("rehearse", estate, lines)
    assert fact(journal_of(estate, lines), "content_so_far") is None
    entries[there.offset] = there
    command("rehearse", estate, lines)
    assert fact(journal_of(estate, lines), "content") is not None
