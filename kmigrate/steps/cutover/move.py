"""What the steps of a move share: their fields, and the facts they leave each other in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from kmigrate.errors import Blocked, ForeignWrite, Overrun, StillUnderWay
from kmigrate.manifests.lanes import other_way
from kmigrate.model import Application, Json, Lane, Partition, Policy, Side
from kmigrate.plan import HELD, Step
from kmigrate.probes.groups import every_position_held, partitions_read, running_groups
from kmigrate.probes.ownership import owners
from kmigrate.probes.pauses import way_back
from kmigrate.probes.topic_drain import partitions_of
from kmigrate.probes.uncommitted import Bar
from kmigrate.world import World

BOUNDS = "bounds"
"""Where each group stood on the side left once it was stopped: group → partition → next offset to read."""
LAST = "last"
"""The last record each group had before it: partition → offset on the side left."""
POSITIONS = "positions"
"""Where each group was put on the side entered: group → partition → offset, grade and reason."""
PUT = "put"
"""Written before positions are: where each group is about to be put, or taken from, and where it stood before."""
DRAINED = "drained"
"""Where each partition that changes its owner ended on the side left once its writers were fenced."""
CLOCK_STARTED = "pause_started_ms"
COMMITTED = "committed"
"""The bounds whose positions were committed and read back: from then on a group may stand past them, never before.
Without it a group stands at either of the places of PUT, or somebody has read with it."""
BEGUN = "begun_ms"
"""When the application was about to be started on the side entered: from then on no position is written there."""
BEGAN = "soak_began_ms"
"""When the watch began: it goes on with what is left of its time, also in another process."""
PAUSE = "pause_ms"
STOPPED = "stopped_ms"
"""When the groups were Empty: until then the application's own stopping took its part of the pause."""
PARTS = "pause_parts"
"""Both parts of the pause: the application's own stopping and starting, and what kmigrate did between."""
BACK_DEADLINE_MS = 600_000
"""How long going back waits for the application's own programs, or for a human: there is nothing better to do."""


def passed_ms(world: World, since: int) -> int:
    """Milliseconds since then, by the wall clock; none where somebody has set that back meanwhile."""
    return max(0, world.clock.now_ms() - since)


@dataclass(frozen=True, kw_only=True)
class MoveStep(Step):
    """The fields of every step of a move; `ours` are the principals (`User:…`) of kmigrate and its mirror.

    `bears_aborted` names the groups that may see aborted copies, `bears_foreign` topics whose foreign records may be
    passed. Both are kept out of the fingerprint: a human may accept that while the move is under way.
    """

    app: Application
    leaving: Side
    lanes: tuple[Lane, ...]
    policy: Policy
    ours: tuple[str, ...] = ()
    bears_aborted: frozenset[str] = field(default=frozenset(), repr=False)
    bears_foreign: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def bar(self) -> Bar:
        """What positions must be to go on with them."""
        borne = {"bears_aborted": self.bears_aborted, "bears_foreign": self.bears_foreign}
        return Bar(minimum=self.policy.minimum_grade, **borne)

    def by_lane(self, world: World, offsets: Mapping[Partition, int]) -> tuple[tuple[Lane, dict[Partition, int]], ...]:
        """Offsets split by the lane in force, which copies from their topic's owner; none for a lane without any."""
        owner = owners(world, {p.topic for p in offsets})
        every = [(lane, side) for lane in self.lanes for side in Side]
        split = (
            (
                lane if side is Side.SOURCE else other_way(lane),
                {p: at for p, at in offsets.items() if p.topic in lane.topics and owner[p.topic] is side},
            )
            for lane, side in every
        )
        return tuple((lane, of) for lane, of in split if of)

    def writing_lanes(self, origin: Side) -> tuple[Lane, ...]:
        """The lanes that copy from that side what the move writes."""
        ours = [lane for lane in self.lanes if not set(lane.topics).isdisjoint(self.app.writes)]
        return tuple(lane if origin is Side.SOURCE else other_way(lane) for lane in ours)

    def written(self, world: World) -> frozenset[Partition]:
        """Every partition of the topics that the move writes."""
        return frozenset(partitions_of(world, self.leaving, self.app.writes))

    @property
    def entering(self) -> Side:
        """The side the application runs on afterwards."""
        return self.leaving.other

    def pointed_to(self, world: World) -> Side | None:
        """Where the settings point; None when they disagree: a switch that was cut short is done again.

        Raises Blocked for an address that is neither side's.
        """
        address = world.workload(*self.app.members).look().bootstrap
        side = world.side_of(address)
        if address and side is None:
            raise Blocked(
                f"{self.app.name} points to {address}, which is neither the source nor the target",
                hint="point it to one of them, or correct its workloads in the plan file",
            )
        return side

    def left_ms(self, world: World) -> int:
        """What the pause may still take (ms), the way back taken off (`pauses.way_back`); below 0 once it is used up.

        All of it again once the pause is over: whatever is done later makes nobody stand still.
        """
        if world.ledger.get(PAUSE) is not None:
            return self.policy.max_pause_ms
        started, most = world.ledger.get(CLOCK_STARTED), self.policy.max_pause_ms
        spent = passed_ms(world, started) if isinstance(started, int) else 0
        back = way_back(world.ledger, self.app, self.leaving, self.policy).ms or 0
        return most - back - spent

    @contextmanager
    def within_budget(self, world: World, most_ms: int) -> Iterator[int]:
        """Work between the stop and the start; gives the deadline (ms) of a wait in it: what is left of the pause.

        Raises Overrun when that is used up; Blocked instead where the move shall hold: by policy, and on the way back,
        since nobody goes back to a side that was left for a reason without being told to. Once it held, or once the
        pause is over, nothing bounds it: then a wait may take `most_ms`, and the same command goes on with it.
        """
        with self.held_on_the_way_back():
            yield from self._bounded(world, most_ms)

    @contextmanager
    def held_on_the_way_back(self) -> Iterator[None]:
        """A foreign record turns a move back by itself, but for one that is on the way back already: that one holds."""
        try:
            yield
        except ForeignWrite as error:
            if self.leaving is Side.SOURCE:
                raise
            raise Blocked(error.message, hint=error.held) from error

    def _bounded(self, world: World, most_ms: int) -> Iterator[int]:
        if world.ledger.get(HELD) is not None or world.ledger.get(PAUSE) is not None:
            yield most_ms
            return
        if self.left_ms(world) <= 0:
            raise self._outgrown(world, "nothing is left for going on")
        try:
            yield self.left_ms(world)
        except StillUnderWay as error:
            raise self._outgrown(world, error.message) from error
        if self.left_ms(world) <= 0:
            raise self._outgrown(world, "the step took too long")

    def _outgrown(self, world: World, why: str) -> Blocked:
        """What to raise once the budget is used up; where the move shall hold, that it did is in the ledger."""
        budget = f"{self.policy.max_pause_ms / 1000:g} s"
        told = f"{self.app.name} would stand still for longer than maxPause ({budget}), its way back counted in: {why}"
        ways = f"kmigrate rollback --app {self.app.name}; or the same command again, to go on anyway"
        if self.policy.turn_back and self.leaving is Side.SOURCE:
            again = f"look at what took so long, then kmigrate apply --phase cutover --app {self.app.name}"
            return Overrun(told, hint=again, held=ways)
        world.ledger.put(HELD, world.clock.now_ms())
        return Blocked(told, hint=ways)


