"""An adversary that replicates: a partition's originals, the copies a mirror made of them, and the syncs it told.

Its truth is its own: it knows of every copy which original it is. One history per seed, with the traits drawn by it.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kmigrate.model import OffsetRange, Record, Sync
from kmigrate.positions import Answer, Search, SyncIndex, locate

TRAITS = (
    "holes",  # markers and aborted records between the originals
    "twins",  # records equal in every byte and in time
    "times going back",
    "retries",  # a batch written again right after itself
    "crashes",  # a mirror that goes on from before what it wrote last
    "zombies",  # one that goes on for a while after another took over
    "lost syncs",
    "late syncs",
    "compacted originals",
    "compacted copies",
    "expired originals",
    "expired copies",
    "still copying",
)
NOTHING = OffsetRange(start=0, end=0)


@dataclass(frozen=True, slots=True)
class Rates:
    """How often things go wrong; `harsh` is far more than a mirror does, and breaks what a realistic rate would not."""

    retry: float = 0.15
    crash: float = 0.1
    zombie: float = 0.08
    lags: tuple[int, ...] = (0, 3, 10, 40)
    batch: int = 12


HARSH = Rates()
STUDIED = Rates(retry=0.01, crash=0.02, zombie=0.02, lags=(100,), batch=50)
"""The rates of the study that the expectations come from (`mirrormaker2.md` §3.3)."""
_AT_LEAST_ONCE = ("retries", "crashes", "zombies")


@dataclass(frozen=True, slots=True)
class Lying:
    """A record at an offset, with the number it was written under; equal digests are twins."""

    offset: int
    number: int
    record: Record


@dataclass(slots=True)
class History:
    """What lies on both sides after a while, and what the mirror told of it.

    `written` and `copied` are all that ever lay there, for the truth alone.
    """

    traits: frozenset[str]
    rates: Rates = HARSH
    originals: list[Lying] = field(default_factory=list)
    copies: list[Lying] = field(default_factory=list)
    syncs: SyncIndex = field(default_factory=SyncIndex)
    originals_range: OffsetRange = NOTHING
    copies_range: OffsetRange = NOTHING
    told: list[Sync] = field(default_factory=list)
    written: list[Lying] = field(default_factory=list)
    copied: list[Lying] = field(default_factory=list)

    @property
    def once(self) -> bool:
        return self.traits.isdisjoint(_AT_LEAST_ONCE)

    @property
    def compacted(self) -> bool:
        return bool({"compacted originals", "compacted copies"} & self.traits)


def history(seed: int, traits: frozenset[str] | None = None, size: int = 120, rates: Rates = HARSH) -> History:
    """One history; the same for the same arguments. Without traits each is drawn with one chance in five."""
    chance = random.Random(seed)
    drawn = frozenset(t for t in TRAITS if chance.random() < 0.2) if traits is None else traits
    made = History(drawn, rates)
    _write(made, chance, chance.randint(0, size))
    _mirror(made, chance)
    _tell(made, chance)
    made.written, made.copied = list(made.originals), list(made.copies)
    _forget(made, chance)
    return made


def _write(made: History, chance: random.Random, count: int) -> None:
    offset, time = 0, 1_000
    for number in range(count):
        while "holes" in made.traits and chance.random() < 0.15:
            offset += 1
        time += chance.choice((0, 1, 1, 3))
        if "times going back" in made.traits and chance.random() < 0.1:
            time -= chance.randint(1, 40)
        twin = _twin(made, chance)
        told = (twin.timestamp, twin.digest) if twin else (time, number.to_bytes(8, "big"))
        record = Record(offset=offset, timestamp=told[0], digest=told[1])
        made.originals.append(Lying(offset, number, record))
        offset += 1
    if "holes" in made.traits:
        offset += chance.randint(0, 3)
    made.originals_range = OffsetRange(start=0, end=offset)


def _twin(made: History, chance: random.Random) -> Record | None:
    """Sometimes the record before, sometimes one a little further back, is written once more."""
    if not made.originals or "twins" not in made.traits:
        return None
    if chance.random() < 0.3:
        return made.originals[-1].record
    return chance.choice(made.originals[-20:]).record if chance.random() < 0.05 else None


def _mirror(made: History, chance: random.Random) -> None:
    """The numbers of the originals in the order in which they were written to the other side."""
    offset = 0
    for run in _runs(made, chance):
        for number in run:
            source = made.originals[number]
            made.copies.append(Lying(offset, number, _moved(source.record, offset)))
            offset += 1
        if made.once and run:
            offset += 1  # the marker of the mirror's transaction
    made.copies_range = OffsetRange(start=0, end=offset)


def _moved(record: Record, offset: int) -> Record:
    return Record(offset=offset, timestamp=record.timestamp, digest=record.digest)


def _runs(made: History, chance: random.Random) -> Iterator[Sequence[int]]:
    end = len(made.originals)
    if "still copying" in made.traits:
        end = chance.randint(0, end)
    at = 0
    while at < end:
        batch = range(at, min(end, at + chance.randint(1, made.rates.batch)))
        yield batch
        if "retries" in made.traits and chance.random() < made.rates.retry:
            yield batch
        at = batch[-1] + 1
        if "zombies" in made.traits and chance.random() < made.rates.zombie and at < end:
            back = max(0, at - chance.randint(1, 20))
            ahead = min(end, at + chance.randint(1, 15))
            yield from _interleaved(range(at, ahead), range(back, min(end, ahead + chance.randint(0, 5))), chance)
            at = ahead if chance.random() < 0.5 else max(back, at)
        elif "crashes" in made.traits and chance.random() < made.rates.crash:
            at = max(0, at - chance.randint(1, 20))


def _interleaved(one: range, other: range, chance: random.Random) -> Iterator[Sequence[int]]:
    """Two tasks write at once; each in order, and each from before what it has not seen written."""
    left, right = list(one), list(other)
    while left or right:
        source = left if left and (not right or chance.random() < 0.5) else right
        size = chance.randint(1, 4)
        yield source[:size]
        del source[:size]


def _tell(made: History, chance: random.Random) -> None:
    """Syncs by MirrorMaker's rules: at holes, at rewinds, every so many records, and once per quiet moment."""
    lag = chance.choice(made.rates.lags)
    last, previous = -1_000, -1_000
    for copy in made.copies:
        original = made.originals[copy.number].offset
        if last < 0 or copy.offset - last > lag or original != previous + 1:
            made.told.append(Sync(original, copy.offset))
            last = copy.offset
        previous = original
    if made.copies and "still copying" not in made.traits:
        made.told.append(Sync(made.originals[made.copies[-1].number].offset, made.copies[-1].offset))
    if "lost syncs" in made.traits:
        made.told = [sync for sync in made.told if chance.random() > 0.3]
    if "late syncs" in made.traits:
        for at in range(1, len(made.told)):
            if chance.random() < 0.1:
                made.told[at - 1], made.told[at] = made.told[at], made.told[at - 1]
    for sync in made.told:
        made.syncs.add(sync)


