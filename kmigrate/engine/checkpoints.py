"""Places in the journal to go back to, and the whole way to one of them, looked at before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from kmigrate.engine.moves import WayBack, back, where
from kmigrate.engine.rollback import way_back
from kmigrate.errors import NoWayBack, UsageError
from kmigrate.journal import Event, Journal
from kmigrate.model import TOGETHER, Direction, Side
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

    First what is half done, since somebody may stand still; then the newest first, but moves with no phase between
    them in the reverse of the plan's order: writers come back before those who read what they write.

    Raises UsageError for a checkpoint that there is not; NoWayBack, before anything is touched, with everything on the
    way that cannot be undone.
    """
    known = {each.name: each for each in checkpoints(plan, journal)}
    if checkpoint not in known:
        listed = ", ".join(known) or "none: nothing was done yet"
        raise UsageError(f"there is no checkpoint {checkpoint!r}; there are: {listed}", hint="see kmigrate history")
    return _whole(plan, journal, _in_reverse(plan, journal, _active_after(journal, known[checkpoint].entry)))


def way_of(plan: Plan, journal: Journal, moves: Sequence[str]) -> tuple[WayBack, ...]:
    """What to undo or to move back to have all these moves on the source, in the reverse of the order given.

    Those of one move that went each by itself, before the plan file had them move together, come back as they went,
    the last one first. Raises NoWayBack as `way_to` does.
    """
    newest = [name for move in reversed(moves) for name in _newest_of_each(journal, move)]
    half_done = [name for name in newest if journal.units[name].open]
    return _whole(plan, journal, dict.fromkeys((*half_done, *newest)))


def _newest_of_each(journal: Journal, move: str) -> list[str]:
    """The newest attempt of each application of a move, the last one begun first."""
    names = {attempts[-1].name for member in move.split(TOGETHER) if (attempts := journal.standing(member))}
    return [name for name in reversed(journal.units) if name in names]


def not_restored(plan: Plan, journal: Journal, checkpoint: str) -> tuple[str, ...]:
    """Moves that were on the target at that checkpoint and are not any more: going back takes nobody forward."""
    entry = next(each.entry for each in checkpoints(plan, journal) if each.name == checkpoint)
    sealed = [e.unit for e in journal.entries[:entry] if e.event is Event.SEALED and "/" in e.unit]
    last = {journal.units[name].move: name for name in sealed}
    then = [move for move, name in last.items() if name.startswith(f"{Direction.CUTOVER}/")]
    return tuple(move for move in then if where(journal, move) is Side.SOURCE)


def _whole(plan: Plan, journal: Journal, names: Iterable[str]) -> tuple[WayBack, ...]:
    ways: dict[str, WayBack] = {}
    closed: list[NoWayBack] = []
    for name in names:
        try:
            way = _way(plan, journal, name)
            if way is not None and way.undo:
                way_back(way.unit, journal)
        except NoWayBack as error:
            closed.append(error)
            continue
        if way is not None:
            ways.setdefault(way.unit.name, way)
    if closed:
        told = dict.fromkeys(each.message for each in closed)
        raise NoWayBack("; ".join(told), hint=closed[0].hint)
    return tuple(ways.values())


def _in_reverse(plan: Plan, journal: Journal, names: Sequence[str]) -> list[str]:
    """Half-done moves first; then as given, the newest first, but moves with no phase between in the plan's reverse."""
    order = {name: at for at, move in enumerate(plan.moves) for name in move.split(TOGETHER)}
    moves_begun = (journal.standing(journal.units[name].move) for name in names if "/" in name)
    newest = {attempts[-1].name for attempts in moves_begun if attempts}
    half_done = [name for name in names if name in newest and journal.units[name].open]
    found: list[str] = []
    for moves, some in groupby((name for name in names if name not in half_done), key=lambda name: "/" in name):
        last = {name: max(order.get(each, -1) for each in journal.units[name].moves) if moves else 0 for name in some}
        found += sorted(last, key=lambda name: -last[name])
    return half_done + found


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
    return record.sealed and journal.standing(record.move)[-1] is record and where(journal, record.move) is Side.TARGET
