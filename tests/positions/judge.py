"""Asks the product for positions in the adversary's histories, and holds its answers to the adversary's truth."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from simulator import Change, History, Log, Lying

from kmigrate.model import OffsetRange, Record, Side
from kmigrate.positions import Answer, Carrier, Epochs, Seam, Search, SyncIndex, locate

CONTEXT = 32


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one position: the answer, what it loses, and what it repeats beyond the best answer there is."""

    answer: Answer
    lost: int
    repeated: int
    knowable: bool

    @property
    def exact(self) -> bool:
        return self.answer.offset is not None and self.repeated <= 0

    @property
    def kept(self) -> bool:
        """Whether no more is repeated than was said."""
        return self.answer.offset is None or self.repeated <= self.answer.repeats_at_most


def leaving(*, back: bool) -> Side:
    return Side.TARGET if back else Side.SOURCE


def translate(made: History, position: int, *, back: bool) -> Answer:
    """What the product answers, given nothing but records, syncs, the ends of the logs and the ledger's epochs."""
    left = leaving(back=back)
    carrier = Carrier(
        epochs=epochs_of(made),
        logs={side: log.range for side, log in made.logs.items()},
        syncs={side: _index(made, side) for side in Side},
        compacted=made.compacted,
        once=made.once,
    )
    search = carrier.carry(left, position)
    if isinstance(search, Answer):
        return search
    owner = left.other if search.back else left
    originals, copies = made.logs[owner], made.logs[owner.other]
    while (windows := search.windows()) is not None:
        end = windows.originals_to if windows.originals_to is not None else search.originals.end
        answer = search.answer(
            _within(originals, OffsetRange(start=windows.originals_from, end=end)), _within(copies, windows.copies)
        )
        if answer is not None:
            return answer
    return search.best or _located(search, originals, copies)


def epochs_of(made: History) -> Epochs:
    """What the ledger knows of a history."""
    return Epochs(tuple(Seam(owner=each.owner, source=each.source, target=each.target) for each in made.changes))


def _located(search: Search, originals: Log, copies: Log) -> Answer:
    """Where no sync helps, by the records around the position alone, all of its epoch."""
    here, there = _within(originals, search.originals), _within(copies, search.copies)
    left, entered = (there, here) if search.back else (here, there)
    at = bisect_left(left, search.position, key=lambda record: record.offset)
    return locate(
        left[:at],
        left[at:],
        entered,
        from_log_start=search.begins and at < CONTEXT and not search.compacted,
        left_is_owner=not search.back,
        once=search.once and not search.compacted,
    )


def _index(made: History, owner: Side) -> SyncIndex:
    index = SyncIndex()
    for sync in made.told[owner]:
        index.add(sync)
    return index


def _within(log: Log, wanted: OffsetRange) -> list[Record]:
    first = bisect_left(log.records, wanted.start, key=_offset)
    last = bisect_left(log.records, wanted.end, key=_offset)
    return [each.record for each in log.records[first:last]]


def _offset(each: Lying) -> int:
    return each.offset


def positions(made: History, chance: random.Random, count: int, *, back: bool) -> list[int]:
    """Anywhere in the log; with several epochs now and then at a seam or right beside it."""
    left = leaving(back=back)
    log = made.logs[left].range
    seams = [_at(change, left) for change in made.changes[1:]]
    drawn = [
        chance.choice(seams) + chance.randint(-1, 1)
        if seams and chance.random() < 0.3
        else chance.randint(log.start, log.end)
        for _ in range(count)
    ]
    return [min(max(each, log.start), log.end) for each in drawn]


def _at(change: Change, side: Side) -> int:
    return change.source if side is Side.SOURCE else change.target


def judge(made: History, position: int, answer: Answer, *, back: bool) -> Outcome:
    """Hold an answer to the truth: whatever was not read must come, and little else.

    A reader has read all up to the highest number it met, since the first copy of each record comes after that of the
    one before, and no hand-over leaves any out.
    """
    left = leaving(back=back)
    here, there = made.logs[left], made.logs[left.other].records
    met = max((each.number for each in here.written if each.offset < position), default=-1)
    if answer.offset is None:
        return Outcome(answer, 0, 0, _knowable(here.records, there, position))
    given = [each.number for each in there if each.offset >= answer.offset]
    lost = len({each.number for each in there if each.number > met} - set(given))
    first = next((at for at, each in enumerate(there) if each.number > met), len(there))
    best = sum(each.number <= met for each in there[first:])
    return Outcome(answer, lost, sum(number <= met for number in given) - best, knowable=True)


def _knowable(here: Sequence[Lying], there: Sequence[Lying], position: int) -> bool:
    """Whether what was read last has a copy, or nothing was."""
    visible = [each.number for each in here if each.offset < position]
    return not visible or any(each.number == visible[-1] for each in there)
