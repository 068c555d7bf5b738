"""Preview is check without apply."""

from __future__ import annotations

from dataclasses import dataclass

from kmigrate.errors import Interrupted, KmigrateError
from kmigrate.journal import Journal
from kmigrate.plan import Change, Unit
from kmigrate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a unit's step would change; or, in `blocked`, why it cannot be said now; and how it is undone."""

    step: str
    title: str
    changes: tuple[Change, ...]
    blocked: str = ""
    one_way: str = ""


def preview(unit: Unit, world: World, journal: Journal) -> tuple[Preview, ...]:
    """Ask every step of the unit what is missing; what one of them raises is told, not thrown."""
    bound = world.bound(journal.ledger(unit.name, unit.fingerprint))
    return tuple(_look(unit, index, bound) for index in range(len(unit.steps)))


def _look(unit: Unit, index: int, world: World) -> Preview:
    step = unit.steps[index]
    try:
        changes, blocked = step.check(world).changes, ""
    except Interrupted:
        raise
    except KmigrateError as error:
        changes, blocked = (), error.message
    return Preview(step=step.name, title=step.title, changes=changes, blocked=blocked, one_way=step.one_way)
