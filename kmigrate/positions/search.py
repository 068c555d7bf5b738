"""Translating one position: which passages to read on either side, and what they say.

Ask `windows`, read both, hand the records to `answer`; as long as that gives nothing, ask again: the windows grow from
one pair of syncs to the next. When `windows` gives nothing, the syncs cannot help, and the records around the position
must be looked for without them (`locate`). The direction is a parameter: positions among the originals are carried to
the copies, and those among the copies back to the originals, by the same marks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kmigrate.model import Bracket, Grade, OffsetRange, Record, Sync
from kmigrate.positions.match import Answer
from kmigrate.positions.place import Passage, Place, Unplaced, among_copies, among_originals
from kmigrate.positions.syncs import SyncIndex

MOST = 200_000
"""Offsets of a window on one side; beyond that, or without any sync, the position is looked for in another way."""
_SKIPS = (0, 1, 4, 16)
_SKIPS_AGAIN = (*_SKIPS, 64, 256, 1024, 4096)
"""A mirror that copies again goes back to its last flush of offsets, past all marks of up to a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What to read; originals without an end up to a last stable offset that is asked for after this was made."""

    copies: OffsetRange
    originals_from: int
    originals_to: int | None


@dataclass(slots=True, kw_only=True)
class Search:
    """The translation of one position of one partition.

    `position` is the next offset to read on the side left. `originals` and `copies` are the logs as they are now, up
    to the last stable offset. `back`: the side left holds the copies. `once`: the mirror writes exactly once.

    Of a partition with several owners both are one epoch's part of the logs (`epochs`). `begins`: both still begin with
    the same record, nothing is gone before it. `over`: the epoch ended, and all of it was copied.

    `best` is what the marks alone say where compaction left no record to compare; wider windows may bear it out, and
    once `windows` gives nothing more it is the answer.
    """

    position: int
    syncs: SyncIndex
    originals: OffsetRange
    copies: OffsetRange
    begins: bool
    back: bool = False
    compacted: bool = False
    once: bool = True
    over: bool = False
    best: Answer | None = field(default=None, init=False)
    _tries: int = 0
    _bracket: Bracket = field(default=Bracket(None, None), init=False)

    def windows(self) -> Windows | None:
        """The next passages to read, or None when no more can be learnt from syncs."""
        skips = _SKIPS if self.once else _SKIPS_AGAIN
        while self._tries < len(skips):
            skip, self._tries = skips[self._tries], self._tries + 1
            low, high = self.syncs.bracket(self.position, by_copy=self.back, skip=skip)
            self._bracket = Bracket(self._kept(low), self._kept(high))
            windows = self._windows()
            if windows is not None:
                return windows
        return None

    def answer(self, originals: Sequence[Record], copies: Sequence[Record]) -> Answer | None:
        """What the records of the windows say, offset order both; None when wider windows must be read."""
        if self._contradicted(originals, copies):
            return None
        passage = self._passage(originals, copies)
        left, entered = (copies, originals) if self.back else (originals, copies)
        if self.best is not None:
            return self._borne_out(passage)
        read = bisect_left(left, self.position, key=lambda record: record.offset)
        place = (among_originals if self.back else among_copies)(passage, read)
        if isinstance(place, Unplaced):
            late = place.uncopied and self._bracket.high is None and not self.back and not self.over
            return self._not_yet("the last record before the position has no copy yet") if late else None
        if self.back and self.compacted and not passage.whole and not place.settled:
            return self._not_yet("no mark of the mirror lies after the position yet, and the topic is compacted")
        answer = self._told(place, left[:read], left[read:], entered)
        if self.compacted and self.once and passage.whole and place.earliest == place.latest and not place.settled:
            self.best = answer
            return None
        return answer

    def _borne_out(self, passage: Passage) -> Answer | None:
        """What the marks alone said, where a wider window has a record that agrees."""
        assert self.best is not None
        seen = passage.low or passage.high or not set(passage.originals).isdisjoint(passage.copies)
        return replace(self.best, grade=Grade.EXACT_MATCHED) if seen else None

    def _windows(self) -> Windows | None:
        low, high = self._bracket
        if low is None and not self.begins and (self.compacted or (high is None and not self.over)):
            return None
        start, first = low or (self.originals.start, self.copies.start)
        reach, end = (high.original + 1, high.copy + 1) if high else (self.originals.end, self.copies.end)
        copies = OffsetRange(start=first, end=end)
        if max(copies.end - copies.start, reach - start) > MOST:
            return None
        return Windows(copies=copies, originals_from=start, originals_to=reach if high or self.over else None)

    def _kept(self, sync: Sync | None) -> Sync | None:
        """A sync whose record and copy are both still there."""
        if sync is None or sync.original < self.originals.start or sync.copy < self.copies.start:
            return None
        return sync

    def _contradicted(self, originals: Sequence[Record], copies: Sequence[Record]) -> bool:
        """Whether a sync names two records that differ, or one that is not there: then it is none of this mirror's."""
        low, high = self._bracket
        marks = [self._seen(low, originals[:1], copies[:1]), self._seen(high, originals[-1:], copies[-1:])]
        return False in marks or (None in marks and not self.compacted)

    def _seen(self, sync: Sync | None, originals: Sequence[Record], copies: Sequence[Record]) -> bool | None:
        """Whether both records of a sync are equal; None where one is not there. True without a sync."""
        if sync is None:
            return True
        here = [record.digest for record in originals if record.offset == sync.original]
        there = [record.digest for record in copies if record.offset == sync.copy]
        return here == there if here and there else None

    def _passage(self, originals: Sequence[Record], copies: Sequence[Record]) -> Passage:
        low, high = self._bracket
        entered = [record.offset for record in (originals if self.back else copies)]
        marks = [sync and (sync.original if self.back else sync.copy) for sync in (low, high)]
        begins = self.begins if low is None else self._seen(low, originals[:1], copies[:1]) is True
        return Passage(
            originals=[record.digest for record in originals],
            copies=[record.digest for record in copies],
            low=begins,
            high=self._seen(high, originals[-1:], copies[-1:]) is True if high else self.over,
            whole=high is not None or self.over,
            compacted=self.compacted,
            once=self.once,
            alone=self.once or low is high is None,
            read=int(marks[0] in entered[:1]),
            unread=int(marks[1] in entered[-1:]),
        )

    def _not_yet(self, why: str) -> Answer:
        return Answer(offset=None, grade=Grade.REFUSED, reason=why, not_yet=True, bracket=self._bracket)

    def _told(
        self, place: Place, read: Sequence[Record], unread: Sequence[Record], entered: Sequence[Record]
    ) -> Answer:
        before, after = entered[: place.earliest], entered[place.earliest :]
        neighbours = self.compacted or (_same(read[-1:], before[-1:]) and _same(unread[:1], after[:1]))
        # back from copies that may come twice: a first run may have gone on past the marks, and the reader with it
        agree = place.settled and neighbours and not (self.back and place.latest is None)
        grade = Grade.EXACT_MATCHED if agree else Grade.SAFE_LOWER_BOUND
        offset = self._offset(before, after)
        return Answer(
            offset=offset,
            grade=Grade.EXACT_PROVEN if place.proven else grade,
            reason=self._reason(place, len(read), len(before), len(after)),
            bracket=self._bracket,
            repeats_at_most=self._most(place, offset, len(entered)),
        )

    def _most(self, place: Place, offset: int, entered: int) -> int:
        """How many records may come twice at most; where nothing is known of the latest place, as many as there are."""
        if place.latest is not None:
            return place.latest - place.earliest
        return (
            max(0, self.originals.end - offset)
            if self.back
            else max(self.copies.end - offset, entered - place.earliest)
        )

    def _offset(self, before: Sequence[Record], after: Sequence[Record]) -> int:
        """Right after the last record read; where none was read here, after the mark, or where the log begins."""
        if before:
            return before[-1].offset + 1
        low = self._bracket.low
        if low is not None:
            return (low.original if self.back else low.copy) + 1
        return after[0].offset if after else (self.originals if self.back else self.copies).start

    def _reason(self, place: Place, read: int, before: int, after: int) -> str:
        side = "originals" if self.back else "copies"
        if place.proven:
            return f"{read} records read correspond to {before} {side} before it, and {after} come after"
        most = "" if place.latest is None else f", {place.latest - place.earliest} {side} further on at the latest"
        return f"the earliest place where the {read} records read can stand among the {side}{most}"


def _same(left: Sequence[Record], right: Sequence[Record]) -> bool:
    """Whether both are the same record; where either side has none there is nothing that disagrees."""
    return not left or not right or left[0].digest == right[0].digest
