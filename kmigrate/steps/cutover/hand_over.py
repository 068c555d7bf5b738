"""hand-over-topics: the topics that the move writes change their owner, in the one order that loses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kmigrate.model import Json, JsonObject, Lane, Migration, OffsetRange, Partition, Side
from kmigrate.plan import Action, Change, Finding
from kmigrate.positions import Seam
from kmigrate.probes.answering import answers
from kmigrate.probes.foreign import foreign_write, strays
from kmigrate.probes.ownership import SEAMS, read_seams, write_seams
from kmigrate.probes.topic_drain import await_settled
from kmigrate.steps.cutover.move import DRAINED, MoveStep, read_partitions
from kmigrate.steps.lanes import lane_state, stop_lane
from kmigrate.steps.ownership import forward_rights, reverse_rights, set_rights, wrong_rights
from kmigrate.world import World

_DEADLINE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class HandOverTopics(MoveStep):
    """Stop the mirror that feeds the side entered, read both ends again, write the seam down, take its right to write.

    The order is the rule (design §4.2): nothing may write on the side entered before the seam is on disk. The mirror
    the other way is given its right once it is armed (`TurnMirror`).
    """

    name: ClassVar[str] = "hand-over-topics"
    title: ClassVar[str] = "Hand the topics over"
    mend: ClassVar[str] = (
        "kmigrate history tells who owns what; set the state of a lane that was left to stopped in its resource, "
        "put rights back as they were, and see who changed them"
    )

    migration: Migration = field(repr=False)

    def check(self, world: World) -> Finding:
        """Missing: the seam in the ledger, a lane that is not stopped, rights of the other owner."""
        changes: list[Change] = []
        rights = wrong_rights(world, self.migration, self.app.writes)
        if read_seams(world.ledger.get(SEAMS)).keys() != self.written(world):
            told = f"{self.leaving} → {self.entering}"
            changes.append(Change(action=Action.CHANGE, subject=f"owner of {', '.join(self.app.writes)}", detail=told))
            taken = forward_rights() if self.entering is Side.TARGET else reverse_rights(self.migration)
            rights = tuple(dict.fromkeys((*rights, taken)))
        changes += [
            Change(action=Action.STOP, subject=f"lane {lane.name}")
            for lane in self.feeding
            if not lane_state(world, self.migration.target, lane).stopped
        ]
        changes += [Change(action=Action.CHANGE, subject=told) for told in rights]
        return Finding(changes=tuple(changes))

    def apply(self, world: World) -> None:
        """Stop, look again, write down, take; a second time only what is missing is done."""
        with self.within_budget(world, _DEADLINE_MS) as deadline_ms:
            for lane in self.feeding:
                stop_lane(world, self.migration.target, lane, deadline_ms)
            if read_seams(world.ledger.get(SEAMS)).keys() != self.written(world):
                world.ledger.put(SEAMS, write_seams(self._seams(world, deadline_ms)))
            set_rights(world, self.migration, self.app.writes)

    def verify(self, world: World) -> Json:
        """Where each partition changed hands."""
        super().verify(world)
        return world.ledger.get(SEAMS)

    def undo(self, world: World, before: JsonObject) -> None:
        """Nobody has written on the side entered yet: the owner is who it was; its lane stays as it had stopped.

        While the target does not answer, its operator is asked for the rights and not waited for.
        """
        world.ledger.put(SEAMS, None)
        awaited = self.entering is Side.SOURCE or answers(world, Side.TARGET)
        set_rights(world, self.migration, self.app.writes, awaited=awaited)

    def _seams(self, world: World, deadline_ms: int) -> dict[Partition, Seam]:
        """Both ends, once no task of the mirror runs; raises ForeignWrite where a record came since."""
        drained = read_partitions(world.ledger.get(DRAINED))
        left = await_settled(world, self.leaving, self.app.writes, deadline_ms, before=drained)
        moved = {p: OffsetRange(start=drained.get(p, end), end=end) for p, end in left.items() if drained.get(p) != end}
        if moved:
            raise foreign_write(world, self.leaving, strays(world, self.leaving, moved), self.ours)
        entered = await_settled(world, self.entering, self.app.writes, deadline_ms)
        return _seams(self.entering, left, entered)

    @property
    def feeding(self) -> tuple[Lane, ...]:
        """The lanes that copy the topics to the side entered."""
        return self.writing_lanes(self.leaving)


def _seams(owner: Side, left: Mapping[Partition, int], entered: Mapping[Partition, int]) -> dict[Partition, Seam]:
    source, target = (left, entered) if owner is Side.TARGET else (entered, left)
    return {p: Seam(owner=owner, source=source[p], target=target[p]) for p in left}
