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


def table(entries: Iterable[Entry]) -> Sequence[Row]:
    """Every entry as a row; a unit's seal is a checkpoint unless the unit went back later."""
    kept = tuple(entries)
    seals = {entry.unit: entry.number for entry in kept if entry.event is Event.SEALED}
    for entry in kept:
        if entry.event in (Event.UNDOING, Event.WENT_BACK) and seals.get(entry.unit, entry.number) < entry.number:
            del seals[entry.unit]
    return tuple(_row(entry, checkpoint=seals.get(entry.unit) == entry.number) for entry in kept)


def _row(entry: Entry, *, checkpoint: bool) -> Row:
    return Row(
        number=entry.number,
        time=datetime.fromtimestamp(entry.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        who=entry.who,
        unit=entry.unit,
        event=str(entry.event),
        step=entry.step,
        detail=_detail(entry.event, entry.data),
        checkpoint=entry.unit if checkpoint else "",
    )


def _detail(event: Event, data: Json) -> str:
    if not isinstance(data, Mapping):
        return ""
    if event is Event.FACT:
        return ", ".join(data)
    return ", ".join(f"{key} {value}" for key, value in data.items()) if event in (Event.OPENED, Event.BOUND) else ""