def has_begun(world: World) -> bool:
    """Whether the application may have worked on the side entered, by the ledger."""
    # a move that is watched has begun, also where an older version did not write that down
    return world.ledger.get(BEGUN) is not None or world.ledger.get(BEGAN) is not None


def held(world: World, side: Side, app: Application, *, stable: bool = True) -> dict[str, dict[Partition, int]]:
    """Where each group of the application stands; raises Blocked where one holds no position."""
    return every_position_held(world, side, app.reads, stable=stable)


def furthest(bounds: Mapping[str, Mapping[Partition, int]]) -> dict[Partition, int]:
    """By partition, where the group stands that has read the most of it."""
    found: dict[Partition, int] = {}
    for of in bounds.values():
        found |= {p: max(at, found.get(p, at)) for p, at in of.items()}
    return found


def left_behind(world: World, side: Side, app: Application, *, stable: bool = True) -> dict[str, dict[Partition, int]]:
    """Where each group stands on the side that is left; what is forgotten there stands where it was stopped.

    A cluster drops the positions of a group that stays Empty (`offsets.retention.minutes`); nobody moved them then.
    Before the application has begun across, `held` alone counts.
    """
    if not has_begun(world):
        return held(world, side, app, stable=stable)
    bounds, found = _bounds(world), {}
    for group, there in world.groups(side).positions(partitions_read(world, side, app.reads), stable=stable).items():
        stopped = bounds.get(group, {})
        known = {p: stopped.get(p) if offset is None else offset for p, offset in there.items()}
        found[group] = {p: offset for p, offset in known.items() if offset is not None}
    return found


def stands_still(world: World, side: Side, app: Application) -> None:
    """Look that nobody took the groups up again since the bounds were written down; raises Blocked if somebody did."""
    running = running_groups(world, side, app)
    moved = [group for group, of in held(world, side, app).items() if of != _bounds(world).get(group)]
    if running or moved:
        raise Blocked(
            f"somebody reads on the {side} with group {', '.join(sorted({*running, *moved}))}, which had been stopped",
            hint="stop every instance there (a supervisor may start it again), then run the same command again",
        )


def _bounds(world: World) -> dict[str, dict[Partition, int]]:
    return read_offsets(world.ledger.get(BOUNDS))


def write_offsets(offsets: Mapping[str, Mapping[Partition, int]]) -> Json:
    """Offsets per group as the ledger keeps them."""
    return {group: {str(p): offset for p, offset in sorted(of.items())} for group, of in offsets.items()}


def read_offsets(fact: Json) -> dict[str, dict[Partition, int]]:
    """What `write_offsets` wrote; empty when the fact is not there yet."""
    if not isinstance(fact, Mapping):
        return {}
    return {
        group: {Partition.parse(p): int(str(offset)) for p, offset in of.items()}
        for group, of in fact.items()
        if isinstance(of, Mapping)
    }


def read_partitions(fact: Json) -> dict[Partition, int]:
    """Offsets per partition from the ledger; empty when the fact is not there yet."""
    if not isinstance(fact, Mapping):
        return {}
    return {Partition.parse(p): int(str(offset)) for p, offset in fact.items()}
