"""Moves and waves, found from what applications read, write and share. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from kmigrate.model import TOGETHER, Application, by_group


class Role(IntEnum):
    """The order within a wave."""

    READER = 0
    READER_WRITER = 1
    WRITER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The applications that must switch together, by name; most moves are one application."""

    applications: tuple[Application, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted(app.name for app in self.applications))

    @property
    def name(self) -> str:
        """What the move is called; of one application, like it."""
        return TOGETHER.join(self.names)

    @property
    def writes(self) -> frozenset[str]:
        """Every topic any of them writes."""
        return frozenset(topic for app in self.applications for topic in app.writes)

    @property
    def reads(self) -> frozenset[str]:
        """Every topic any of them reads, also where it may stay behind its writers."""
        return frozenset(topic for app in self.applications for topic in app.topics_read)

    @property
    def follows(self) -> frozenset[str]:
        """The topics it reads and must not read later than their writers move (`mayStay` exempts a group)."""
        return frozenset(
            topic for app in self.applications for reads in app.reads if not reads.may_stay for topic in reads.topics
        )

    @property
    def role(self) -> Role:
        """Reader, reader-writer or writer."""
        if not self.writes:
            return Role.READER
        return Role.READER_WRITER if self.reads else Role.WRITER


Wave = tuple[Move, ...]
"""Moves for the same window, in the order in which they go."""


def together(applications: Iterable[Application]) -> Application:
    """Applications as the one that they are for a move, each group once; one alone stays as it is."""
    chosen = sorted(applications, key=lambda app: app.name)
    if len(chosen) == 1:
        return chosen[0]
    return Application(
        name=TOGETHER.join(app.name for app in chosen),
        team=", ".join(sorted({app.team for app in chosen if app.team})),
        reads=tuple(by_group(reads for app in chosen for reads in app.reads).values()),
        writes=tuple(sorted({topic for app in chosen for topic in app.writes})),
        principals=tuple(dict.fromkeys(principal for app in chosen for principal in app.principals)),
        workloads=tuple(work for app in chosen for work in app.workloads),
        transactional_ids=tuple(sorted({name for app in chosen for name in app.transactional_ids})),
    )


def moves(applications: Iterable[Application]) -> tuple[Move, ...]:
    """Applications that write the same topic, share a group or a transactional id, together; sorted by name."""
    found: list[list[Application]] = []
    for app in applications:
        shared = [each for each in found if any(_bound(app, other) for other in each)]
        found = [each for each in found if each not in shared]
        found.append([app, *(other for each in shared for other in each)])
    made = (Move(applications=tuple(sorted(each, key=lambda app: app.name))) for each in found)
    return tuple(sorted(made, key=lambda move: move.names))


def waves(applications: Iterable[Application]) -> tuple[Wave, ...]:
    """Every move in the first wave it may go in; a topic's readers go no later than its writers.

    Moves that read what the other writes, both ways, go in the same wave.
    """
    every = moves(applications)
    before = {move.names: _readers(move, every) for move in every}
    waits = waits_for(every)
    knots = _knots(before, waits)
    level: dict[tuple[str, ...], int] = {}
    for knot in knots:  # a knot comes after those it waits for
        levels = [level[other] + 1 for name in knot for other in before[name] if other not in knot]
        level |= dict.fromkeys(knot, max(levels, default=0))
    order = {name: (level[name], next(m for m in every if m.names == name).role, name) for name in before}
    ranked = sorted(every, key=lambda move: order[move.names])
    count = max(level.values(), default=-1) + 1
    return tuple(tuple(m for m in ranked if level[m.names] == number) for number in range(count))


def stays(applications: Sequence[Application], *, way_back: bool = False) -> Mapping[str, str]:
    """Why applications cannot be moved, by name, in the order of the moves; "" for those that can.

    `way_back`: there is a mirror back, without which what writers wrote could not return.
    """
    reasons: dict[str, str] = {}
    for wave in waves(applications):
        for move in wave:
            own = {app.name: _why(app, way_back=way_back) for app in move.applications}
            stuck = sorted(name for name, why in own.items() if why)
            bound = f"it must switch together with {', '.join(stuck)}, which stays" if stuck else ""
            reasons |= {name: why or bound for name, why in own.items()}
    return reasons


def _why(app: Application, *, way_back: bool) -> str:
    if app.writes and not way_back:
        return f"it writes {', '.join(app.writes)}, and without mirror.reverse in the plan file it could not come back"
    if not (app.reads or app.writes):
        return "it reads nothing with a group and writes nothing, so there is nothing to move"
    return "" if app.workloads else "it names no workloads, so nobody could stop and start it"


def _bound(one: Application, other: Application) -> bool:
    return bool(
        set(one.writes) & set(other.writes)
        or {reads.group for reads in one.reads} & {reads.group for reads in other.reads}
        or set(one.transactional_ids) & set(other.transactional_ids)
    )


Names = tuple[str, ...]


def _readers(move: Move, every: Sequence[Move]) -> frozenset[Names]:
    """The moves that must go no later: those that read what this one writes."""
    return frozenset(other.names for other in every if other is not move and other.follows & move.writes)


def waits_for(every: Sequence[Move]) -> dict[Names, set[Names]]:
    """By move, all that must go no later than it: its readers, their readers, and so on."""
    before = {move.names: _readers(move, every) for move in every}
    return {name: _all_before(name, before) for name in before}


def _knots(before: Mapping[Names, frozenset[Names]], waits: Mapping[Names, set[Names]]) -> Iterator[frozenset[Names]]:
    """Moves that wait for one another, together, each knot after those it waits for."""
    knots = {frozenset({name, *(o for o in waits[name] if name in waits[o])}) for name in before}
    # who waits for more comes later; within a knot all wait for the same
    yield from sorted(knots, key=lambda knot: (len({o for name in knot for o in waits[name]} | knot), min(knot)))


def _all_before(name: Names, before: Mapping[Names, frozenset[Names]]) -> set[Names]:
    seen: set[Names] = set()
    todo = [*before[name]]
    while todo:
        each = todo.pop()
        if each not in seen:
            seen.add(each)
            todo += before[each]
    return seen
