"""The append-only record of what was done, and the facts in it."""

from kmigrate.journal.journal import VERSION, GoingBack, Journal, Lines, follow_one_another, time_of
from kmigrate.journal.ledger import PastFacts, UnitLedger
from kmigrate.journal.records import Entry, Event, StepRecord, UnitRecord

__all__ = [
    "VERSION",
    "Entry",
    "Event",
    "GoingBack",
    "Journal",
    "Lines",
    "PastFacts",
    "StepRecord",
    "UnitLedger",
    "UnitRecord",
    "follow_one_another",
    "time_of",
]
