"""Where positions of one side lie on the other: between the mirror's marks around them, by the records themselves.

Safe while writers go on: only the group must be stopped, and the mirror past its last record (design §4.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from kmigrate.errors import Refused
from kmigrate.manifests.lanes import other_way
from kmigrate.model import Grade, Lane, OffsetRange, Partition, Position, Record, Side
from kmigrate.positions import Answer, Carrier, Epochs, Search, SyncIndex
from kmigrate.probes.ownership import epochs
from kmigrate.probes.passages import Passages, passages
from kmigrate.probes.remembered import Remembered
from kmigrate.probes.sieve import Sides, sieved
from kmigrate.probes.unmarked import Found, look_up
from kmigrate.world import World

_ORDER = (Grade.REFUSED, Grade.SAFE_LOWER_BOUND, Grade.EXACT_MATCHED, Grade.EXACT_PROVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The positions asked for, on the other side.

    `waiting` names those whose last record has no copy yet; `last` holds the offset of that record on the side left,
    where there is one.
    """

    positions: Mapping[Partition, Position]
    waiting: tuple[Partition, ...]
    last: Mapping[Partition, int]


@dataclass(slots=True, kw_only=True)
class Translator:
    """Translates positions from the side left to the other one, by the lanes that copy their topics.

    `epochs` names the partitions that were handed over, with their seams; all others belong to the source since ever.
    `logs`: both sides without what is known to be foreign; None where nothing is.
    `once`: whether the mirror writes exactly once; None asks it, lane by lane. What topics are like is looked up once;
    ask another translator when they may have changed. `still`: all that is asked for is copied already, so that marks
    and ends of logs are looked up once, too, for however many groups; with it come `logs` that remember.
    """

    world: World
    leaving: Side
    lanes: tuple[Lane, ...]
    epochs: Mapping[Partition, Epochs] = field(default_factory=dict)
    once: bool | None = None
    logs: Sides | None = None
    still: bool = False
    _seen: set[str] = field(default_factory=set)
    _marks: dict[Partition, dict[Side, SyncIndex]] = field(default_factory=dict)
    _ends: dict[Side, dict[Partition, OffsetRange]] = field(default_factory=dict)
    _compacted: dict[str, bool] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _stamping: set[tuple[str, Side]] = field(default_factory=set)
    _answered: dict[tuple[Partition, int], tuple[Position, int | None]] = field(default_factory=dict)

    def translate(self, wanted: Mapping[Partition, int]) -> Translation:
        """Translate the next offset that a stopped group would read, per partition.

        Committed records only; a position past the last stable offset waits (a read_uncommitted reader may stand
        there). Raises Refused when retention has eaten a position on the side left.
        """
        if not self.still:
            return self._translate(wanted)
        # groups that read the same topics near its end mostly stand at the same places
        seen = self._translate({p: x for p, x in wanted.items() if (p, x) not in self._answered})
        done = seen.positions.keys() - set(seen.waiting)
        self._answered |= {(p, wanted[p]): (seen.positions[p], seen.last.get(p)) for p in done}
        known = {p: self._answered[p, x] for p, x in wanted.items() if (p, x) in self._answered}
        return Translation(
            positions={p: known[p][0] if p in known else seen.positions[p] for p in sorted({*known, *seen.positions})},
            waiting=seen.waiting,
            last={**seen.last, **{p: last for p, (_, last) in known.items() if last is not None}},
        )

    def foresee(self, every: Iterable[Mapping[Partition, int]]) -> None:
        """Look up what several groups will ask for, in as many rounds as a partition has different places.

        Only where all stands `still`: then each of them finds its answers there. Raises as `translate` does.
        """
        assert self.still, "what is answered now may be another answer later"
        places: dict[Partition, dict[int, None]] = {}
        for wanted in every:
            for p, offset in wanted.items():
                places.setdefault(p, {})[offset] = None
        rounds = max(map(len, places.values()), default=0)
        for number in range(rounds):
            self.translate({p: list(of)[number] for p, of in places.items() if number < len(of)})

    def _translate(self, wanted: Mapping[Partition, int]) -> Translation:
        syncs = self._syncs(wanted)  # before the logs: every record that has a mark lies in them then
        logs = self._ranges(self.leaving, wanted)
        _refuse_eaten(wanted, logs)
        stable = {p: x for p, x in wanted.items() if logs[p].end >= x}
        absent = self._absent(stable)
        others = self._ranges(self.leaving.other, stable.keys() - absent.keys())
        found = absent | self._marked({p: x for p, x in stable.items() if p not in absent}, syncs, logs, others)
        unmarked = {p: x for p, x in stable.items() if p not in found}
        if unmarked:
            compacted = self._compaction(unmarked)
            once = [topic for topic in self._once(unmarked) if not compacted[topic]]
            found |= look_up(
                self.logs or self.world, self.leaving, unmarked, self.epochs, stamping=self._stamping, once=once
            )
        late = tuple(sorted(set(wanted) - set(stable)))
        return Translation(
            positions={p: _position(p, wanted[p], found[p].answer) for p in sorted(stable)},
            waiting=late + tuple(p for p in sorted(stable) if found[p].answer.not_yet),
            last={p: each.last for p, each in found.items() if each.last is not None},
        )

    def _marked(
        self,
        wanted: Mapping[Partition, int],
        syncs: Mapping[Partition, Mapping[Side, SyncIndex]],
        logs: Mapping[Partition, OffsetRange],
        others: Mapping[Partition, OffsetRange],
    ) -> dict[Partition, Found]:
        """Every position that the mirror's marks can bracket."""
        compacted, once = self._compaction(wanted), self._once(wanted)
        carried = {
            p: Carrier(
                epochs=self.epochs.get(p, Epochs()),
                logs={self.leaving: logs[p], self.leaving.other: others[p]},
                syncs=syncs.get(p, {}),
                compacted=compacted[p.topic],
                once=p.topic in once,
            ).carry(self.leaving, x)
            for p, x in wanted.items()
        }
        found = {p: Found(answer=each, last=None) for p, each in carried.items() if isinstance(each, Answer)}
        searches = {p: each for p, each in carried.items() if isinstance(each, Search)}
        open_ = {p: windows for p, search in searches.items() if (windows := search.windows()) is not None}
        while open_:
            for owner, timed in product(Side, (True, False)):
                mine = {p: w for p, w in open_.items() if self._kind(p, searches[p]) == (owner, timed)}
                for read in passages(self.logs or self.world, owner, mine, searches, timed=timed):
                    found |= self._answers(owner, read, searches)
            again = {p: searches[p].windows() for p in open_ if p not in found}
            bare = {p: searches[p].best for p, windows in again.items() if windows is None}
            found |= {p: Found(answer=best, last=None) for p, best in bare.items() if best is not None}
            open_ = {p: windows for p, windows in again.items() if windows is not None}
        return found

    def _absent(self, wanted: Iterable[Partition]) -> dict[Partition, Found]:
        """Partitions that the side entered does not have: the topic was given more of them on the side left alone."""
        self._compaction(wanted)
        counts = self._counts
        told = "the other side has {} partitions of the topic: give it as many, and let the mirror copy them"
        return {
            p: Found(
                answer=Answer(offset=None, grade=Grade.REFUSED, reason=told.format(counts.get(p.topic, "no"))),
                last=None,
            )
            for p in wanted
            if p.number >= counts.get(p.topic, 0)
        }

    def _kind(self, partition: Partition, search: Search) -> tuple[Side, bool]:
        """Where the originals lie that it compares, and whether their copies have the same times."""
        owner = self.leaving.other if search.back else self.leaving
        return owner, (partition.topic, owner.other) not in self._stamping

    def _answers(self, owner: Side, read: Passages, searches: Mapping[Partition, Search]) -> dict[Partition, Found]:
        """What the records of some partitions say; one that needs wider windows is missing."""
        found: dict[Partition, Found] = {}
        for p in read.originals:
            originals, copies = read.originals[p], read.copies[p]
            answer = searches[p].answer(originals, copies)
            if answer is not None:
                left = originals if self.leaving is owner else copies
                found[p] = Found(answer=answer, last=_last(left, searches[p].position))
        return found

    def _syncs(self, wanted: Iterable[Partition]) -> dict[Partition, dict[Side, SyncIndex]]:
        """What the lanes told of each partition, by the side whose records they copy."""
        topics = {p.topic for p in wanted}
        if self.still and topics <= self._seen:
            return self._marks
        found: dict[Partition, dict[Side, SyncIndex]] = {}
        for lane in self.lanes:
            if not topics.isdisjoint(lane.topics):
                owner = Side.SOURCE if lane.direction == "forward" else Side.TARGET
                for p, index in self.world.mirror.syncs(lane).items():
                    if p.topic in lane.topics:
                        found.setdefault(p, {})[owner] = index
        self._marks |= found
        self._seen |= topics
        return found

    def _ranges(self, side: Side, partitions: Collection[Partition]) -> Mapping[Partition, OffsetRange]:
        """Where the logs begin and end."""
        known = self._ends.setdefault(side, {})
        new = [p for p in partitions if not (self.still and p in known)]
        known |= self.world.cluster(side).ranges(new) if new else {}
        return {p: known[p] for p in partitions}

    def _once(self, wanted: Iterable[Partition]) -> frozenset[str]:
        """The topics of which no record was copied twice."""
        topics = frozenset(p.topic for p in wanted)
        if self.once is not None:
            return topics if self.once else frozenset()
        lanes = [lane for lane in self.lanes if not topics.isdisjoint(lane.topics)]
        doubted = {t for lane in lanes if not self.world.mirror.once(lane) for t in lane.topics}
        return topics.intersection(t for lane in lanes for t in lane.topics) - doubted

    def _compaction(self, wanted: Iterable[Partition]) -> Mapping[str, bool]:
        """Whether a topic is compacted on either side, so that records may be gone from the middle of its logs.

        The same look tells which side stamps records with a time of its own, and how many partitions the side entered
        has.
        """
        new = {p.topic for p in wanted} - self._compacted.keys()
        if new:
            seen = {side: self.world.cluster(side).topics(new) for side in Side}
            self._counts |= {name: topic.partitions for name, topic in seen[self.leaving.other].items()}
            for name in new:
                policies = [topics[name].config.get("cleanup.policy", "") for topics in seen.values() if name in topics]
                self._compacted[name] = any("compact" in policy for policy in policies)
                self._stamping |= {
                    (name, side)
                    for side, topics in seen.items()
                    if name in topics and topics[name].config.get("message.timestamp.type") == "LogAppendTime"
                }
        return self._compacted


