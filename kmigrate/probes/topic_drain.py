"""Whether all of a fenced topic stands still and is copied, down to its end: what only holds once nobody may write.

Who writes there all the same, and whose transaction holds the end open, is told by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kmigrate.errors import Blocked, ForeignWrite, Interrupted, KmigrateError, Refused, StillUnderWay
from kmigrate.model import Grade, Lane, OffsetRange, OpenTransaction, Partition, Position, Side
from kmigrate.probes.drain import Watch, await_copies, unwatched
from kmigrate.probes.foreign import Foreign, find_writer, foreign_write, known, strays, unaccepted, ways_on
from kmigrate.probes.ownership import origin
from kmigrate.probes.writers import may_write
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

_EXACT = (Grade.EXACT_PROVEN, Grade.EXACT_MATCHED)
_STRAYS_MS = 5_000
"""What was under way when the fence held has come by then; who goes on writing after it is not stopped by the fence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """Where the logs end of topics that change their owner: on the side left and on the side entered, by partition.

    Next offsets, with no transaction open on either side, every record before the one copied before the other.
    """

    left: Mapping[Partition, int]
    entered: Mapping[Partition, int]
    last: Mapping[Partition, int]
    """The offset of the last record on the side left, where there is one."""
    foreign: tuple[Foreign, ...] = ()
    """Records on the side entered behind the last copy, which a human took on."""


def await_topic_drain(
    world: World,
    leaving: Side,
    topics: Iterable[str],
    lane: Lane,
    deadline_ms: int,
    accepted: Collection[str] = (),
    watch: Watch = unwatched,
) -> Drained:
    """Wait until the lane has copied all of these topics, whose writers on the side left are denied (proven) by now.

    Ends stand still over two looks and nothing is open there; the last visible record of each partition is copied, by
    its own digest and by Connect's word; nothing is open on the side entered; the ends have not moved meanwhile
    (`mirrormaker2.md` §5). Raises StillUnderWay after the deadline with what is missing; ForeignWrite for whom the
    fence did not stop, and for records that are no copies, but for those of the topics `accepted`; Blocked for a lane
    that failed, and for sides that differ.
    """
    assert origin(lane) is leaving, f"{lane.name} does not copy what is written on the {leaving}"
    wanted, clock = tuple(sorted(topics)), world.clock
    end = clock.monotonic_ms() + deadline_ms

    def still_ms() -> int:
        return max(0, end - clock.monotonic_ms())

    left = await_settled(world, leaving, wanted, still_ms())
    what = f"copies of all that was written on the {leaving} to {', '.join(wanted)}"
    copies = await_copies(world, leaving, left, lane, what=what, deadline_ms=still_ms(), watch=watch)
    _refuse_unknown(copies.positions)
    entered = await_settled(world, leaving.other, wanted, still_ms())
    # in this order: the copy of what came meanwhile lies behind the last one, too
    _refuse_moved(world, leaving, wanted, left)
    others = _others(world, leaving.other, lane, copies.positions, entered)
    _refuse_others(world, leaving.other, unaccepted(others, accepted))
    return Drained(left=left, entered=entered, last=copies.last, foreign=others)


def partitions_of(world: World, side: Side, topics: Iterable[str]) -> tuple[Partition, ...]:
    """Every partition of the topics; raises Blocked for one that is not there."""
    wanted = sorted(topics)
    known = world.cluster(side).topics(wanted)
    absent = sorted(set(wanted) - known.keys())
    if absent:
        raise Blocked(
            f"the {side} has no topic {', '.join(absent)}, or kmigrate may not see it there",
            hint="run `kmigrate apply --phase provision`, or grant DESCRIBE and READ on it",
        )
    return tuple(partition for name in wanted for partition in known[name].all())


def settled_ends(world: World, side: Side, topics: Iterable[str]) -> dict[Partition, int]:
    """The end of every partition, at which no transaction is open; raises Blocked, naming it, where one is."""
    looks = _Looks(world, side, partitions_of(world, side, topics))
    found = looks.ends()
    if isinstance(found, NotYet):
        told, hint = looks.why()
        raise Blocked(f"on the {side} {found.detail}{told}", hint=hint)
    return found


def await_settled(
    world: World,
    side: Side,
    topics: Iterable[str],
    deadline_ms: int,
    before: Mapping[Partition, int] | None = None,
) -> dict[Partition, int]:
    """Wait until two looks in a row see the same ends and no open transaction; what an earlier look saw is `before`.

    Only under a fence: an open transaction could still commit, and its markers come later than the commit (`lab.md`).
    Raises ForeignWrite once records go on coming, StillUnderWay with the transaction that is open, or with who may have
    written.
    """
    looks = _Looks(world, side, partitions_of(world, side, topics), before or None)
    what = f"ends of {len(looks.partitions)} partitions on the {side}"
    clock, reporter = world.clock, world.reporter
    try:
        return wait_until(looks.look, what=what, clock=clock, reporter=reporter, deadline_ms=deadline_ms, every_ms=20)
    except StillUnderWay as late:
        told, hint = looks.why()
        raise StillUnderWay(f"{late.message}{told}", hint=hint or late.hint) from late


