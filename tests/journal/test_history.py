"""The journal as a table."""

from __future__ import annotations

from kmigrate.history import table
from kmigrate.journal import Entry, Event
from kmigrate.model import Json


def entry(number: int, unit: str, event: Event, step: str = "", data: Json = None) -> Entry:
    return Entry(
        number=number,
        time=1_000 * number,
        who="anna@desk pid 1",
        unit=unit,
        fingerprint="f",
        event=event,
        step=step,
        data=data,
    )


def test_each_entry_is_a_row_with_time_who_and_what() -> None:
    rows = table(
        [entry(1, "", Event.OPENED, data={"migration": "shop"}), entry(2, "u", Event.STARTED, "s", {"a": 1})], {}
    )
    assert [(row.number, row.time, row.event, row.step, row.detail) for row in rows] == [
        (1, "1970-01-01 00:00:01", "OPENED", "", "migration shop"),
        (2, "1970-01-01 00:00:02", "STARTED", "s", ""),
    ]


def test_facts_are_named_and_their_values_stay_in_the_journal() -> None:
    (row,) = table([entry(1, "u", Event.FACT, data={"bound": {"x": 5}})], {})
    assert row.detail == "bound"


def test_the_rows_of_checkpoints_name_them() -> None:
    rows = table(
        [entry(1, "", Event.OPENED), entry(2, "a", Event.SEALED), entry(3, "b", Event.SEALED)], {3: "b", 1: "start"}
    )
    assert [row.checkpoint for row in rows] == ["start", "", "b"]
