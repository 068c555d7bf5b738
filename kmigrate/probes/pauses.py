"""How long a move will stand still: parts that were measured, rehearsed or declared, each with where it is from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kmigrate.model import Application, Json, JsonObject, Policy, Side
from kmigrate.world import Ledger

MEASURED = "pause_measured"
"""The fact of a pause that is over: whose, which side it left, whether it wrote, and its parts (ms)."""
REHEARSED = "rehearsed_ms"
"""The fact of a rehearsal: by group, how long it took to find its positions on the other side (ms)."""
ASSUMED_WAY_BACK_MS = 15_000
"""What a way back before the start takes, where nothing was measured; at most a quarter of the pause is kept for it."""
_LOOKED_UP = 2
"""How often a move finds positions: to see that they are copied, and to carry them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a pause: how long it takes (ms), and from where that is known; None and why it is not known."""

    what: str
    ms: int | None
    source: str

    def __str__(self) -> str:
        return f"{self.what} " + (f"not known ({self.source})" if self.ms is None else f"{_s(self.ms)} ({self.source})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The parts of a pause, and the way back that is kept free for as long as the application has not started."""

    parts: tuple[Part, ...]
    way_back: Part

    @property
    def ms(self) -> int:
        """What is known of it, added up."""
        return sum(part.ms for part in self.parts if part.ms is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The parts of which nothing is known."""
        return tuple(part.what for part in self.parts if part.ms is None)

    def fits(self, policy: Policy) -> bool:
        """Whether what is known, with the way back, is less than the pause may last."""
        return self.ms + (self.way_back.ms or 0) < policy.max_pause_ms

    def __str__(self) -> str:
        return f"{'at least' if self.unknown else 'about'} {_s(self.ms)}: {', '.join(map(str, self.parts))}"

    def told(self) -> JsonObject:
        """As JSON."""
        every: list[Json] = [{"what": each.what, "ms": each.ms, "from": each.source} for each in self.parts]
        back: JsonObject = {"ms": self.way_back.ms, "from": self.way_back.source}
        return {"ms": self.ms, "parts": every, "unknown": list(self.unknown), "wayBack": back}


SHORTEN = "raise policy.maxPause, or make it stop and start faster; kmigrate plan shows the parts"


def too_long(name: str, seen: Prediction, policy: Policy) -> str:
    """What to tell of a move that would outgrow the pause it is allowed."""
    return (
        f"{name} would stand still for {seen}; with the {seen.way_back} that does not fit into maxPause "
        f"({_s(policy.max_pause_ms)})"
    )


def measured(app: Application, leaving: Side, *, stopping: int, starting: int, tool: int | None) -> Json:
    """A pause as the ledger keeps it for later predictions; `tool` is None where it says nothing of the next one."""
    parts: dict[str, Json] = {"stopping": stopping, "starting": starting, "tool": tool}
    return {"move": app.name, "leaving": str(leaving), "writes": bool(app.writes), **parts}


def predict(ledger: Ledger, app: Application, leaving: Side, policy: Policy) -> Prediction:
    """How long a move that leaves that side will stand still, as far as anything is known of it."""
    own = _newest(ledger, app, leaving)
    parts = _stopping(own, app), _ours(ledger, own, app), _starting(own)
    return Prediction(parts=parts, way_back=way_back(ledger, app, leaving, policy))


def way_back(ledger: Ledger, app: Application, leaving: Side, policy: Policy) -> Part:
    """What going back takes as long as the application has not started on the other side.

    That undoes what kmigrate did, and starts the application where it was: measured when it last came there, else when
    it last went anywhere.
    """
    own = _newest(ledger, app, leaving.other)
    if own is None or own.get("tool") is None:
        most = min(ASSUMED_WAY_BACK_MS, policy.max_pause_ms // 4)
        return Part(what="way back", ms=most, source="assumed until it was measured")
    return Part(what="way back", ms=_ms(own, "starting") + _ms(own, "tool"), source=_when(own))


def _stopping(own: JsonObject | None, app: Application) -> Part:
    if own is not None:
        return Part(what="stopping", ms=_ms(own, "stopping"), source=_when(own))
    session = max((reads.session_timeout_ms for reads in app.reads), default=0)
    if session:
        return Part(what="stopping", ms=session, source="sessionTimeout of its static members, in the plan file")
    return Part(what="stopping", ms=None, source="never measured")


def _starting(own: JsonObject | None) -> Part:
    if own is None:
        return Part(what="starting", ms=None, source="never measured")
    return Part(what="starting", ms=_ms(own, "starting"), source=_when(own))


def _ours(ledger: Ledger, own: JsonObject | None, app: Application) -> Part:
    """kmigrate's part: its own when it last moved, the longest of moves of its kind, else what was rehearsed of it."""
    if own is not None and own.get("tool") is not None:
        return Part(what="kmigrate", ms=_ms(own, "tool"), source=_when(own))
    kind = "moves that write" if app.writes else "moves that only read"
    alike = (each for each in _every(ledger) if each.get("writes") is bool(app.writes))
    others = [_ms(each, "tool") for each in alike if each.get("tool") is not None]
    if others:
        return Part(what="kmigrate", ms=max(others), source=f"the longest of {len(others)} {kind}")
    known: dict[str, Json] = {}
    for fact in ledger.by_unit(REHEARSED).values():
        known |= fact if isinstance(fact, Mapping) else {}
    tried = [_ms(known, reads.group) for reads in app.reads if reads.group in known]
    if tried:
        source = f"positions, as rehearsed; the rest of it is not known before one of the {kind} was measured"
        return Part(what="kmigrate", ms=_LOOKED_UP * sum(tried), source=source)
    return Part(what="kmigrate", ms=None, source="neither rehearsed nor measured")


def _newest(ledger: Ledger, app: Application, leaving: Side) -> JsonObject | None:
    """The newest pause of the move in that direction, else in the other; None where it never moved."""
    mine = [each for each in _every(ledger) if each.get("move") == app.name]
    same = [each for each in mine if each.get("leaving") == str(leaving)]
    return next(reversed(same or mine), None)


def _every(ledger: Ledger) -> Iterator[JsonObject]:
    return (fact for fact in ledger.by_unit(MEASURED).values() if isinstance(fact, Mapping))


def _ms(fact: JsonObject, name: str) -> int:
    found = fact.get(name)
    return found if isinstance(found, int) else 0


def _when(own: JsonObject) -> str:
    return f"measured when it last left the {own.get('leaving')}"


def _s(ms: int) -> str:
    return f"{ms / 1000:.1f} s"