@dataclass(slots=True)
class _Looks:
    """What the last look saw: `held` are partitions with an open transaction, `moved` went on since the look before."""

    world: World
    side: Side
    partitions: tuple[Partition, ...]
    before: Mapping[Partition, int] | None = None
    held: tuple[Partition, ...] = ()
    moved: tuple[Partition, ...] = ()
    began_ms: int = -1

    def look(self) -> Ready[dict[Partition, int]] | NotYet:
        """Ready once two looks in a row agree."""
        found, before = self.ends(), self.before
        self.before = None if isinstance(found, NotYet) else found
        self.moved = ()
        if isinstance(found, NotYet):
            return found
        if before == found:
            return Ready(found)
        self.moved = tuple(p for p in self.partitions if before is not None and before[p] != found[p])
        self._refuse_going_on(before or found, found)
        first = self.moved[0] if self.moved else None
        return NotYet(f"{first} went on from {(before or found)[first]} to {found[first]}" if first else "seen once")

    def _refuse_going_on(self, before: Mapping[Partition, int], now: Mapping[Partition, int]) -> None:
        """Who writes for so long under a proven fence is not waited for while an application stands still."""
        clock = self.world.clock
        if self.began_ms < 0:
            self.began_ms = clock.monotonic_ms()
        if not self.moved or clock.monotonic_ms() - self.began_ms < _STRAYS_MS:
            return
        spans = {p: OffsetRange(start=before[p], end=now[p]) for p in self.moved}
        found = [each for each in strays(self.world, self.side, spans) if each.time is not None]
        if found:
            raise foreign_write(self.world, self.side, found)

    def ends(self) -> dict[Partition, int] | NotYet:
        """Where every partition ends, or what holds one open."""
        cluster = self.world.cluster(self.side)
        # in this order: a record that comes in between is then no open transaction, but an end that went on
        whole, stable = cluster.ends(self.partitions, committed=False), dict(cluster.ends(self.partitions))
        self.held = tuple(p for p in self.partitions if stable[p] < whole[p])
        if self.held:
            first, count = self.held[0], len(self.held)
            return NotYet(f"a transaction is open in {first} from {stable[first]} on ({count} partitions in all)")
        return stable

    def why(self) -> tuple[str, str]:
        """More about what the last look saw, and what to do; empty where there is nothing more to say."""
        if self.held:
            return self._who_holds()
        if self.moved:
            return f"; {may_write(self.world, self.side, self.moved[0].topic)}", find_writer(self.moved[0].topic)
        return "", ""

    def _who_holds(self) -> tuple[str, str]:
        hint = "wait for it to end, then run the same command again"
        try:
            found = self.world.transactions(self.side).open(self.held)
        except Interrupted:
            raise
        except KmigrateError as error:
            return f"; whose it is cannot be told: {error.message}", hint
        if not found:
            return "; it has ended by now", hint
        told = "; ".join(map(str, _first_of_each(found)))
        return f": {told}", f"{hint}; or end it: {_abort(self.world, self.side, found[0])}"


def _first_of_each(found: Iterable[OpenTransaction]) -> list[OpenTransaction]:
    """One place of each transaction: it may be open in hundreds of partitions."""
    first: dict[tuple[int, str | None], OpenTransaction] = {}
    for each in found:
        first.setdefault((each.producer_id, each.transactional_id), each)
    return list(first.values())


def _abort(world: World, side: Side, one: OpenTransaction) -> str:
    address = f"--bootstrap-server {world.cluster(side).brokers()[0]} --command-config admin.properties"
    place = f"--topic {one.partition.topic} --partition {one.partition.number} --start-offset {one.start}"
    return f"kafka-transactions.sh {address} abort {place}"


def _refuse_unknown(copies: Mapping[Partition, Position]) -> None:
    """A place that was refused is none: the sides differ, or what was to be copied is gone."""
    bad = [at for _, at in sorted(copies.items()) if at.grade is Grade.REFUSED]
    if bad:
        told = "; ".join(f"{at.partition} up to {at.came_from}: {at.reason}" for at in bad)
        raise Refused(
            f"not drained, and it never will be: {told}",
            hint="`kmigrate verify --full` names the first difference; lift the fence or roll back, and mend it first",
        )


def _refuse_moved(world: World, side: Side, topics: tuple[str, ...], before: Mapping[Partition, int]) -> None:
    """Under a proven fence nothing comes any more: what came was written by somebody whom the plan does not know."""
    now = settled_ends(world, side, topics)
    moved = {p: OffsetRange(start=before[p], end=end) for p, end in now.items() if end != before.get(p)}
    if moved:
        raise foreign_write(world, side, strays(world, side, moved))


def _others(
    world: World, side: Side, lane: Lane, copies: Mapping[Partition, Position], ends: Mapping[Partition, int]
) -> tuple[Foreign, ...]:
    """Behind the copy of the last record there is no other; a lane that writes twice may have put doubles there.

    Nor is it asked where the place of that copy is not certain, as in a compacted topic. What is known is left out.
    """
    if not world.mirror.once(lane):
        return ()
    met = {(each.partition, each.offset) for each in known(world).get(side, ())}
    found = {p: at.offset for p, at in copies.items() if at.offset is not None and at.grade in _EXACT}
    behind = {p: OffsetRange(start=offset, end=ends[p]) for p, offset in found.items() if offset < ends[p]}
    every = strays(world, side, behind, committed=True)
    return tuple(each for each in every if each.time is not None and (each.partition, each.offset) not in met)


def _refuse_others(world: World, side: Side, found: Sequence[Foreign]) -> None:
    if found:
        first = found[0]
        told = f"{first.partition} on the {side} holds a record at {first.offset}, behind the copy of the last one"
        raise ForeignWrite(
            f"{told} of the {side.other}: the mirror did not write it; {may_write(world, side, first.partition.topic)}",
            hint=find_writer(first.partition.topic),
            held=f"{find_writer(first.partition.topic)}; or {ways_on(found)}",
        )
