"""Which topics share a lane. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kmigrate.model import Application
from kmigrate.waves.order import moves

Lanes = tuple[tuple[str, ...], ...]
"""The topics of each lane by its number; a number whose topics are all gone stays, with none."""


def lane_topics(applications: Iterable[Application], topics: Iterable[str], most: int) -> Lanes:
    """What one move writes shares a lane, since a move stops whole lanes; topics that no move writes share one more.

    Past `most` lanes (the source counts connections) the smallest share one, and their moves are told.
    """
    wanted = set(topics)
    written = [sorted(move.writes & wanted) for move in moves(applications)]
    found = sorted((each for each in written if each), key=lambda each: (-len(each), each))
    rest = sorted(wanted - {topic for each in found for topic in each})
    alone = max(0, most - 1) if len(found) + bool(rest) > most else len(found)
    shared = sorted({topic for each in found[alone:] for topic in each} | set(rest))
    return tuple(tuple(each) for each in (*sorted(found[:alone]), shared) if each)


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
