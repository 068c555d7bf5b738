"""drain-mirror: all that the stopped groups have read stands on the other side, and all of what changes its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kmigrate.errors import VerifyFailed
from kmigrate.manifests.mirror import STOPPED
from kmigrate.model import Json, JsonObject, Lane, Migration, Partition, Side
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.answering import answers
from kmigrate.probes.drain import Watch, await_copies, still_copied, unwatched
from kmigrate.probes.foreign import keep
from kmigrate.probes.lacking import Sentry
from kmigrate.probes.ownership import SEAMS, origin, read_seams
from kmigrate.probes.topic_drain import await_topic_drain
from kmigrate.steps.cutover.move import (
    BOUNDS,
    DRAINED,
    LAST,
    MoveStep,
    furthest,
    held,
    left_behind,
    read_offsets,
    read_partitions,
    write_offsets,
)
from kmigrate.steps.cutover.stray_records import look_for_strays
from kmigrate.steps.feeding import feeds
from kmigrate.steps.lanes import ask_to_stop, asked_state, start_again, start_lane
from kmigrate.steps.ownership import feed_as_owned, give_again, take_beforehand
from kmigrate.world import World

_UNDO_MS = 120_000
"""What a lane that was stopped may take to run again."""


@dataclass(frozen=True, kw_only=True)
class DrainMirror(MoveStep):
    """Write down where the groups stopped, then wait until the last record each had before that is copied.

    Lanes of what changes its owner are drained to the end, and asked to stop then, and the target's operator is asked
    to take their right to write: by the time the positions are carried, both may be done.
    """

    name: ClassVar[str] = "drain-mirror"
    title: ClassVar[str] = "Wait until the mirror has copied all that was read"
    mend: ClassVar[str] = "see what soak says of the side that was left: a group moved there, or copies are missing"

    migration: Migration | None = field(default=None, repr=False)
    """Kept out of the fingerprint as in `ready`."""

    def check(self, world: World) -> Finding:
        """Missing when nothing is written down yet, when a group stands elsewhere by now, or when a copy is missing."""
        if not self._stopped_there(world):
            groups = f"positions of group {', '.join(sorted(reads.group for reads in self.app.reads))}"
            told = groups if self.app.reads else f"the ends of {', '.join(self.app.writes)}"
            return Finding(changes=(Change(action=Action.WAIT, subject="mirror", detail=told), *self._stops(world)))
        late = self._late(world)
        told = ", ".join(map(str, (*late, *self._undrained(world))))
        wait = (Change(action=Action.WAIT, subject="mirror", detail=told),) if told else ()
        return Finding(changes=(*wait, *self._stops(world)))

    def _stops(self, world: World) -> tuple[Change, ...]:
        """A lane has no more to do once all is drained; from the seam on the hand-over sees to it."""
        if read_seams(world.ledger.get(SEAMS)):
            return ()
        running = [lane.name for plan, lane in self._feeding if asked_state(world, plan.target, lane) != STOPPED]
        told = "asked for, and waited for by the hand-over"
        return tuple(Change(action=Action.STOP, subject=f"lane {name}", detail=told) for name in running)

    @property
    def _feeding(self) -> tuple[tuple[Migration, Lane], ...]:
        """The lanes that copy what the move writes to the side entered."""
        plan = self.migration
        return tuple((plan, lane) for lane in self.writing_lanes(self.leaving) if plan is not None)

    def _stopped_there(self, world: World) -> bool:
        """Whether it was drained up to where the groups stand by now.

        Before that nobody is asked: groups that still work in transactions hardly ever stand still.
        """
        drained, bounds = world.ledger.get(LAST), read_offsets(world.ledger.get(BOUNDS))
        return drained is not None and bounds == left_behind(world, self.leaving, self.app)

    def apply(self, world: World) -> None:
        """The bound goes to disk before anything relies on it."""
        with self.within_budget(world, self.policy.drain_deadline_ms) as deadline_ms:
            self._drain(world, deadline_ms)

    def _drain(self, world: World, deadline_ms: int) -> None:
        self._feed(world, deadline_ms)
        look_for_strays(world, self)
        bounds = held(world, self.leaving, self.app)
        if world.ledger.get(LAST) is not None:
            world.ledger.put(LAST, None)  # it belongs to the bounds before these
        world.ledger.put(BOUNDS, write_offsets(bounds))
        # a partition is copied in order: what the others have read lies before the furthest's reach
        reach, last = furthest(bounds), dict[Partition, int]()
        end = world.clock.monotonic_ms() + deadline_ms
        # what is drained down to its end is not drained up to a group's place as well
        for lane, part in self.by_lane(world, {p: at for p, at in reach.items() if p.topic not in self.app.writes}):
            what = f"copies of what group {', '.join(bounds)} has read"
            left = max(0, end - world.clock.monotonic_ms())
            watch = self._watch(world, lane)
            last |= await_copies(world, self.leaving, part, lane, what=what, deadline_ms=left, watch=watch).last
        last |= self._drain_topics(world, max(0, end - world.clock.monotonic_ms()))
        world.ledger.put(LAST, {str(p): offset for p, offset in sorted(last.items()) if p in reach})
        for plan, lane in self._feeding:  # it takes a moment, in which the positions are carried
            ask_to_stop(world, plan.target, lane)
        for plan in self._taking:
            take_beforehand(world, plan, self.app.writes)

    def _watch(self, world: World, lane: Lane) -> Watch:
        """A mirror that lost its right to read goes on to say RUNNING, and would be waited for until time is up."""
        return unwatched if self.migration is None else Sentry(world, self.migration, lane)

    def _undrained(self, world: World) -> tuple[Partition, ...]:
        """What is to change its owner and ends elsewhere than it was drained to; nothing once it was handed over."""
        if not self.app.writes or read_seams(world.ledger.get(SEAMS)):
            return ()
        drained = read_partitions(world.ledger.get(DRAINED))
        ends = world.cluster(self.leaving).ends(self.written(world), committed=False)
        return tuple(sorted(p for p, end in ends.items() if drained.get(p) != end))

    def _feed(self, world: World, deadline_ms: int) -> None:
        """A move that was cut short before its `turn-mirror` left nobody who copies what came since.

        One that has to be drained once more had asked its lane to stop. From the seam on it may not run: then the other
        side owns what it would write there.
        """
        drained = self._stopped_there(world) and not self._undrained(world)
        if drained or read_seams(world.ledger.get(SEAMS)):
            return
        for plan, lane in self._feeding:
            fed = feeds(world, plan.target, lane)
            if fed and asked_state(world, plan.target, lane) != STOPPED:
                continue
            self._give_again(world)
            if fed:
                start_lane(world, plan.target, lane, deadline_ms)
            else:
                feed_as_owned(world, plan, lane, deadline_ms)

    @property
    def _taking(self) -> tuple[Migration, ...]:
        """The plan, where the target's mirror loses its right to write: of a move that takes topics there."""
        plan = self.migration if self.entering is Side.TARGET and self.app.writes else None
        return () if plan is None else (plan,)

    def _give_again(self, world: World, *, awaited: bool = True) -> None:
        for plan in self._taking:
            give_again(world, plan, awaited=awaited)

    def _drain_topics(self, world: World, deadline_ms: int) -> dict[Partition, int]:
        """Of what changes its owner everything up to the end, which stands still under the fence; the last records."""
        end = world.clock.monotonic_ms() + deadline_ms
        ends, last = dict[Partition, int](), dict[Partition, int]()
        for lane in self.writing_lanes(self.leaving):
            topics = set(lane.topics) & set(self.app.writes)
            left = max(0, end - world.clock.monotonic_ms())
            watch = self._watch(world, lane)
            drained = await_topic_drain(world, self.leaving, topics, lane, left, self.bears_foreign, watch)
            keep(world, self.entering, drained.foreign)
            ends |= drained.left
            last |= drained.last
        if self.app.writes:
            world.ledger.put(DRAINED, {str(p): at for p, at in sorted(ends.items())})
        return last

    def verify(self, world: World) -> Json:
        """Every copy was found among the records of the other side; Connect's offsets must say the same."""
        late = self._late(world)
        if late:
            raise VerifyFailed(
                f"Connect's offsets say that {', '.join(map(str, late))} is not copied, though the records were found",
                hint="look whether two mirrors write the same topic, then run this again",
            )
        return {"partitions": len(read_partitions(world.ledger.get(LAST)))}

    def undo(self, world: World, before: JsonObject) -> None:
        """The lane that was asked to stop runs again; else nothing was changed but the ledger, which only grows."""
        there = self.entering is Side.SOURCE or answers(world, Side.TARGET)
        self._give_again(world, awaited=there)
        for plan, lane in self._feeding:
            if asked_state(world, plan.target, lane) == STOPPED:
                start_again(world, plan.target, lane, _UNDO_MS, answers=there)

    def _late(self, world: World) -> tuple[Partition, ...]:
        """Of a topic that the other side owns every record here is itself a copy, so there is nothing to be copied."""
        last = self.by_lane(world, read_partitions(world.ledger.get(LAST)))
        mine = [(lane, part) for lane, part in last if origin(lane) is self.leaving]
        return tuple(p for lane, part in mine for p in still_copied(world, part, lane))
