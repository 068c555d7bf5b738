"""An adversary that replicates: a partition's originals, the copies a mirror made of them, and the syncs it told.

Its truth is its own: it knows of every record on either side which one it is. One history per seed, with the traits
drawn by it. With several epochs the writers move to the other side and back: what was the copies' side is written to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kmigrate.model import OffsetRange, Record, Side, Sync
from kmigrate.positions import digest

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
    "own times",  # the receiving side stamps records itself, so nothing but their bytes is the same on both sides
    "several epochs",  # the writers moved to the other side, and back, and so on
)


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
class Log:
    """One side of the partition: what lies there by now, all that ever lay there, and its first and next offset."""

    records: list[Lying] = field(default_factory=list)
    written: list[Lying] = field(default_factory=list)
    start: int = 0
    end: int = 0
    timed: bool = True

    def put(self, number: int, timestamp: int, value: bytes) -> None:
        told = digest(timestamp if self.timed else None, None, value)
        self.written.append(Lying(self.end, number, Record(self.end, timestamp, told)))
        self.end += 1

    @property
    def range(self) -> OffsetRange:
        return OffsetRange(start=self.start, end=self.end)


@dataclass(frozen=True, slots=True)
class Change:
    """A hand-over as it truly was: who owns the partition from these offsets on."""

    owner: Side
    source: int
    target: int


@dataclass(slots=True)
class History:
    """What lies on both sides after a while, and what the mirrors told of it, by the owner whose records they copied.

    `content` has time and value of every record by its number, whichever side it was written on.
    """

    traits: frozenset[str]
    rates: Rates = HARSH
    logs: dict[Side, Log] = field(default_factory=lambda: {side: Log() for side in Side})
    told: dict[Side, list[Sync]] = field(default_factory=lambda: {side: [] for side in Side})
    changes: list[Change] = field(default_factory=list)
    content: list[tuple[int, bytes]] = field(default_factory=list)
    now: int = 1_000

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
    epochs = chance.randint(2, 5) if "several epochs" in drawn else 1
    owner = Side.SOURCE
    for log in made.logs.values():
        log.timed = "own times" not in drawn
    for number in range(epochs):
        made.changes.append(Change(owner, made.logs[Side.SOURCE].end, made.logs[Side.TARGET].end))
        _live(made, chance, owner, chance.randint(0, size // epochs), last=number == epochs - 1)
        owner = owner.other
    for log in made.logs.values():
        log.records = list(log.written)
    _forget(made, chance)
    return made


def _live(made: History, chance: random.Random, owner: Side, count: int, *, last: bool) -> None:
    """One epoch; only the last may still be being copied, since nothing is handed over before all is."""
    first, told = len(made.content), len(made.logs[owner.other].written)
    _write(made, chance, made.logs[owner], count)
    end = len(made.content)
    if last and "still copying" in made.traits:
        end = chance.randint(first, end)
    _mirror(made, chance, made.logs[owner.other], range(first, end))
    _tell(made, chance, owner, told, quiet="still copying" not in made.traits)


def _write(made: History, chance: random.Random, log: Log, count: int) -> None:
    for _ in range(count):
        while "holes" in made.traits and chance.random() < 0.15:
            log.end += 1
        made.now += chance.choice((0, 1, 1, 3))
        if "times going back" in made.traits and chance.random() < 0.1:
            made.now -= chance.randint(1, 40)
        number = len(made.content)
        made.content.append(_twin(made, chance) or (made.now, number.to_bytes(8, "big")))
        log.put(number, *made.content[number])
    if "holes" in made.traits:
        log.end += chance.randint(0, 3)


def _twin(made: History, chance: random.Random) -> tuple[int, bytes] | None:
    """Sometimes the record before, sometimes one a little further back, is written once more, or at another time."""
    if made.content and "own times" in made.traits and chance.random() < 0.2:
        return made.now, chance.choice(made.content[-5:])[1]
    if not made.content or "twins" not in made.traits:
        return None
    if chance.random() < 0.3:
        return made.content[-1]
    return chance.choice(made.content[-20:]) if chance.random() < 0.05 else None


def _mirror(made: History, chance: random.Random, to: Log, numbers: range) -> None:
    """Write the records of these numbers to the other side, in the order in which the mirror's runs do."""
    for run in _runs(made, chance, numbers):
        for number in run:
            time, value = made.content[number]
            to.put(number, time if to.timed else to.end, value)
        if made.once and run:
            to.end += 1  # the marker of the mirror's transaction


