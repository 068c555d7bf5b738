"""Ownership epochs: how a position is carried through any number of hand-overs.

A partition is written on one side at a time. Each stretch of its life under one owner is an epoch, and lies somewhere
on either side: as originals where it was written, as copies on the other side. A hand-over is the seam between two
epochs: there both sides stood still, everything was copied, and the mirror was stopped. So the logs are one sequence of
records in two places, whoever wrote them, and a position is translated inside the one epoch it lies in, by that
epoch's syncs and in its direction. What lies right at a seam needs no record at all: the ledger names both offsets.

Nothing leans on a seam that was not seen whole: a position right at it is refused, with what was not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from kmigrate.model import Grade, OffsetRange, Side
from kmigrate.positions.match import Answer
from kmigrate.positions.search import Search
from kmigrate.positions.syncs import SyncIndex


class Seen(StrEnum):
    """What must have been seen at a hand-over before anything may lean on it (design §4, rules 1 and 2)."""

    FENCED = "the writers of the side left were fenced"
    DRAINED = "everything written there was copied"
    STOPPED = "the mirror was stopped and no task of it ran"
    STILL = "both ends were the same when read again"


ALL_SEEN = frozenset(Seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """Where an epoch begins: its owner, the first offset that belongs to it on either side, and what was seen."""

    owner: Side
    source: int = 0
    target: int = 0
    seen: frozenset[Seen] = ALL_SEEN

    def at(self, side: Side) -> int:
        """The first offset of the epoch on that side."""
        return self.source if side is Side.SOURCE else self.target

    @property
    def missing(self) -> tuple[Seen, ...]:
        """What was not seen, in the order in which it is looked for."""
        return tuple(each for each in Seen if each not in self.seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """From one seam to the next; without an `end` it is the one under way. `first`: nothing was before it."""

    begin: Seam
    end: Seam | None
    first: bool

    def within(self, side: Side, log: OffsetRange) -> OffsetRange:
        """What is left of the epoch in the log of that side."""
        end = log.end if self.end is None else min(log.end, self.end.at(side))
        start = max(log.start, self.begin.at(side))
        return OffsetRange(start=start, end=max(start, end))

    def begins(self, side: Side, here: OffsetRange, there: OffsetRange) -> bool:
        """Whether what is left of it on that side and across still begins with the same record, as far as was seen."""
        whole = here.start == self.begin.at(side) and there.start == self.begin.at(side.other)
        return whole and not self.begin.missing


FORWARD = (Seam(owner=Side.SOURCE),)
"""The life of a partition that was never handed over: the source owns it, and both sides begin with one record."""


@dataclass(frozen=True, slots=True)
class Epochs:
    """All epochs of a partition by their seams, oldest first. The owners take turns; no side's offsets go back."""

    seams: tuple[Seam, ...] = FORWARD

    def __post_init__(self) -> None:
        if not self.seams:
            raise ValueError("a partition has one epoch at least")
        for before, after in pairwise(self.seams):
            if before.owner is after.owner or after.source < before.source or after.target < before.target:
                raise ValueError(f"{after} cannot follow {before}")

    @property
    def owner(self) -> Side:
        """The side where the partition is written now."""
        return self.seams[-1].owner

    def of(self, side: Side, position: int) -> Epoch | None:
        """The epoch that a reader at this position of that side reads from next; None before the first one.

        At a seam that is the newer one, also where epochs in which nothing was written lie between.
        """
        number = sum(seam.at(side) <= position for seam in self.seams) - 1
        if number < 0:
            return None
        end = self.seams[number + 1] if number + 1 < len(self.seams) else None
        return Epoch(begin=self.seams[number], end=end, first=number == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One partition, to carry positions of: its epochs, both logs as they are now, and the syncs told by each owner.

    `logs` reach up to the last stable offset, and were looked at after the syncs. `syncs` holds by owner what the lanes
    of that direction told, all epochs of theirs together. `compacted` and `once` are as in a Search.
    """

    epochs: Epochs
    logs: Mapping[Side, OffsetRange]
    syncs: Mapping[Side, SyncIndex]
    compacted: bool = False
    once: bool = True

    def carry(self, leaving: Side, position: int) -> Search | Answer:
        """The answer where the ledger alone gives it, else the search for the next offset to read on that side."""
        for side, syncs in self.syncs.items():
            if syncs.newest is not None and syncs.newest.original >= self.logs[side].end:
                return _refused(
                    f"the {side}'s log ends before the record at {syncs.newest.original}, which the mirror has copied:"
                    " the topic was made anew, or the log has lost records"
                )
        epoch = self.epochs.of(leaving, position)
        if epoch is None:
            return _refused("it lies before the first epoch, from which nothing was copied")
        if not epoch.first and position == epoch.begin.at(leaving):
            if epoch.begin.missing:
                return _refused(f"it stands at a hand-over of which was not seen: {'; '.join(epoch.begin.missing)}")
            entered = epoch.begin.at(leaving.other)
            if self.logs[leaving.other].start <= entered:
                return Answer(offset=entered, grade=Grade.EXACT_PROVEN, reason="both sides stood here at the hand-over")
        return self._search(epoch, leaving, position)

    def _search(self, epoch: Epoch, leaving: Side, position: int) -> Search:
        owner = epoch.begin.owner
        originals = epoch.within(owner, self.logs[owner])
        copies = epoch.within(owner.other, self.logs[owner.other])
        syncs = self.syncs.get(owner, SyncIndex())
        return Search(
            position=position,
            syncs=syncs if epoch.first and epoch.end is None else syncs.within(originals, copies),
            originals=originals,
            copies=copies,
            back=leaving is not owner,
            compacted=self.compacted,
            once=self.once,
            begins=epoch.begins(owner, originals, copies),
            over=epoch.end is not None and not epoch.end.missing,
        )


def _refused(reason: str) -> Answer:
    return Answer(offset=None, grade=Grade.REFUSED, reason=reason)
