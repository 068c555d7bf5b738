"""Which topics share a lane. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kmigrate.model import Application
from kmigrate.waves.order import moves, stays

Lanes = tuple[tuple[str, ...], ...]
"""The topics of each lane by its number; a number whose topics are all gone stays, with none."""


def lane_topics(applications: Iterable[Application], topics: Iterable[str], most: int) -> Lanes:
    """What one move writes shares a lane, since a move stops whole lanes; topics that no move writes share one more.

    Past `most` lanes (the source counts connections) the smallest share one, and their moves are told.
    """
    found, rest = _alone(applications, set(topics))
    alone = max(0, most - 1) if len(found) + bool(rest) > most else len(found)
    shared = sorted({topic for each in found[alone:] for topic in each} | set(rest))
    return tuple(tuple(each) for each in (*sorted(found[:alone]), shared) if each)


def crowded(applications: Sequence[Application], lanes: Lanes, *, way_back: bool) -> dict[str, str]:
    """Moves that cannot be made since what they write shares a lane with other topics, each with these, in words.

    `way_back`: there is a mirror back, without which no writer moves.
    """
    stay = stays(applications, way_back=way_back)
    found, rest = _alone(applications, {topic for lane in lanes for topic in lane})
    told = {}
    for move in moves(applications):
        others = sharers(lanes, sorted(move.writes)) if not any(stay[name] for name in move.names) else ()
        if others:
            told[move.name] = (
                f"what it writes shares a lane with {', '.join(others)}, which would stand still too; "
                f"for each move that writes to have its own there must be {len(found) + bool(rest)} lanes"
            )
    return told


def _alone(applications: Iterable[Application], wanted: set[str]) -> tuple[list[list[str]], list[str]]:
    """What each move writes, the largest first, and the topics that none does."""
    written = [sorted(move.writes & wanted) for move in moves(applications)]
    found = sorted((each for each in written if each), key=lambda each: (-len(each), each))
    rest = sorted(wanted - {topic for each in found for topic in each})
    return found, rest


def extended(kept: Lanes, wanted: Lanes, most: int) -> Lanes:
    """Lanes that were fixed once, without topics that are gone and with those that are new.

    Nothing changes its lane: under another alias it would be copied once more, from its first record on.
    """
    now = {topic for lane in wanted for topic in lane}
    known = {topic for lane in kept for topic in lane}
    found = [tuple(topic for topic in lane if topic in now) for lane in kept]
    for lane in wanted:
        new = tuple(topic for topic in lane if topic not in known)
        if new and len(found) < most:
            found.append(new)
        elif new:
            found[-1] = tuple(sorted((*found[-1], *new)))
    return tuple(found)


def sharers(lanes: Lanes, topics: Sequence[str]) -> tuple[str, ...]:
    """Topics that would stand still with these, because they are in one lane with them; sorted."""
    touched = (lane for lane in lanes if not set(lane).isdisjoint(topics))
    return tuple(sorted({topic for lane in touched for topic in lane} - set(topics)))
