"""Ctrl-C at every instant of a command: what is in flight ends and is journaled, nothing new begins, and it goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from law_deaths import AtRest, compare
from law_watch import watch_of
from laws import Broken, Walk, ask

from kmigrate.errors import Interrupted
from kmigrate.journal import Event, Journal

SIGINT = 2


@dataclass
class Struck(Walk):
    """A life in which somebody types Ctrl-C at instant `at` of a command, counted from 1."""

    at: int = 0
    seen: int = 0
    told: int = field(default=0, init=False)

    def journal(self) -> Journal:
        migration = self.estate.migration.name
        return self.engine.journal(self.estate.lines, self.estate.clock, "law", migration, self.check)

    def instant(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.told = len(self.estate.lines.written)

    def check(self) -> None:
        if self.seen >= self.at:
            raise Interrupted(SIGINT)


def interrupts(walk: Walk, command: str) -> dict[str, int]:
    """Strike at every instant of a command, look what was still begun, and go on; strikes by the step they hit."""
    calm = walk.copy()
    count = len(calm.lives(command))
    began, ended = AtRest(walk), AtRest(calm)
    hit: dict[str, int] = {}
    for at in range(1, count + 1):
        try:
            step = _strike(began, ended, command, at)
        except Exception as error:
            raise Broken(f"Ctrl-C at {at} of {command}: {error}") from error
        hit[step] = hit.get(step, 0) + 1
    return hit


def _strike(began: AtRest, ended: AtRest, command: str, at: int) -> str:
    walk = began.walk
    life = Struck(walk.estate.copy(), walk.tell, walk.engine, at=at)
    watch_of(life.estate).at_instant = life.instant
    try:
        life.type(command)
    except Interrupted:
        pass
    else:
        ask(at == life.seen, "an interrupt ends the command", f"instant {at} of {life.seen}")
    watch_of(life.estate).at_instant = None
    lines = [json.loads(line) for line in life.estate.lines.written]
    # the line that was being written when the signal came is still written
    begun = [line["step"] for line in lines[life.told + 1 :] if line["event"] in (Event.STARTED, Event.UNDOING)]
    ask(not begun, "nothing new begins after an interrupt", ", ".join(begun))
    on = walk.copy()
    on.estate = life.estate
    on.type(command)
    compare(began, ended, on, command, "resume")
    return next((line["step"] for line in reversed(lines[: life.told + 1]) if line["step"]), "")