def translator(world: World, leaving: Side, lanes: Iterable[Lane], *, still: bool = False) -> Translator:
    """A translator that knows what was handed over; of topics that were, the lanes the other way are used as well."""
    known, there = epochs(world), tuple(lanes)
    turned = {partition.topic for partition in known}
    back = tuple(other_way(lane) for lane in there if not turned.isdisjoint(lane.topics))
    every = (*there, *back)
    logs = Remembered(sieved(world)) if still else sieved(world)
    return Translator(world=world, leaving=leaving, lanes=every, epochs=known, logs=logs, still=still)


def refuse_low_grades(positions: Iterable[Position], minimum: Grade) -> None:
    """Raise Refused, naming each, for positions of a lower grade than may be gone on with."""
    bad = [at for at in positions if _ORDER.index(at.grade) < _ORDER.index(minimum)]
    if bad:
        told = "; ".join(f"{at.partition} at {at.came_from}: {at.grade}, {at.reason}" for at in bad)
        raise Refused(
            f"no position good enough for {told}",
            hint="see `kmigrate status`; roll back, or lower policy.minimumGrade",
        )


def _refuse_eaten(wanted: Mapping[Partition, int], logs: Mapping[Partition, OffsetRange]) -> None:
    eaten = [p for p, x in wanted.items() if x < logs[p].start]
    if eaten:
        told = ", ".join(f"{p} at {wanted[p]} (log starts at {logs[p].start})" for p in sorted(eaten))
        raise Refused(
            f"retention has eaten records these positions still wanted: {told}",
            hint="decide where the group shall go on and set its positions yourself, then run this again",
        )


def _last(left: Iterable[Record], position: int) -> int | None:
    return max((record.offset for record in left if record.offset < position), default=None)


def _position(partition: Partition, came_from: int, answer: Answer) -> Position:
    return Position(
        partition=partition,
        came_from=came_from,
        offset=answer.offset,
        grade=answer.grade if answer.offset is not None else Grade.REFUSED,
        reason=answer.reason,
        bracket=answer.bracket,
        repeats_at_most=answer.repeats_at_most,
    )
