"""Which of the least rights the ACLs of both sides do not give, as far as they can be listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kmigrate.errors import Blocked, Interrupted, KmigrateError
from kmigrate.manifests.rights import KMIGRATE, MIRROR, MIRROR_BACK, PHASES, Need, needs
from kmigrate.model import Migration, Right, Side, granted
from kmigrate.probes.ownership import owned_by
from kmigrate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What is missing, and why the rest is not known, by side."""

    needs: tuple[Need, ...]
    unknown: tuple[str, ...]


def lacking(world: World, migration: Migration, phases: Iterable[str] = PHASES) -> Lacking:
    """What the phases need and no ACL gives; nothing is known of whoever holds no ACL at all: a role may be given."""
    missing: list[Need] = []
    unknown: list[str] = []
    wanted = needs(migration, phases)
    for side in Side:
        here = [need for need in wanted if need.side is side and _now(world, migration, need)]
        try:
            missing += _missing(here, world.cluster(side).rights())
        except Interrupted:
            raise
        except KmigrateError as error:
            unknown.append(f"rights on the {side}: {error.message}")
            # whoever may not list them has no right to the cluster at all: Describe comes with every other one
            refused = isinstance(error, Blocked)
            missing += [each for each in here if refused and (each.who, each.right.resource) == (KMIGRATE, "cluster")]
    return Lacking(needs=tuple(missing), unknown=tuple(unknown))


def _missing(wanted: Iterable[Need], listed: tuple[Right, ...]) -> Iterator[Need]:
    known = {right.principal for right in listed}
    return (each for each in wanted if each.right.principal in known and not granted(each.right, listed))


def _now(world: World, migration: Migration, need: Need) -> bool:
    """Whether it is needed by who owns each topic now: the right to write goes with the topic (design §4.3)."""
    if need.who == KMIGRATE or need.right.operation != "Write" or need.right.name not in migration.topics:
        return True
    owner = {MIRROR: Side.SOURCE, MIRROR_BACK: Side.TARGET}[need.who]
    return need.right.name in owned_by(world, owner, migration.topics)
