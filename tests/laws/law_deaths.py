"""Death at every instant of a command, the continuations, and the end they must come to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from laws import Broken, Walk, ask, same
from memory_estate import Picture

from kmigrate.engine import where
from kmigrate.journal import Event, Journal

CONTINUATIONS = ("resume", "back", "resume-back", "back-again")


@dataclass(frozen=True)
class AtRest:
    """A walk that goes no further: looked at once, however many lives are compared with it."""

    walk: Walk

    @cached_property
    def journal(self) -> Journal:
        return self.walk.journal()

    @cached_property
    def picture(self) -> Picture:
        return self.walk.estate.picture()


def deaths(walk: Walk, command: str, continuation: str) -> int:
    """Die at every instant of a command, continue, and come to the calm run's end; returns how many deaths."""
    unit, _ = walk.unit(command)
    if " " not in command and unit is not None and any(step.one_way for step in unit.steps):
        continuation = "resume"  # the one-way door
    calm = walk.copy()
    lives = calm.lives(command)
    began, ended = AtRest(walk), AtRest(calm)
    for at, life in enumerate(lives, 1):
        try:
            go_on(life, command, continuation)
            compare(began, ended, life, command, continuation)
        except Exception as error:
            raise Broken(f"death {at} of {command}, then {continuation}: {error}") from error
    return len(lives)


def go_on(life: Walk, command: str, continuation: str) -> None:
    if continuation.startswith("resume"):
        life.type(command)
    if continuation.startswith("back"):
        life.go_back(command)
    if continuation == "resume-back":
        life.go_back(command)
    if continuation == "back-again":
        life.type(command)


def compare(began: AtRest, ended: AtRest, life: Walk, command: str, continuation: str) -> None:
    """The calm end; or, of a phase that went back, the picture before; of a move, where it is and every record once."""
    there = continuation in ("resume", "back-again")
    _, _, app = command.partition(" ")
    journal = life.journal()
    newest_first(journal)
    life.exact(journal)
    if app:
        wanted = ended if there or command.startswith("rollback") else began
        ask(where(journal, app) is where(wanted.journal, app), "the same end as the calm run", command)
        ask(life.estate.workloads[app].running, "the same end as the calm run", f"{app} runs")
    else:
        wanted = ended if there else began
        same("the same end as the calm run", command, wanted.picture, life.estate.picture())


def newest_first(journal: Journal) -> None:
    """Steps are undone in the reverse of the order in which they were begun."""
    begun: dict[str, list[str]] = {}
    for entry in journal.entries:
        steps = begun.setdefault(entry.unit, [])
        if entry.event is Event.STARTED and entry.step not in steps:
            steps.append(entry.step)
        elif entry.event is Event.UNDOING and entry.step in steps:
            ask(steps[-1] == entry.step, "the newest step is undone first", f"{entry.unit}, {entry.step}")
        elif entry.event is Event.UNDONE and entry.step in steps:
            steps.remove(entry.step)
