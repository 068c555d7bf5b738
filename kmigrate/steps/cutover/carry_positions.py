"""carry-positions: the groups stand, on the side entered, before the very record they would have read next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked, PlatformError, VerifyFailed
from kmigrate.model import Json, JsonObject, Partition, Position, Reads, Side
from kmigrate.plan import LEFT, Action, Change, Finding
from kmigrate.probes.answering import answers
from kmigrate.probes.groups import partitions_read
from kmigrate.probes.translation import Translator, translator
from kmigrate.probes.uncommitted import passed
from kmigrate.steps.cutover.left_there import Left, left_there, read_left, refuse_read_since, write_left
from kmigrate.steps.cutover.move import (
    BOUNDS,
    COMMITTED,
    POSITIONS,
    PUT,
    MoveStep,
    has_begun,
    read_offsets,
    read_partitions,
    stands_still,
    write_offsets,
)
from kmigrate.world import World


@dataclass(frozen=True, kw_only=True)
class CarryPositions(MoveStep):
    """Translate, grade, write down, commit to the Empty group, read back; every partition gets an explicit position."""

    name: ClassVar[str] = "carry-positions"
    title: ClassVar[str] = "Carry the positions over, exactly"
    mend: ClassVar[str] = (
        "kmigrate positions GROUP shows why it was put there; stop the group, put it back (kafka-consumer-groups.sh "
        "--reset-offsets --to-offset), and see who moved it: what lies between comes twice, or was left out"
    )

    def check(self, world: World) -> Finding:
        """Missing when a group does not stand at or past what the ledger says, or the ledger says nothing yet.

        Once the application works there, also where a group stands past the end of the log: what comes next it skips.
        """
        before: dict[str, Json] = {}
        changes: list[Change] = []
        wanted, left = partitions_read(world, self.entering, self.app.reads), left_there(world, self.entering)
        standing = world.groups(self.entering).held(wanted)  # whole: whoever takes a group away takes all of it
        ends = self._ends(world, wanted) if has_begun(world) else {}  # asked after the groups, which go on
        for reads in self.app.reads:
            held = standing[reads.group]
            there = {p: held.get(p) for p in wanted[reads.group]}
            carried = self._carried(world, reads.group)
            if reads.group in left and left[reads.group].stands(held):
                held = left[reads.group].before
            before[reads.group] = {str(p): offset for p, offset in sorted(held.items())}
            settled = self._settled(world, reads.group)
            short = [p for p in there if not _stands(there[p], carried.get(p), ends.get(p), past=settled)]
            if short or not settled:  # who died before it was read back has not called it committed
                subject = f"group {reads.group} on the {self.entering}"
                told = _elsewhere(there, carried, ends, short) if settled else f"{len(short) or len(there)} positions"
                changes.append(Change(action=Action.CHANGE, subject=subject, detail=told))
        return Finding(changes=tuple(changes), before=before)

    def apply(self, world: World) -> None:
        """The positions and how they were found are on disk before they are committed."""
        if has_begun(world):
            raise Blocked(
                f"{self.app.name} was started on the {self.entering} already: no position is written there any more",
                hint=f"somebody else moved a group: look at its positions on both sides, or roll {self.app.name} back",
            )
        self._unread(world, "put the group back to where it was stopped on the side left, then run `apply` again")
        refuse_read_since(world, self)
        with self.within_budget(world, 0):
            self._carry(world)

    def _carry(self, world: World) -> None:
        stands_still(world, self.leaving, self.app)
        bounds = read_offsets(world.ledger.get(BOUNDS))
        carrier = translator(world, self.leaving, self.lanes, still=True)
        carrier.foresee(bounds.get(reads.group, {}) for reads in self.app.reads)
        found = {
            reads.group: self._translate(world, reads, bounds.get(reads.group, {}), carrier) for reads in self.app.reads
        }
        put = {group: {p: at.offset for p, at in of.items() if at.offset is not None} for group, of in found.items()}
        world.ledger.put(POSITIONS, {group: _told(positions) for group, positions in found.items()})
        self._about_to_put(world, put)
        world.groups(self.entering).commit(put)
        self._read_back(world)
        world.ledger.put(COMMITTED, write_offsets(bounds))

    def _about_to_put(self, world: World, put: Mapping[str, Mapping[Partition, int]]) -> None:
        """From now on a group stands where it is about to be put, or where it stands now; elsewhere somebody read."""
        held = world.groups(self.entering).held(put)
        if world.ledger.get(COMMITTED) is not None:
            world.ledger.put(COMMITTED, None)
        world.ledger.put(PUT, write_left({group: Left(put=put[group], before=held[group]) for group in put}))
        if left_there(world, self.entering):
            world.ledger.put(LEFT, dict.fromkeys(put))

    def verify(self, world: World) -> Json:
        """What the coordinator holds was read back before it was called committed; it must stand there or past it."""
        super().verify(world)
        return world.ledger.get(POSITIONS)

    def undo(self, world: World, before: JsonObject) -> None:
        """The group gets back exactly what it held there; where that was less, it is removed first.

        Raises Blocked when somebody has read with it there since: going back would give those records twice. A target
        that does not answer keeps what was put there, and the ledger says so: nobody was started there, and the next
        attempt looks whether anybody read on, and puts other positions over them.
        """
        if world.ledger.get(POSITIONS) is None:
            return
        try:
            self._take_back(world, before)
        except PlatformError:
            if self.entering is Side.SOURCE or answers(world, Side.TARGET):
                raise
            self._leave(world, before)
        else:
            world.ledger.put(LEFT, None)

    def _leave(self, world: World, before: JsonObject) -> None:
        held = {group: _held(offsets) for group, offsets in before.items()}
        left = {r.group: Left(put=self._carried(world, r.group), before=held.get(r.group, {})) for r in self.app.reads}
        world.ledger.put(LEFT, write_left({group: of for group, of in left.items() if of.put}))
        world.ledger.put(COMMITTED, None)
        world.reporter.note(
            f"the target does not answer, so the positions of group {', '.join(left)} stay there as they were carried; "
            f"nobody was started with them, and the next attempt looks whether anybody read there meanwhile"
        )

    def _take_back(self, world: World, before: JsonObject) -> None:
        again = "apply --phase cutover" if self.leaving is Side.SOURCE else "rollback"
        on = f"kmigrate {again} --app {self.app.name}"
        self._unread(world, f"go on instead: {on}; it can be taken back once it runs there")
        was = {group: _held(offsets) for group, offsets in before.items()}
        groups = world.groups(self.entering)
        taken = {group: Left(put=now, before=was[group]) for group, now in groups.held(was).items()}
        world.ledger.put(PUT, write_left(taken))
        world.ledger.put(COMMITTED, None)
        for group, held in was.items():
            if groups.held([group])[group].keys() - held.keys():
                groups.delete(group)
            now = groups.held([group])[group]
            lost = {p: offset for p, offset in held.items() if now.get(p) != offset}
            if lost:
                groups.commit({group: lost})

    def _unread(self, world: World, hint: str) -> None:
        """Raise Blocked where a group is past what was committed, also if it was stopped anew elsewhere since.

        While it is put there or taken back, where it is neither at the one place nor at the other.
        """
        sure, put = world.ledger.get(COMMITTED) is not None, self._put(world)
        if not put:  # nothing was put there that somebody could have read on from
            return
        for group, there in self._there(world).items():
            of = put.get(group, Left(put={}, before={}))
            read = [(p, at) for p, at in there.items() if at is not None and of.was_read(p, at, sure=sure)]
            if read and sure:
                told = f"group {group} has read on the {self.entering} already: it is past {read[0][0]} as carried"
                raise Blocked(told, hint=hint)
            if read:
                raise self._stands_elsewhere(group, *read[0], of)

    def _stands_elsewhere(self, group: str, partition: Partition, at: int, of: Left) -> Blocked:
        places = " or ".join(str(place) for place in of.places(partition))
        back, option = (f" to {places}", "--reset-offsets --to-offset") if places else ("", "--delete-offsets")
        return Blocked(
            f"somebody has read with group {group} on the {self.entering} while kmigrate did not run: {partition} "
            f"stands at {at}, and it was left at {places or 'no position'}",
            hint=f"find out who, and stop it; then put {partition} of the group back there{back}, as it was left "
            f"(kafka-consumer-groups.sh {option}), and run the same command again: what was read there is given twice",
        )

    def _put(self, world: World) -> Mapping[str, Left]:
        """Where each group was put, or is about to be; what an older version put there is known by its bounds alone."""
        known = read_left(world.ledger.get(PUT))
        if known or world.ledger.get(COMMITTED) is None:
            return known
        return {r.group: Left(put=self._carried(world, r.group, COMMITTED), before={}) for r in self.app.reads}

    def _read_back(self, world: World) -> None:
        for group, there in self._there(world).items():
            carried = self._carried(world, group)
            wrong = [p for p in there if there[p] != carried.get(p)]
            if wrong:
                raise VerifyFailed(
                    f"group {group} stands elsewhere than it was just put in {wrong[0]}",
                    hint="somebody else writes positions of this group; find out who, then run this again",
                )

    def _settled(self, world: World, group: str) -> bool:
        """Whether the positions for these very bounds were committed and read back once."""
        bounds = _bounds(world, group, BOUNDS)
        return bool(bounds) and _bounds(world, group, COMMITTED) == bounds

    def _ends(self, world: World, wanted: Mapping[str, Sequence[Partition]]) -> Mapping[Partition, int]:
        """Where each log ends by its high watermark: a read_uncommitted reader goes that far."""
        every = {p for partitions in wanted.values() for p in partitions}
        return world.cluster(self.entering).ends(every, committed=False)

    def _there(self, world: World) -> Mapping[str, Mapping[Partition, int | None]]:
        """Where each group stands on the side entered."""
        return world.groups(self.entering).positions(partitions_read(world, self.entering, self.app.reads))

    def _carried(self, world: World, group: str, bounds_fact: str = BOUNDS) -> dict[Partition, int]:
        """What the ledger says, as long as it was worked out from where the group stands on the side left."""
        fact = world.ledger.get(POSITIONS)
        bounds = _bounds(world, group, bounds_fact)
        of = fact.get(group) if isinstance(fact, Mapping) else None
        carried: dict[Partition, int] = {}
        for name, told in of.items() if isinstance(of, Mapping) else ():
            partition = Partition.parse(name)
            if isinstance(told, Mapping) and told["from"] == bounds.get(partition):
                carried[partition] = int(str(told["to"]))
        return carried

    def _translate(
        self, world: World, reads: Reads, bounds: Mapping[Partition, int], carrier: Translator
    ) -> Mapping[Partition, Position]:
        seen = carrier.translate(bounds)
        carried = passed(world, self.leaving, reads, seen.positions, self.bar)
        if seen.waiting or not bounds:
            raise Blocked("the mirror has not copied all yet", hint="run the same command again")
        return carried


def _bounds(world: World, group: str, fact: str) -> dict[Partition, int]:
    """Where the ledger says that this group was stopped; of a move of many only its part is looked at."""
    of = world.ledger.get(fact)
    return read_partitions(of.get(group)) if isinstance(of, Mapping) else {}


def _held(told: Json) -> dict[Partition, int]:
    """What a group held, as the first check wrote it down."""
    held = told.items() if isinstance(told, Mapping) else ()
    return {Partition.parse(p): int(str(offset)) for p, offset in held if offset is not None}


def _stands(there: int | None, carried: int | None, end: int | None, *, past: bool) -> bool:
    """Whether a group stands where it was put, or past it once it was allowed to read, as far as the log goes."""
    if there is None or carried is None:
        return False
    return carried <= there <= (there if end is None else end) if past else there == carried


def _elsewhere(
    there: Mapping[Partition, int | None],
    carried: Mapping[Partition, int],
    ends: Mapping[Partition, int],
    short: Sequence[Partition],
) -> str:
    """Where a group stands that had been put elsewhere, in words."""
    told: list[str] = []
    for p in short:
        at, end = there[p], ends.get(p)
        past = f", and the log ends at {end}" if at is not None and end is not None and at > end else ""
        told.append(f"{p} at {'nowhere' if at is None else at}, and it was put to {carried.get(p, 'nowhere')}{past}")
    return ", ".join(told)


def _told(positions: Mapping[Partition, Position]) -> Json:
    return {str(p): _evidence(at) for p, at in sorted(positions.items())}


def _evidence(at: Position) -> Json:
    """How a position was found: between which marks, original and copy each, and what it repeats at most."""
    told: dict[str, Json] = {"from": at.came_from, "to": at.offset, "grade": str(at.grade), "reason": at.reason}
    marks = {name: list(mark) for name, mark in zip(("low", "high"), at.bracket, strict=True) if mark is not None}
    counts = {"repeats_at_most": at.repeats_at_most, "aborted_ahead": at.aborted_ahead}
    return {**told, **marks, **{name: count for name, count in counts.items() if count}}
