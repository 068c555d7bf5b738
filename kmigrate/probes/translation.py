"""Where positions of one side lie on the other: between the mirror's marks around them, by the records themselves.

Safe while writers go on: only the group must be stopped, and the mirror past its last record (design §4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from kmigrate.errors import Refused
from kmigrate.model import Grade, Lane, OffsetRange, Partition, Position, Record, Side
from kmigrate.positions import Answer, Search, SyncIndex, Windows
from kmigrate.probes.unmarked import Found, look_up
from kmigrate.world import World

_Part: TypeAlias = Mapping[Partition, Windows]
_Records: TypeAlias = Mapping[Partition, tuple[Record, ...]]

_ORDER = (Grade.REFUSED, Grade.SAFE_LOWER_BOUND, Grade.EXACT_MATCHED, Grade.EXACT_PROVEN)
_AT_ONCE = 300_000
"""Offsets that are read together, both sides counted; some 200 bytes each; the next are read meanwhile."""


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

    What topics are like is looked up once; ask another translator when they may have changed.
    """

    world: World
    leaving: Side
    lanes: tuple[Lane, ...]
    owner: Side = Side.SOURCE
    _compacted: dict[str, bool] = field(default_factory=dict)

    def translate(self, wanted: Mapping[Partition, int]) -> Translation:
        """Translate the next offset that a stopped group would read, per partition.

        Committed records only; a position past the last stable offset waits (a read_uncommitted reader may stand
        there). Raises Refused when retention has eaten a position on the side left.
        """
        here, there = self.world.cluster(self.leaving), self.world.cluster(self.leaving.other)
        logs = here.ranges(wanted)
        _refuse_eaten(wanted, logs)
        stable = {p: x for p, x in wanted.items() if logs[p].end >= x}
        others = there.ranges(stable)
        found = self._marked(stable, logs, others)
        unmarked = {p: x for p, x in stable.items() if p not in found}
        found |= look_up(self.world, self.leaving, unmarked, owner=self.owner) if unmarked else {}
        late = tuple(sorted(set(wanted) - set(stable)))
        return Translation(
            positions={p: _position(p, wanted[p], found[p].answer) for p in sorted(stable)},
            waiting=late + tuple(p for p in sorted(stable) if found[p].answer.not_yet),
            last={p: each.last for p, each in found.items() if each.last is not None},
        )

    def _marked(
        self,
        wanted: Mapping[Partition, int],
        logs: Mapping[Partition, OffsetRange],
        others: Mapping[Partition, OffsetRange],
    ) -> dict[Partition, Found]:
        """Every position that the mirror's marks can bracket."""
        back = self.leaving is not self.owner
        originals, copies = (others, logs) if back else (logs, others)
        syncs, compacted = self._syncs(wanted), self._compaction(wanted)
        searches = {
            p: Search(
                position=x,
                syncs=syncs.get(p, SyncIndex()),
                originals=originals[p],
                copies=copies[p],
                back=back,
                compacted=compacted[p.topic],
            )
            for p, x in wanted.items()
        }
        found: dict[Partition, Found] = {}
        open_ = {p: windows for p, search in searches.items() if (windows := search.windows()) is not None}
        while open_:
            for part, (here, there) in self._passages(open_, originals):
                found |= self._answers(part, here, there, searches)
            again = {p: searches[p].windows() for p in open_ if p not in found}
            open_ = {p: windows for p, windows in again.items() if windows is not None}
        return found

    def _passages(
        self, open_: Mapping[Partition, Windows], logs: Mapping[Partition, OffsetRange]
    ) -> Iterator[tuple[_Part, tuple[_Records, _Records]]]:
        """The originals and the copies of each part; the next part is being read while one is looked at."""
        ahead: tuple[_Part, Callable[[], tuple[_Records, _Records]]] | None = None
        for part in _parts(open_, logs):
            read = (ahead[0], ahead[1]()) if ahead is not None else None
            ahead = part, self._begin(part)
            if read is not None:
                yield read
        if ahead is not None:
            yield ahead[0], ahead[1]()

    def _begin(self, part: _Part) -> Callable[[], tuple[_Records, _Records]]:
        """Begin to read both sides of a part, and give what waits for it.

        Where the end of the originals is open, they are read after the copies, up to the last stable offset by then, so
        that every copy read has its original among those read. Where a mark ends both, they were written long ago.
        """
        source, target = self.world.cluster(self.owner), self.world.cluster(self.owner.other)
        copies = target.reading({p: windows.copies for p, windows in part.items()})
        bounded = all(windows.originals_to is not None for windows in part.values())
        originals = source.reading({p: _originals(windows, 0) for p, windows in part.items()}) if bounded else None

        def finish() -> tuple[_Records, _Records]:
            there = copies()
            if originals is not None:
                return originals(), there
            ends = {p: log.end for p, log in source.ranges(part).items()}
            return source.read({p: _originals(windows, ends[p]) for p, windows in part.items()}), there

        return finish

    def _answers(
        self, part: _Part, originals: _Records, copies: _Records, searches: Mapping[Partition, Search]
    ) -> dict[Partition, Found]:
        """What the records of a part say; a partition that needs wider windows is missing."""
        found: dict[Partition, Found] = {}
        for p in part:
            here, there = originals[p], copies[p]
            answer = searches[p].answer(here, there)
            if answer is not None:
                left = here if self.leaving is self.owner else there
                found[p] = Found(answer=answer, last=_last(left, searches[p].position))
        return found

    def _syncs(self, wanted: Iterable[Partition]) -> dict[Partition, SyncIndex]:
        found: dict[Partition, SyncIndex] = {}
        topics = {p.topic for p in wanted}
        for lane in self.lanes:
            if not topics.isdisjoint(lane.topics):
                found |= {p: index for p, index in self.world.mirror.syncs(lane).items() if p.topic in lane.topics}
        return found

    def _compaction(self, wanted: Iterable[Partition]) -> Mapping[str, bool]:
        """Whether a topic is compacted on either side, so that records may be gone from the middle of its logs."""
        new = {p.topic for p in wanted} - self._compacted.keys()
        if new:
            seen = [self.world.cluster(side).topics(new) for side in Side]
            for name in new:
                policies = [topics[name].config.get("cleanup.policy", "") for topics in seen if name in topics]
                self._compacted[name] = any("compact" in policy for policy in policies)
        return self._compacted


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


def _parts(windows: Mapping[Partition, Windows], logs: Mapping[Partition, OffsetRange]) -> Iterator[_Part]:
    """The windows in parts that are read together, so that memory stays flat in the number of partitions.

    `logs` are those of the originals. Windows whose end is open come in parts of their own, and last.
    """
    for is_open in (False, True):
        part: dict[Partition, Windows] = {}
        held = 0
        for p, each in windows.items():
            if (each.originals_to is None) is not is_open:
                continue
            end = logs[p].end if each.originals_to is None else each.originals_to
            size = end - each.originals_from + each.copies.end - each.copies.start
            if part and held + size > _AT_ONCE:
                yield part
                part, held = {}, 0
            part[p] = each
            held += size
        if part:
            yield part


def _originals(windows: Windows, end: int) -> OffsetRange:
    reach = end if windows.originals_to is None else windows.originals_to
    return OffsetRange(start=windows.originals_from, end=max(reach, windows.originals_from))


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