def _runs(made: History, chance: random.Random, numbers: range) -> Iterator[Sequence[int]]:
    first, at, end = numbers.start, numbers.start, numbers.stop
    while at < end:
        batch = range(at, min(end, at + chance.randint(1, made.rates.batch)))
        yield batch
        if "retries" in made.traits and chance.random() < made.rates.retry:
            yield batch
        at = batch[-1] + 1
        if "zombies" in made.traits and chance.random() < made.rates.zombie and at < end:
            back = max(first, at - chance.randint(1, 20))
            ahead = min(end, at + chance.randint(1, 15))
            yield from _interleaved(range(at, ahead), range(back, min(end, ahead + chance.randint(0, 5))), chance)
            at = ahead if chance.random() < 0.5 else max(back, at)
        elif "crashes" in made.traits and chance.random() < made.rates.crash:
            at = max(first, at - chance.randint(1, 20))


def _interleaved(one: range, other: range, chance: random.Random) -> Iterator[Sequence[int]]:
    """Two tasks write at once; each in order, and each from before what it has not seen written."""
    left, right = list(one), list(other)
    while left or right:
        source = left if left and (not right or chance.random() < 0.5) else right
        size = chance.randint(1, 4)
        yield source[:size]
        del source[:size]


def _tell(made: History, chance: random.Random, owner: Side, begin: int, *, quiet: bool) -> None:
    """Syncs by MirrorMaker's rules: at holes, at rewinds, every so many records, and once per quiet moment.

    `begin`: from which record on the other side is a copy of this epoch.
    """
    lag = chance.choice(made.rates.lags)
    last, previous = -1_000, -1_000
    originals = {each.number: each.offset for each in made.logs[owner].written}
    told: list[Sync] = []
    for copy in made.logs[owner.other].written[begin:]:
        original = originals[copy.number]
        if last < 0 or copy.offset - last > lag or original != previous + 1:
            told.append(Sync(original, copy.offset))
            last = copy.offset
        previous = original
        at_the_end = Sync(original, copy.offset)
    if told and quiet:
        told.append(at_the_end)
    if "lost syncs" in made.traits:
        told = [sync for sync in told if chance.random() > 0.3]
    if "late syncs" in made.traits:
        for at in range(1, len(told)):
            if chance.random() < 0.1:
                told[at - 1], told[at] = told[at], told[at - 1]
    made.told[owner].extend(told)


def _forget(made: History, chance: random.Random) -> None:
    """Compaction and retention, on either side for itself; the originals' side is the source, where life began."""
    for side, name, part in ((Side.SOURCE, "originals", 2), (Side.TARGET, "copies", 3)):
        log = made.logs[side]
        if f"compacted {name}" in made.traits:
            log.records = _compacted(log.records, chance)
        if f"expired {name}" in made.traits:
            log.start = chance.randint(0, log.end // part)
            log.records = [each for each in log.records if each.offset >= log.start]


def _compacted(log: list[Lying], chance: random.Random) -> list[Lying]:
    """An older record of a key goes, except in the part that was not cleaned yet; twins have the same key."""
    keys, clean = chance.choice((5, 15, 60)), chance.randint(0, len(log))
    mine = [int.from_bytes(each.record.digest, "big") % keys for each in log]
    newest = {key: at for at, key in enumerate(mine)}
    return [each for at, each in enumerate(log) if at >= clean or newest[mine[at]] == at]
