"""The move of an application that writes, in memory: up to where it may go, and what somebody does in between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from law_watch import estate_of, watch_of
from laws import BEFORE, Walk

from kmigrate.adapters.memory import Died
from kmigrate.model import Accepted, Migration, Partition, Right, Side
from kmigrate.planfile.load import load

PLAN = load(Path(__file__).parents[2] / "plans" / "mirror-back.yaml")
FIRST = Partition("orders", 0)
STAYS = Accepted(id="KM-PRINCIPAL-UNASSIGNED", subject="User:forgotten", reason="it was said to be gone")


def prepared(said: Migration = PLAN, *, readers: bool = True) -> Walk:
    """Everything that comes before the writer's move, its reader moved or not."""
    walk = Walk(estate_of(said))
    for phase in BEFORE:
        walk.type(phase)
    if readers:
        walk.type("cutover fraud")
    return walk


def stray(walk: Walk, side: Side, partition: Partition = FIRST) -> int:
    """A record of somebody that no plan knows; where it stands."""
    log = walk.estate.clusters[side].logs[partition]
    log.put(77, b"s" * 16, -1)
    return log.end - 1


def may_stay(said: Migration) -> Migration:
    apps = [replace(app, reads=tuple(replace(r, may_stay=True) for r in app.reads)) for app in said.applications]
    return replace(said, applications=tuple(apps))


def life_after(walk: Walk, step: str) -> Walk:
    """The writer's move, of which the process died right after that step was verified."""
    lives = walk.copy().lives("cutover checkout")
    return next(life for life in lives if last(life) == ("VERIFIED", step))


def die_after(walk: Walk, step: str, command: str = "cutover checkout") -> None:
    """Set out, and be killed right after that step was verified."""

    def kill() -> None:
        if last(walk) == ("VERIFIED", step):
            raise Died

    watch_of(walk.estate).at_instant = kill
    with pytest.raises(Died):
        walk.type(command)
    watch_of(walk.estate).at_instant = None


def forgotten(walk: Walk) -> None:
    """Somebody whom the plan took for one who stays out of this may write on the source."""
    rule = Right(principal="User:forgotten", resource="topic", name="orders", operation="Write")
    acls = walk.estate.clusters[Side.SOURCE].acls
    acls.rules = acls.rules | {rule}


def last(life: Walk) -> tuple[str, str]:
    line = json.loads(life.estate.lines.written[-1])
    return line["event"], line["step"]
