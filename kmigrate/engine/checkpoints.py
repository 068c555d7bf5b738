"""Places in the journal to go back to, and the whole way to one of them, looked at before anything is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kmigrate.engine.moves import WayBack, back, where
from kmigrate.engine.rollback import way_back
from kmigrate.errors import UsageError
from kmigrate.journal import Event, Journal
from kmigrate.model import Side
from kmigrate.plan import Plan

START = "start"
"""The checkpoint before anything was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A place to go back to: right after a unit was sealed. `entry` is its journal line, `time` in ms."""

    name: str
    entry: int
    time: int
    text: str


def checkpoints(plan: Plan, journal: Journal) -> tuple[Checkpoint, ...]:
    """Every place to go back to, oldest first: the start, and the end of each unit that still holds."""
    if not journal.units:
        return ()
    first = journal.entries[0]
    found = [Checkpoint(name=START, entry=first.number, time=first.time, text="before anything was done")]
    sealed = {entry.unit: entry for entry in journal.entries if entry.event is Event.SEALED}
    for name, entry in sorted(sealed.items(), key=lambda pair: pair[1].number):
        if _holds(journal, name):
            found.append(Checkpoint(name=name, entry=entry.number, time=entry.time, text=f"{name} was done"))
    return tuple(found)


def way_to(plan: Plan, journal: Journal, checkpoint: str) -> tuple[WayBack, ...]:
    """What to undo or to move back, in this order, to come to the checkpoint; empty when we are there.

    Raises UsageError for a checkpoint that there is not; NoWayBack, before anything is touched, where something on the
    way cannot be undone.
    """
    known = {each.name: each for each in checkpoints(plan, journal)}
    if checkpoint not in known:
        listed = ", ".join(known) or "none: nothing was done yet"
        raise UsageError(f"there is no checkpoint {checkpoint!r}; there are: {listed}", hint="see kmigrate history")
    ways: list[WayBack] = []
    for name in _active_after(journal, known[checkpoint].entry):
        way = _way(plan, journal, name)
        if way is not None and all(way.unit.name != other.unit.name for other in ways):
            ways.append(way)
    for way in ways:
        if way.undo:
            way_back(way.unit, journal)
    return tuple(ways)


def _way(plan: Plan, journal: Journal, name: str) -> WayBack | None:
    """How one unit that came later is taken back; None when it is already, or was itself a way back."""
    record = journal.units[name]
    if "/" in name:
        return back(plan, journal, record.move)
    if record.went_back:
        return None
    unit = plan.phase(name.partition("#")[0]).unit
    assert unit is not None
    return WayBack(unit=replace(unit, name=name), undo=True)


def _active_after(journal: Journal, entry: int) -> tuple[str, ...]:
    """Units that did something after a line, also those begun before it, the one that was active last first."""
    last: dict[str, int] = {}
    for each in journal.entries:
        if each.event is Event.WENT_BACK:
            last.pop(each.unit, None)  # what comes next is another life of it
        elif each.unit:
            last[each.unit] = each.number
    return tuple(sorted((name for name, number in last.items() if number > entry), key=lambda name: -last[name]))


def _holds(journal: Journal, name: str) -> bool:
    record = journal.units[name]
    if "/" not in name:
        return record.sealed
    newest = journal.attempts(record.move)[-1].name == name
    return record.sealed and newest and where(journal, record.move) is Side.TARGET
