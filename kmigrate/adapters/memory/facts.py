"""Ledgers in memory: of one unit, and of none."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmigrate.adapters.memory.state import State
from kmigrate.model import Json


@dataclass(slots=True)
class MemoryFacts(State):
    """The facts of one unit in a dictionary (world.Ledger)."""

    known: dict[str, Json] = field(default_factory=dict)
    sealed: bool = False

    def by_unit(self, name: str) -> dict[str, Json]:
        """What this unit has, or nothing."""
        return {} if self.get(name) is None else {"": self.get(name)}

    def get(self, name: str) -> Json:
        """The last value put under that name, or None."""
        return self.known.get(name)

    def put(self, name: str, value: Json) -> None:
        """Keep a fact."""
        self.known[name] = value


@dataclass(frozen=True, slots=True)
class NoFacts:
    """The ledger of no unit (world.Ledger)."""

    @property
    def sealed(self) -> bool:
        """There is nothing to seal."""
        return False

    def by_unit(self, name: str) -> dict[str, Json]:
        """Nothing is known."""
        return {}

    def get(self, name: str) -> Json:
        """Nothing is known."""
        return None

    def put(self, name: str, value: Json) -> None:
        """Refuse: a fact belongs to a unit."""
        raise AssertionError(f"the fact {name} was put outside of a unit")
