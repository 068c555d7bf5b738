"""One red flag: a stable id, what it is about, and whether assess ends with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether assess ends with it."""

    BLOCKS = "blocks"
    WARNS = "warns"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Flag:
    """One red flag: a stable id, what it is about, one sentence of what was seen, and the way out."""

    id: str
    subject: str
    severity: Severity
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.id} {self.subject}: {self.what}"


def blocks(of: str, subject: str, what: str, way_out: str) -> Flag:
    """One that assess ends with."""
    return Flag(id=of, subject=subject, severity=Severity.BLOCKS, what=what, way_out=way_out)


def warns(of: str, subject: str, what: str, way_out: str) -> Flag:
    """One that is only told."""
    return Flag(id=of, subject=subject, severity=Severity.WARNS, what=what, way_out=way_out)


def accept(of: str, subject: str) -> str:
    """The entry of a plan file that takes it on."""
    return f"accept: [{{id: {of}, subject: '{subject}', reason: …}}]"
