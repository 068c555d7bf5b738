"""Why applications switch together and why one goes no later than another, and what would change that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kmigrate.model import Application
from kmigrate.waves.order import Move, moves, waits_for, waves

_TOPIC, _GROUP, _ID = "topic", "group", "transactional id"
_SHARED = {_TOPIC: "write topic", _GROUP: "read with group", _ID: "write with transactional id"}
_WAY_OUT = {
    _TOPIC: "only one of them wrote topic {}",
    _GROUP: "each had a group of its own instead of {}",
    _ID: "each had a transactional id of its own instead of {}",
}


@dataclass(frozen=True, slots=True, order=True)
class Bond:
    """What applications share that can only be on one side: a topic they write, a group, or a transactional id."""

    kind: str
    subject: str
    applications: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_listed(self.applications)} {_SHARED[self.kind]} {self.subject}"

    @property
    def way_out(self) -> str:
        """What would have to be so for the bond to be gone."""
        return _WAY_OUT[self.kind].format(self.subject)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One move goes no later than another: it reads topics that the other writes. Moves are named by applications."""

    reader: tuple[str, ...]
    writer: tuple[str, ...]
    topics: tuple[str, ...]


def bonds(move: Move) -> tuple[Bond, ...]:
    """Everything that holds a move together, sorted; none for a move of one application."""
    users: dict[tuple[str, str], list[str]] = {}
    for app in sorted(move.applications, key=lambda app: app.name):
        for held in set(_held(app)):
            users.setdefault(held, []).append(app.name)
    return tuple(sorted(Bond(*held, tuple(names)) for held, names in users.items() if len(names) > 1))


def cuts(move: Move) -> tuple[Bond, ...]:
    """The bonds each of which alone holds parts of the move together: without it there would be two moves or more."""
    every = bonds(move)
    return tuple(bond for bond in every if _parts(move, [other for other in every if other is not bond]) > 1)


def edges(applications: Iterable[Application]) -> tuple[Edge, ...]:
    """Every pair of moves of which one goes no later than the other, and the topics that make it so; sorted."""
    every = moves(applications)
    pairs = ((reader, writer) for reader in every for writer in every if reader is not writer)
    found = ((r, w, tuple(sorted(r.follows & w.writes))) for r, w in pairs)
    return tuple(sorted(Edge(r.names, w.names, topics) for r, w, topics in found if topics))


def knots(applications: Iterable[Application]) -> tuple[tuple[Move, ...], ...]:
    """Moves that read what the others write, round in a circle, so that none may go before the others; by wave.

    `mayStay` at a group cuts such a circle.
    """
    chosen = tuple(applications)
    waits = waits_for(moves(chosen))
    found: list[tuple[Move, ...]] = []
    for wave in waves(chosen):
        left = list(wave)
        while left:
            first = left[0]
            knot = tuple(m for m in left if m is first or _round(first, m, waits))
            left = [m for m in left if m not in knot]
            found += [knot] if len(knot) > 1 else []
    return tuple(found)


def _round(one: Move, other: Move, waits: Mapping[tuple[str, ...], set[tuple[str, ...]]]) -> bool:
    return other.names in waits[one.names] and one.names in waits[other.names]


def _held(app: Application) -> Iterator[tuple[str, str]]:
    yield from ((_TOPIC, topic) for topic in app.writes)
    yield from ((_GROUP, reads.group) for reads in app.reads)
    yield from ((_ID, name) for name in app.transactional_ids)


def _parts(move: Move, kept: Iterable[Bond]) -> int:
    """How many parts the bonds that are kept leave."""
    parts = [{name} for name in move.names]
    for bond in kept:
        touched = [part for part in parts if part & set(bond.applications)]
        parts = [part for part in parts if part not in touched] + [set().union(*touched)]
    return len(parts)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
