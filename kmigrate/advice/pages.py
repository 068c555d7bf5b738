"""Pages that explain whatever a user meets by name, red flags to steps: what it is, why, and the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.advice.flag_pages import FLAGS
from kmigrate.advice.move_pages import STATES
from kmigrate.advice.outcome_pages import ERRORS, EXITS, GRADES
from kmigrate.advice.phase_pages import PHASES, STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: three short paragraphs without markup."""

    id: str
    title: str
    what: str
    why: str
    way_out: str


def page(name: str) -> Page | None:
    """The page of that id, in whatever case it is typed, or of the phase of that unit; None if there is none."""
    phase = re.split("[/#]", name.casefold())[0]
    return _PAGES.get(name.casefold()) or (_PAGES.get(phase) if phase in PHASES else None)


def ids() -> tuple[str, ...]:
    """Every id there is a page for: red flags, errors, grades, exit codes, states of a move, phases, their steps."""
    return tuple(each.id for each in _PAGES.values())


def kinds() -> Mapping[str, tuple[str, ...]]:
    """The ids of every kind of page, in the same order."""
    return {name: tuple(told) for name, told in _KINDS.items()}


def _made() -> dict[str, Page]:
    return {
        name.casefold(): Page(id=name, title=title, what=what, why=why, way_out=way_out)
        for told in _KINDS.values()
        for name, (title, what, why, way_out) in told.items()
    }


_KINDS = {
    "red flags": FLAGS,
    "errors": ERRORS,
    "grades": GRADES,
    "exit codes": EXITS,
    "states of a move": STATES,
    "phases": PHASES,
    "steps of phases": STEPS,
}
_PAGES = _made()
