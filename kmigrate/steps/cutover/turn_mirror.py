"""turn-mirror: what is written on the side entered is copied to the side left, so that the way back stays open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kmigrate.errors import VerifyFailed
from kmigrate.model import Json, JsonObject, Lane, Migration
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.arming import begins
from kmigrate.probes.lacking import Sentry
from kmigrate.steps.carried import is_released
from kmigrate.steps.cutover.move import MoveStep
from kmigrate.steps.feeding import (
    await_first_copies,
    begin_as_it_must,
    begins_as_it_must,
    feeds,
    last_copied,
)
from kmigrate.steps.lanes import asked_reset
from kmigrate.steps.ownership import feed_as_owned, wrong_rights
from kmigrate.world import World

_DEADLINE_MS = 120_000


@dataclass(frozen=True, kw_only=True)
class TurnMirror(MoveStep):
    """Arm the lanes the other way at the seam, let them write, start them; the application works, so nobody waits.

    A lane is armed once, while it is stopped: set back later it would copy again what it has copied (design §4.4).
    """

    name: ClassVar[str] = "turn-mirror"
    title: ClassVar[str] = "Copy what is written now to the side that was left"
    mend: ClassVar[str] = "set the lane's state to running again in its resource; until it runs, the way back waits"
    one_way: ClassVar[str] = "the application writes on the other side already, and the way back has to be fed"

    migration: Migration = field(repr=False)

    def check(self, world: World) -> Finding:
        """Missing: lanes that are not armed by the ledger, may not write, do not run, or would begin anew.

        Nothing once the way back is closed: nobody need feed it any more.
        """
        late = [lane for lane in self._lanes if not (is_released(world) or self._turned(world, lane))]
        changes = [
            Change(action=Action.START, subject=f"lane {lane.name}", detail=f"{self.entering} → {self.leaving}")
            for lane in late
        ]
        return Finding(changes=tuple(changes))

    def apply(self, world: World) -> None:
        """Arm, write down that it was, start, and wait until something was copied where something was written."""
        for lane in self._lanes:
            feed_as_owned(world, self.migration, lane, _DEADLINE_MS)
            begin_as_it_must(world, self.migration.target, lane, _DEADLINE_MS)
        for lane in self._lanes:
            await_first_copies(world, lane, _DEADLINE_MS, Sentry(world, self.migration, lane))

    def verify(self, world: World) -> Json:
        """No lane stands before the seam, by Connect's own word, and none is in trouble.

        Where it begins without an offset is read back.
        """
        super().verify(world)
        for lane in self._lanes:
            self._beyond(world, lane)
        return {lane.name: self._told(world, lane) for lane in self._lanes}

    def undo(self, world: World, before: JsonObject) -> None:
        """Never called: `one_way` says why; the move the other way stops the lanes."""

    @property
    def _lanes(self) -> tuple[Lane, ...]:
        return self.writing_lanes(self.entering)

    def _turned(self, world: World, lane: Lane) -> bool:
        target = self.migration.target
        wrong = wrong_rights(world, self.migration, lane.topics)
        return feeds(world, target, lane) and begins_as_it_must(world, target, lane) and not wrong

    def _told(self, world: World, lane: Lane) -> Json:
        reset = asked_reset(world, self.migration.target, lane)
        return {"partitions": len(begins(world, lane)), "without an offset": reset}

    def _beyond(self, world: World, lane: Lane) -> None:
        copied, trouble = world.mirror.copied(lane), world.mirror.trouble(lane)
        before = [p for p, last in last_copied(world, lane).items() if copied.get(p, last) < last]
        if before or trouble:
            told = "; ".join(trouble) or f"it copies {before[0]} from before the hand-over on"
            raise VerifyFailed(
                f"lane {lane.name} does not feed the {self.leaving} as it must: {told}",
                hint="look at `kmigrate status`; while it stands still, the way back waits for it",
            )
