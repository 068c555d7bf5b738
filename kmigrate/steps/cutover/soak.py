"""soak: for a while it goes well on the side entered, and nobody comes back to the side left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kmigrate.errors import Blocked, StillUnderWay, VerifyFailed
from kmigrate.model import Json, JsonObject, Migration, Partition
from kmigrate.plan import Action, Change, Finding
from kmigrate.probes.access import refusals
from kmigrate.probes.content import about_size
from kmigrate.probes.counterparts import Compared, Cursor, compare, compared, read_cursors, write_cursors
from kmigrate.probes.foreign import Foreign, keep, kept, named, unaccepted, ways_on
from kmigrate.probes.groups import running_groups
from kmigrate.probes.ownership import SEAMS, read_seams
from kmigrate.probes.unmarked import records_after
from kmigrate.steps.carried import is_released
from kmigrate.steps.cutover.move import (
    BEGAN,
    BOUNDS,
    MoveStep,
    held,
    left_behind,
    passed_ms,
    read_offsets,
    read_partitions,
    write_offsets,
)
from kmigrate.steps.lanes import started_by_mistake
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

FROM = "soak_from"
"""Where the groups stood on the side entered when the watch began."""
TIME = "soak_time_ms"
"""How long is watched: what the plan file said when the watch began holds for it, also once it is sealed."""
LOOKED = "looked"
"""What comparing both sides took so far: looks, copies seen, records read on both sides, and time (ms)."""
OVER = "soak_over"
"""When the whole time had been watched and all was well (epoch ms): a clock set later does not take that back."""
COPIED = "soak_copied"
"""What the lanes back had copied when the watch began."""
_PATIENCE_MS = 60_000
_MOMENT_MS = 10_000
"""What a record may take to be read and copied on the side entered."""


@dataclass(frozen=True, kw_only=True)
class Soak(MoveStep):
    """Watch for the soak time: the groups left behind stay Empty and unmoved, and the application goes on reading.

    A position that moves stays moved, so a look at the end also tells of what happened while nobody watched.
    """

    name: ClassVar[str] = "soak"
    title: ClassVar[str] = "Watch that it goes well, and that nobody comes back to the side left"

    migration: Migration | None = field(default=None, repr=False)
    """Given where the move writes; kept out of the fingerprint as in `ready`."""

    def check(self, world: World) -> Finding:
        """Missing until the time is over and all is well then; raises VerifyFailed for a reader on the side left.

        Raises Blocked for a foreign record that is known there: the application works on the side entered, so the move
        holds. A new one is something missing, too, since whoever applies it writes it down first.
        """
        told = f"{max(0, self._remaining(world)) / 1000:.0f} s"
        if self._remaining(world) <= 0:
            self._no_lane_back(world)
            known, new = kept(world, self.leaving), compare(world, self.leaving, self._cursors(world)).foreign
            if not new:
                self._refuse(world, known)
            self._nobody_came_back(world)
            if not (new or self._late(world)):
                return Finding()
            told = named(world, self.leaving, dict.fromkeys((*known, *new)), self.ours) if new else told
        change = Change(action=Action.WAIT, subject=f"{self.app.name} on the {self.entering}", detail=told)
        return Finding(changes=(change,))

    def apply(self, world: World) -> None:
        """Watch for what is left of the time; it may end a little late, when an instance starts anew meanwhile."""
        if world.ledger.get(FROM) is None:
            world.ledger.put(FROM, write_offsets(held(world, self.entering, self.app, stable=False)))
        if self.app.writes and world.ledger.get(self._far) is None:
            world.ledger.put(self._far, write_cursors(self._from(world)))
        if self.app.writes and world.ledger.get(COPIED) is None:
            world.ledger.put(COPIED, {str(p): at for p, at in sorted(self._copied(world).items())})
        began = world.ledger.get(BEGAN)
        if not isinstance(began, int) or began > world.clock.now_ms():  # or somebody has set the clock back
            world.ledger.put(TIME, self.policy.soak_ms)
            world.ledger.put(BEGAN, world.clock.now_ms())
        wait_until(
            lambda: self._look_and_keep(world),
            what=f"watching {self.app.name} on the {self.entering}",
            clock=world.clock,
            reporter=world.reporter,
            deadline_ms=max(0, self._remaining(world)) + _PATIENCE_MS,
            every_ms=200,
            slowest_ms=min(5_000, max(200, self._time(world) // 10)),
        )
        world.ledger.put(OVER, world.clock.now_ms())

    def verify(self, world: World) -> Json:
        """How long it was watched, and how many records each group went on by."""
        self._look_again(world)
        start = read_offsets(world.ledger.get(FROM))
        now = held(world, self.entering, self.app, stable=False)
        return {
            "soak_ms": self._time(world),
            "compared": self._told(world) if self.app.writes else None,
            "advanced": {group: sum(now[group][p] - at for p, at in of.items()) for group, of in start.items()},
        }

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed; the next watch begins anew."""
        for fact in (BEGAN, FROM, TIME, self._far, LOOKED, COPIED, OVER):
            world.ledger.put(fact, None)

    @property
    def _far(self) -> str:
        return compared(self.leaving)

    def _remaining(self, world: World) -> int:
        if world.ledger.get(OVER) is not None:
            return 0
        began = world.ledger.get(BEGAN)
        return self._time(world) - (passed_ms(world, began) if isinstance(began, int) else 0)

    def _time(self, world: World) -> int:
        begun_with = world.ledger.get(TIME)
        return begun_with if isinstance(begun_with, int) else self.policy.soak_ms

    def _look_and_keep(self, world: World) -> Ready[None] | NotYet:
        """What was compared is not compared again, also by another process; what is foreign is on disk before."""
        before, began = self._cursors(world), world.clock.monotonic_ms()
        seen = compare(world, self.leaving, before)
        if seen.foreign:
            keep(world, self.leaving, seen.foreign)
            world.reporter.note(f"on the {self.leaving} alone: {', '.join(map(str, seen.foreign))}")
        if seen.cursors != before:
            world.ledger.put(LOOKED, self._effort(world, seen, world.clock.monotonic_ms() - began))
            world.ledger.put(self._far, write_cursors(seen.cursors))
        self._refuse(world, kept(world, self.leaving))
        return self._look(world)

    def _look(self, world: World) -> Ready[None] | NotYet:
        self._no_lane_back(world)
        self._nobody_came_back(world)
        trouble, left = self._trouble(world), self._remaining(world)
        if left > 0:
            return NotYet(trouble or f"all is well, {left / 1000:.0f} s left")
        late = trouble or self._stands_still(world)
        return NotYet(late) if late else Ready(None)

    def _from(self, world: World) -> dict[Partition, Cursor]:
        known = read_seams(world.ledger.get(SEAMS))
        return {p: Cursor(left=seam.at(self.leaving), entered=seam.at(self.entering)) for p, seam in known.items()}

    def _cursors(self, world: World) -> dict[Partition, Cursor]:
        return read_cursors(world.ledger.get(self._far)) or self._from(world)

    def _look_again(self, world: World) -> None:
        """What came since the last look bars it only where nobody took that on: it is written down by the next."""
        new = compare(world, self.leaving, self._cursors(world)).foreign
        self._refuse(world, (*kept(world, self.leaving), *new))
        self._nobody_came_back(world)
        late = self._late(world) or self._refused(world)
        if late or self._remaining(world) > 0:
            raise VerifyFailed(f"{self.name}: {late or 'it is not over'}", hint="the same command again watches on")

    def _late(self, world: World) -> str:
        """What is not well, a moment later either: a record of just now need not be read and copied yet.

        A partition may have been given its first record since the watch began right after the last look of it.
        """

        def look() -> Ready[str] | NotYet:
            late = self._trouble(world) or self._stands_still(world)
            return NotYet(late) if late else Ready("")

        what, clock, reporter = f"{self.app.name} on the {self.entering}", world.clock, world.reporter
        try:
            return wait_until(look, what=what, clock=clock, reporter=reporter, deadline_ms=_MOMENT_MS)
        except StillUnderWay as late:
            return late.message

    def _refuse(self, world: World, found: tuple[Foreign, ...]) -> None:
        bad = unaccepted(found, self.bears_foreign)
        if bad:
            raise Blocked(
                f"{named(world, self.leaving, bad, self.ours)}; {self.app.name} works on the {self.entering}: it holds",
                hint=f"stop that client, then {ways_on(bad)}; or kmigrate rollback --app {self.app.name}",
            )

    def _effort(self, world: World, seen: Compared, ms: int) -> Json:
        before = world.ledger.get(LOOKED)
        known = before if isinstance(before, Mapping) else {}
        now = {"looks": 1, "copies": seen.records, "read": seen.read, "ms": ms}
        return {name: int(str(known.get(name, 0))) + count for name, count in now.items()}

    def _told(self, world: World) -> Json:
        """How far it was looked, what that took, and what was met; bytes by the mean of a sample, uncompressed."""
        effort = world.ledger.get(LOOKED)
        told = effort if isinstance(effort, Mapping) else {}
        size = about_size(world, self.entering, self._cursors(world), int(str(told.get("read", 0))))
        foreign = [str(each) for each in kept(world, self.leaving)]
        gone = [str(p) for p in compare(world, self.leaving, self._cursors(world)).gone]
        more: JsonObject = {"not compared, retention took records": gone} if gone else {}
        return {**told, "bytes": size, "foreign": foreign, "up to": write_cursors(self._cursors(world)), **more}

    def _no_lane_back(self, world: World) -> None:
        """Both mirrors at once would copy each other's copies; only that the one has no right keeps it from that."""
        target = self.migration.target if self.migration is not None else None
        wrong = [started_by_mistake(world, target, lane) for lane in self.writing_lanes(self.leaving) if target]
        told = [each for each in wrong if each]
        if told:
            raise VerifyFailed(
                f"{'; '.join(told)}: the {self.entering} owns what it copies to",
                hint="see who started it, and set its state to stopped again in its resource; a move that is still "
                "watched does that itself when the same command is run again",
            )

    def _nobody_came_back(self, world: World) -> None:
        running = running_groups(world, self.leaving, self.app)
        left = read_offsets(world.ledger.get(BOUNDS))
        moved = {g: _moved(left.get(g, {}), now) for g, now in left_behind(world, self.leaving, self.app).items()}
        told = [f"group {group} has readers there ({state})" for group, state in running.items()]
        told += [f"group {group} was moved there: {what}" for group, what in moved.items() if what]
        if told:
            raise VerifyFailed(
                f"{self.app.name} left the {self.leaving}, and somebody came back to it: {'; '.join(told)}",
                hint="find out who reads there and stop it; what it read was given twice",
            )

    def _trouble(self, world: World) -> str:
        """What is not well on the side entered, in words; empty when all is."""
        view = world.workload(*self.app.members).look()
        if not view.running or world.side_of(view.bootstrap) is not self.entering:
            return f"no instance of {self.app.name} runs on the {self.entering}"
        groups = world.groups(self.entering).describe(reads.group for reads in self.app.reads)
        absent = [name for name, group in groups.items() if not group.members]
        if absent:
            return f"group {', '.join(absent)} has no members"
        stuck = self._stuck(world)
        return f"group {', '.join(stuck)} has records to read, and does not go on" if stuck else ""

    def _refused(self, world: World) -> str:
        """What the application's own credential is refused there by now: whoever has work in hand notices later."""
        access = world.access(self.entering)
        return "; ".join(refusals({name: access.try_out(name) for name in self.app.members}))

    def _stands_still(self, world: World) -> str:
        """A lane back that runs, says nothing, and copies nothing while it is behind: its client swallows errors."""
        now = {} if is_released(world) else self._copied(world)
        same = {p: at + 1 for p, at in read_partitions(world.ledger.get(COPIED)).items() if now.get(p) == at}
        ahead = records_after(world.cluster(self.entering), same) if same else {}
        late = sorted(p for p, records in ahead.items() if records)
        return f"the mirror back copies nothing of {', '.join(map(str, late))}, which has records" if late else ""

    def _copied(self, world: World) -> dict[Partition, int]:
        written = set(self.app.writes)
        every = [world.mirror.copied(lane) for lane in self.writing_lanes(self.entering)]
        return {p: at for copied in every for p, at in copied.items() if p.topic in written}

    def _stuck(self, world: World) -> list[str]:
        now = held(world, self.entering, self.app, stable=False)
        still = {g: of for g, of in read_offsets(world.ledger.get(FROM)).items() if of == now.get(g)}
        cluster = world.cluster(self.entering)
        return [group for group, of in still.items() if any(records_after(cluster, of).values())]


def _moved(left: Mapping[Partition, int], now: Mapping[Partition, int]) -> str:
    return ", ".join(f"{p} from {left.get(p)} to {at}" for p, at in sorted(now.items()) if left.get(p) != at)
