"""The heart: a plan is phases, a phase is units, a unit is steps, a step is check, apply, verify, undo."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from kmigrate.errors import VerifyFailed
from kmigrate.model import ARMED, TOGETHER, Direction, Json, JsonObject
from kmigrate.world import World

KEEPS = "keeps"
"""The fact in which a begun unit keeps `Unit.keeps`."""
HELD = "held_ms"
"""The fact of when a unit held because it outgrew its budget; whoever runs it again has decided to go on."""
LEFT = "left_there"
"""The fact of what an undoing could not take back."""
LASTING = (LEFT, ARMED)
"""Facts that outlive a unit that went back: a lane goes on from where it was armed, whoever takes the unit back."""


class Action(StrEnum):
    """What kind of change a step would make."""

    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    STOP = "stop"
    START = "start"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to approve: what is done to which thing, in words."""

    action: Action
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.subject}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw: what is missing (empty = satisfied), and what undo will need."""

    changes: tuple[Change, ...] = ()
    before: JsonObject = field(default_factory=dict)


class Step(ABC):
    """A frozen dataclass with four verbs; its fields are all it knows besides the world it is handed.

    A step that never has changes says so by `looks_only`; tests/laws holds it to that, and every other step to changes.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    one_way: ClassVar[str] = ""
    looks_only: ClassVar[bool] = False
    lasts: ClassVar[bool] = True
    """Whether what it proved stays true by itself; what does not is proven again by whoever goes on with the unit."""
    for_good: ClassVar[bool] = False
    """Whether its claim holds whatever is edited in the plan file since, so that `verify` looks at it all the same."""
    mend: ClassVar[str] = "what is sealed is not done again: put it back by hand as it was, and see who changed it"
    """What to type where the claim of a sealed step does not hold any more."""

    @abstractmethod
    def check(self, world: World) -> Finding:
        """Look, change nothing; raises Blocked when a human must act."""

    @abstractmethod
    def apply(self, world: World) -> None:
        """Look again and converge; right also after a crash halfway."""

    def verify(self, world: World) -> Json:
        """Prove that the step holds and return the evidence; by default: check again and expect nothing missing."""
        missing = self.check(world).changes
        if missing:
            raise VerifyFailed(
                f"{self.name}: still missing after it was applied: {missing[0]}",
                hint="run the same command again; it looks anew and converges",
            )
        return {"missing": 0}

    def may_be_undone(self, world: World, before: JsonObject) -> None:
        """Raise Blocked where undoing would lose something for good; asked before a way back begins, and by `undo`."""
        return

    @abstractmethod
    def undo(self, world: World, before: JsonObject) -> None:
        """Put back what the first check of this attempt recorded."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is journaled, gated and sealed: a phase, or one attempt of one move in one direction.

    `gate` is the question a human answers first. `point_of_no_undo` names the step from whose STARTED on the way back
    is a move in the other direction instead of undo. `keeps` says in words what of the plan file the unit
    relies on also after it is sealed: editing that is refused until the unit is taken back.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    gate: str
    point_of_no_undo: str = ""
    keeps: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a step is added, removed, reordered or gets other values."""
        told = "\n".join(f"{step.name} {step!r}" for step in self.steps)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A chapter of the story; cutover has no units of its own, its moves do."""

    name: str
    title: str
    unit: Unit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All phases in story order, and the moves by name: that of its application, or of several (`a+b`).

    `waves` has the moves of each wave in their order, none for one in which all stay.
    `unit(move, direction, attempt)` gives the unit of a move, attempts counted from 1 over both directions.
    """

    phases: tuple[Phase, ...]
    waves: tuple[tuple[str, ...], ...]
    stays: Mapping[str, str]
    unit: Callable[[str, Direction, int], Unit]

    @property
    def moves(self) -> tuple[str, ...]:
        """Every move, in the order of the story."""
        return tuple(move for wave in self.waves for move in wave)

    def move_of(self, application: str) -> str:
        """The move that takes the application along; itself where none does."""
        return next((move for move in self.moves if application in move.split(TOGETHER)), application)

    def phase(self, name: str) -> Phase:
        """The phase of that name; KeyError if there is none."""
        return {phase.name: phase for phase in self.phases}[name]