def _forget(made: History, chance: random.Random) -> None:
    """Compaction and retention, on either side for itself."""
    if "compacted originals" in made.traits:
        made.originals = _compacted(made.originals, chance)
    if "compacted copies" in made.traits:
        made.copies = _compacted(made.copies, chance)
    if "expired originals" in made.traits:
        start = chance.randint(0, made.originals_range.end // 2)
        made.originals = [each for each in made.originals if each.offset >= start]
        made.originals_range = OffsetRange(start=start, end=made.originals_range.end)
    if "expired copies" in made.traits:
        start = chance.randint(0, made.copies_range.end // 3)
        made.copies = [each for each in made.copies if each.offset >= start]
        made.copies_range = OffsetRange(start=start, end=made.copies_range.end)


def _compacted(log: list[Lying], chance: random.Random) -> list[Lying]:
    """An older record of a key goes, except in the part that was not cleaned yet; twins have the same key."""
    keys, clean = chance.choice((5, 15, 60)), chance.randint(0, len(log))
    mine = [int.from_bytes(each.record.digest, "big") % keys for each in log]
    newest = {key: at for at, key in enumerate(mine)}
    return [each for at, each in enumerate(log) if at >= clean or newest[mine[at]] == at]


# ---- asking ----


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


def translate(made: History, position: int, *, back: bool, kind: type[Search] = Search) -> Answer:
    """What the product answers, given nothing but records, syncs and the ends of the logs."""
    search = kind(
        position=position,
        syncs=made.syncs,
        originals=made.originals_range,
        copies=made.copies_range,
        back=back,
        compacted=made.compacted,
        once=made.once,
    )
    while (windows := search.windows()) is not None:
        end = windows.originals_to if windows.originals_to is not None else made.originals_range.end
        originals = _within(made.originals, windows.originals_from, end)
        copies = _within(made.copies, windows.copies.start, windows.copies.end)
        answer = search.answer(originals, copies)
        if answer is not None:
            return answer
    left, entered = (made.copies, made.originals) if back else (made.originals, made.copies)
    at = bisect_left(left, position, key=lambda each: each.offset)
    records = [each.record for each in left]
    return locate(
        records[:at],
        records[at:],
        [each.record for each in entered],
        from_log_start=made.originals_range.start == 0 == made.copies_range.start and at < 32 and not made.compacted,
        left_is_owner=not back,
        once=made.once,
    )


def _within(log: Sequence[Lying], start: int, end: int) -> list[Record]:
    first = bisect_left(log, start, key=lambda each: each.offset)
    last = bisect_left(log, end, key=lambda each: each.offset)
    return [each.record for each in log[first:last]]


def positions(made: History, chance: random.Random, count: int, *, back: bool) -> list[int]:
    log = made.copies_range if back else made.originals_range
    return [chance.randint(log.start, log.end) for _ in range(count)]


def judge(made: History, position: int, answer: Answer, *, back: bool) -> Outcome:
    """Hold an answer to the truth."""
    judged = _judge_back if back else _judge
    return judged(made, position, answer)


def _judge(made: History, position: int, answer: Answer) -> Outcome:
    """A reader of originals goes on with the copies: whatever it has not read must come, and little else."""
    read = sum(each.offset < position for each in made.written)
    first = next((at for at, each in enumerate(made.copies) if each.number >= read), len(made.copies))
    visible = [each.number for each in made.originals if each.offset < position]
    knowable = not visible or any(each.number == visible[-1] for each in made.copies)
    if answer.offset is None:
        return Outcome(answer, 0, 0, knowable)
    given = [each.number for each in made.copies if each.offset >= answer.offset]
    lost = len({each.number for each in made.copies if each.number >= read} - set(given))
    best = sum(each.number < read for each in made.copies[first:])
    return Outcome(answer, lost, sum(number < read for number in given) - best, knowable)


def _judge_back(made: History, position: int, answer: Answer) -> Outcome:
    """A reader of copies goes back to the originals: it has read all up to the highest number it met."""
    met = max((each.number for each in made.copied if each.offset < position), default=-1)
    if answer.offset is None:
        return Outcome(answer, 0, 0, knowable=bool(made.copies))
    lost = sum(each.number > met for each in made.originals if each.offset < answer.offset)
    repeated = sum(each.number <= met for each in made.originals if each.offset >= answer.offset)
    return Outcome(answer, lost, repeated, knowable=True)
