"""Which of the least rights the ACLs of both sides do not give, as far as they can be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kmigrate.errors import Blocked, Interrupted, KmigrateError
from kmigrate.manifests.granting import commands
from kmigrate.manifests.lanes import names_of
from kmigrate.manifests.rights import KMIGRATE, MIRROR, MIRROR_BACK, PHASES, Need, needs
from kmigrate.manifests.roles import Grant, rule_line, told
from kmigrate.model import Lane, Migration, Partition, Right, Side, granted
from kmigrate.probes.arming import given_back, withheld
from kmigrate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What is missing, and why the rest is not known, by side."""

    needs: tuple[Need, ...]
    unknown: tuple[str, ...]


_COPIES = ("replicate", "cutover", "rollback")
"""The phases in which the mirrors copy; what is needed in them only now and then, `_now` leaves out."""
_AFTER_MS = 1_000
"""How long a wait goes on before rights are looked at, and between two looks: most waits are shorter."""


def lacking(
    world: World,
    migration: Migration,
    phases: Iterable[str] = PHASES,
    which: Callable[[Need], bool] = lambda need: True,
) -> Lacking:
    """What the phases need and no ACL gives; nothing is known of whoever holds no ACL at all: a role may be given."""
    missing: list[Need] = []
    unknown: list[str] = []
    wanted = tuple(_now(world, migration, filter(which, needs(migration, phases))))
    for side in Side:
        here = [need for need in wanted if need.side is side]
        try:
            cluster = world.cluster(side)
        except Interrupted:
            raise
        except KmigrateError as error:  # it was not asked: how to sign in there is not known
            unknown.append(f"rights on the {side}: {error.message}")
            continue
        try:
            missing += _missing(here, cluster.rights())
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


def _now(world: World, migration: Migration, wanted: Iterable[Need]) -> Iterator[Need]:
    """Those that are needed now: the right to write goes with the topic, once its lane is armed (design §4.3)."""
    forth, back = frozenset(migration.topics) - withheld(world, migration), given_back(world, migration)
    for need in wanted:
        of_owner = need.who != KMIGRATE and need.right.operation == "Write" and need.right.name in migration.topics
        if not of_owner or need.right.name in (back if need.who == MIRROR_BACK else forth):
            yield need


def refuse_lacking(world: World, migration: Migration, lanes: Iterable[Lane]) -> None:
    """Raise Blocked for what the mirror of these lanes needs and may not by the ACLs of either side.

    Without some of them no task fails: topics are not seen, a failed poll is logged and tried again, marks are dropped.
    """
    chosen = tuple(lanes)
    found = lacking(world, migration, _COPIES, lambda need: any(_concerns(need, lane) for lane in chosen)).needs
    if found:
        told = "; ".join(f"{need.who} may not {_in_words(need.right)} on the {need.side}" for need in found)
        raise Blocked(f"by the ACLs {told}", hint=f"grant it: {'; '.join(commands(migration, found))}")


@dataclass(slots=True)
class Sentry:
    """Looks now and then, while a lane is waited for, whether its mirror lost a right; what it raises ends the wait."""

    world: World
    migration: Migration
    lane: Lane
    next_ms: int = -1

    def __call__(self, waiting: Iterable[Partition]) -> None:
        """Raise Blocked as `refuse_lacking`; the first looks of a wait cost nothing."""
        now = self.world.clock.monotonic_ms()
        due = self.next_ms >= 0 and now >= self.next_ms
        if due or self.next_ms < 0:
            self.next_ms = now + _AFTER_MS
        if due:
            refuse_lacking(self.world, self.migration, [self.lane])


def _concerns(need: Need, lane: Lane) -> bool:
    """Whether it is a right of the lane's mirror, and none about another lane."""
    if need.who != (MIRROR_BACK if lane.direction == "reverse" else MIRROR):
        return False
    names = names_of(lane)
    own = (names.configs, names.offsets, names.status, names.connector_offsets(lane), names.offset_syncs(lane))
    return need.right.resource != "topic" or need.right.name in {*lane.topics, *own}


def _in_words(right: Right) -> str:
    begins = "…" if right.pattern == "prefix" else ""
    return f"{right.operation} {right.resource} {right.name}{begins}"


def refuse_forbidden(world: World, wanted: Iterable[Grant]) -> None:
    """Raise Blocked with every right that the place of the resources does not give us, and the rules that do."""
    missing = world.resources.lacking(wanted)
    if missing:
        rules = "\n".join(map(rule_line, missing))
        raise Blocked(
            f"kmigrate may not {'; '.join(map(told, missing))}",
            hint=f"add this to the Role that `kmigrate plan --rights` prints, and run the same command again:\n{rules}",
        )
