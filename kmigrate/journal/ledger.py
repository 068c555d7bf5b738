"""Facts in the journal: of the unit in hand, and of all that were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kmigrate.journal.records import Event, UnitRecord
from kmigrate.model import Json

if TYPE_CHECKING:
    from kmigrate.journal.journal import Journal


class PastFacts:
    """The facts of all units outside of any (world.Ledger); nothing is ever put."""

    def __init__(self, journal: Journal, record: UnitRecord | None = None) -> None:
        self._journal, self._record = journal, record

    @property
    def sealed(self) -> bool:
        """Whether the unit that is looked at was sealed."""
        return self._record is not None and self._record.sealed

    def by_unit(self, name: str) -> Mapping[str, Json]:
        """The last value under that name in each unit that has one, in the order units were begun."""
        return self._journal.by_unit(name)

    def get(self, name: str) -> Json:
        """What the unit that is looked at has under that name; None without one."""
        return self._record.facts.get(name) if self._record else None

    def put(self, name: str, value: Json) -> None:
        """Refuse: whoever looks writes nothing."""
        raise AssertionError(f"the fact {name} would be written while it is only looked")


class UnitLedger:
    """The facts of one unit, kept in the journal (world.Ledger)."""

    def __init__(self, journal: Journal, unit: str, fingerprint: str) -> None:
        self._journal, self._unit, self._fingerprint = journal, unit, fingerprint

    @property
    def sealed(self) -> bool:
        """Whether this unit was sealed."""
        unit = self._journal.unit(self._unit)
        return unit is not None and unit.sealed

    def by_unit(self, name: str) -> Mapping[str, Json]:
        """The last value under that name in each unit that has one, in the order units were begun."""
        return self._journal.by_unit(name)

    def get(self, name: str) -> Json:
        """The last value put under that name in this unit, or None."""
        unit = self._journal.unit(self._unit)
        return unit.facts.get(name) if unit else None

    def put(self, name: str, value: Json) -> None:
        """Write a fact; it is on disk when this returns."""
        self._journal.record(self._unit, self._fingerprint, Event.FACT, data={name: value})
