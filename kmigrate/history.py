"""The journal as a table: one row per entry, oldest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kmigrate.journal import Entry, Event
from kmigrate.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry for people: `time` is UTC to the second; `checkpoint` names the place one can go back to, or is empty.

    `detail` names the facts of a FACT, the clusters of a BOUND, and is empty else; values stay in the journal.
    """

    number: int
    time: str
    who: str
    unit: str
    event: str
    step: str
    detail: str
    checkpoint: str


def table(entries: Iterable[Entry], checkpoints: Mapping[int, str]) -> Sequence[Row]:
    """Every entry as a row; `checkpoints` has the names of the places to go back to, by the number of their entry."""
    return tuple(_row(entry, checkpoints.get(entry.number, "")) for entry in entries)


def _row(entry: Entry, checkpoint: str) -> Row:
    return Row(
        number=entry.number,
        time=datetime.fromtimestamp(entry.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        who=entry.who,
        unit=entry.unit,
        event=str(entry.event),
        step=entry.step,
        detail=_detail(entry.event, entry.data),
        checkpoint=checkpoint,
    )


def _detail(event: Event, data: Json) -> str:
    if not isinstance(data, Mapping):
        return ""
    if event is Event.FACT:
        return ", ".join(data)
    return ", ".join(f"{key} {value}" for key, value in data.items()) if event in (Event.OPENED, Event.BOUND) else ""
