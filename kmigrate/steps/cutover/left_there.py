"""Positions that an undoing could not take back, since the target did not answer: known until others are put there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kmigrate.errors import Blocked
from kmigrate.model import Json, JsonObject, Partition, Side
from kmigrate.plan import LEFT
from kmigrate.steps.cutover.move import MoveStep, read_partitions
from kmigrate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Of one group: where it was put, and what it held there before."""

    put: Mapping[Partition, int]
    before: Mapping[Partition, int]

    def stands(self, held: Mapping[Partition, int]) -> bool:
        """Whether the group stands just as it was put."""
        return held == {**self.before, **self.put}

    def places(self, partition: Partition) -> tuple[int, ...]:
        """Where it may stand as long as nobody knows whether it was put there."""
        return tuple(dict.fromkeys(of[partition] for of in (self.put, self.before) if partition in of))

    def was_read(self, partition: Partition, at: int, *, sure: bool) -> bool:
        """Whether somebody has read on: it is past where it surely was put; or, where not `sure`, at neither place."""
        return at > self.put.get(partition, at) if sure else at not in self.places(partition)


def left_there(world: World, side: Side) -> dict[str, Left]:
    """What was left on that side by any attempt, by group; none of what was put anew since. It is ever the target."""
    found: dict[str, Left] = {}
    for fact in world.ledger.by_unit(LEFT).values() if side is Side.TARGET else ():
        for group, told in fact.items() if isinstance(fact, Mapping) else ():
            found.pop(group, None)
            if isinstance(told, Mapping):
                found[group] = _left(told)
    return found


def write_left(left: Mapping[str, Left]) -> Json:
    """As the ledger keeps it."""
    return {group: {"put": _told(of.put), "before": _told(of.before)} for group, of in left.items()}


def read_left(fact: Json) -> dict[str, Left]:
    """What `write_left` wrote; empty when the fact is not there yet."""
    told = fact.items() if isinstance(fact, Mapping) else ()
    return {group: _left(of) for group, of in told if isinstance(of, Mapping)}


def refuse_read_since(world: World, step: MoveStep) -> None:
    """Raise Blocked where somebody has read on the target from a position that was left there."""
    ours = {reads.group for reads in step.app.reads}
    put = {group: left.put for group, left in left_there(world, step.entering).items() if group in ours}
    for group, there in world.groups(step.entering).positions(put).items():
        past = [p for p, at in there.items() if at is not None and at > put[group][p]]
        if past:
            raise Blocked(
                f"somebody has read on the {step.entering} with group {group}, where an attempt that was undone "
                f"had put it: {past[0]} from {put[group][past[0]]} to {there[past[0]]}; those were given twice",
                hint=f"find out who, and stop it; then remove group {group} there: "
                f"kafka-consumer-groups.sh --delete --group {group}",
            )


def _left(told: JsonObject) -> Left:
    return Left(put=read_partitions(told.get("put")), before=read_partitions(told.get("before")))


def _told(offsets: Mapping[Partition, int]) -> Json:
    return {str(p): at for p, at in sorted(offsets.items())}
