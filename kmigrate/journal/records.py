"""What the journal holds: entries, and what they fold into."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kmigrate.model import TOGETHER, Json, JsonObject


class Event(StrEnum):
    """What an entry says."""

    OPENED = "OPENED"
    BOUND = "BOUND"
    APPROVED = "APPROVED"
    STARTED = "STARTED"
    APPLIED = "APPLIED"
    VERIFIED = "VERIFIED"
    FACT = "FACT"
    UNDOING = "UNDOING"
    UNDONE = "UNDONE"
    SEALED = "SEALED"
    WENT_BACK = "WENT_BACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line, read."""

    number: int
    time: int
    who: str
    unit: str
    fingerprint: str
    event: Event
    step: str = ""
    data: Json = None


@dataclass(slots=True)
class StepRecord:
    """The fold of a step's entries: the last event, the time of the first STARTED, and the first `before`."""

    event: Event
    started: int
    before: JsonObject


@dataclass(slots=True)
class UnitRecord:
    """The fold of a unit's entries."""

    name: str
    fingerprint: str
    steps: dict[str, StepRecord] = field(default_factory=dict)
    facts: dict[str, Json] = field(default_factory=dict)
    approved: bool = False
    sealed: bool = False
    went_back: bool = False

    @property
    def moves(self) -> tuple[str, ...]:
        """The applications that an attempt of a move moves; none for a phase."""
        _, slash, rest = self.name.partition("/")
        return tuple(rest.rpartition("#")[0].split(TOGETHER)) if slash else ()

    @property
    def move(self) -> str:
        """What the move is called."""
        return TOGETHER.join(self.moves)

    @property
    def open(self) -> bool:
        """Begun, and neither sealed nor undone."""
        return not self.sealed and not self.went_back

    @property
    def begun(self) -> bool:
        """Whether it may have changed something; one that was refused before its first step did not."""
        return bool(self.steps) or not self.open

    def started(self, step: str) -> bool:
        """Whether the step may have changed something that is not undone."""
        return step in self.steps and self.steps[step].event is not Event.UNDONE
