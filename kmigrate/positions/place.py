"""Where a position lies among the records of the other side, as far as the records themselves can tell.

A passage of originals and the passage of copies that was made from it. Copies come in the originals' order; a mirror
that crashed may have written some again. So the originals stand among the copies as a subsequence, and the position
lies between the earliest and the latest place where that subsequence can stand. Where both are one, it is proven. The
earliest is safe in any case: whatever was not read yet stands at or after it.

On compacted topics records are gone from either side, and only this is left: what was surely read comes before the
position, and what was surely not read comes after it.

Indexes count records of a passage, from 0; a place is the index of the next record to be read. Offsets never appear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Digests = Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What lies on both sides between two marks.

    `low`: both begin with the same record. `high`: both end with the same record. `whole`: every original of the
    passage was copied. `compacted`: records may be gone from either side, those at both ends too. `once`: the mirror
    writes exactly once, so no copy comes twice. `alone`: these copies are of these originals and of no others, which a
    mirror that crashed may have left there. `read` and `unread`: so many records of the side entered, at the beginning
    and at the end, are told by the marks to lie before the position, and not before it.
    """

    originals: Digests
    copies: Digests
    low: bool
    high: bool
    whole: bool
    compacted: bool = False
    once: bool = True
    alone: bool = True
    read: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Between the earliest and the latest index where the position can lie; `latest` is None where nothing tells.

    `proven`: the records of the passage correspond one to one around it. `settled`: no record stands between the two
    that could have been read already.
    """

    earliest: int
    latest: int | None
    proven: bool = False
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Why there is no place. `uncopied`: what was read last has no copy yet. `foreign`: a copy has no original."""

    uncopied: bool = False
    foreign: bool = False


def among_copies(passage: Passage, read: int) -> Place | Unplaced:
    """The place among the copies of a reader who has read the first `read` originals of the passage."""
    if not passage.low and not passage.compacted:
        return _aligned(passage, read, len(passage.originals), len(passage.copies))
    if passage.compacted and passage.whole and passage.once:
        return _between_pairs(passage, _pairs(passage.originals, passage.copies), read, len(passage.copies))
    firsts = _embed(passage.originals, passage.copies)
    # with a twin on either side of the position, the copy of the read one may be gone and the other taken for it
    twins = not passage.whole and not set(passage.originals[:read]).isdisjoint(passage.originals[read:])
    if passage.compacted and (twins or not _one_to_one(passage, firsts)):
        return _surely(passage, read)
    if passage.compacted and not passage.whole and read < len(firsts):
        # what comes next may be an older twin's copy, whose original is gone, while the younger is not copied yet
        return Place(earliest=firsts[read], latest=len(passage.copies), settled=True)
    strange = _strange(passage, len(firsts))
    if strange is not None or read > len(firsts):
        return strange or Unplaced(uncopied=True)
    earliest = firsts[read] if read < len(firsts) else len(passage.copies)
    if passage.once:
        return Place(earliest=earliest, latest=earliest, proven=True, settled=True)
    if not passage.high:
        return Place(earliest=earliest, latest=None, settled=True)
    lasts = _embed_backwards(passage.originals, passage.copies)
    latest = lasts[read] if read < len(lasts) else len(passage.copies)
    return Place(earliest=earliest, latest=latest, proven=earliest == latest, settled=True)


def among_originals(passage: Passage, read: int) -> Place | Unplaced:
    """The place among the originals of a reader who has read the first `read` copies of the passage.

    A mirror that crashed may have written more before the passage than its marks tell, so without exactly-once nothing
    is proven here, and of the latest place nothing is known unless all of the log was read.
    """
    if not passage.low and not passage.compacted:
        return _aligned(passage, read, len(passage.copies), len(passage.originals))
    if passage.compacted and passage.whole and passage.once:
        return _between_pairs(passage, _pairs(passage.copies, passage.originals), read, len(passage.originals))
    firsts = _embed(passage.originals, passage.copies)
    if passage.compacted and not (_one_to_one(passage, firsts) and passage.whole):
        return _surely_originals(passage, read)
    strange = _strange(passage, len(firsts))
    if strange is not None:
        return strange
    latest = _count(firsts, lambda place: place < read)
    if passage.once:
        return Place(earliest=latest, latest=latest, proven=True, settled=True)
    if not passage.high and not passage.alone:
        # what seems to be the copy of an original here may be that of a twin before the marks, copied once more
        return Place(earliest=min(latest, passage.read), latest=None)
    lasts = _embed_backwards(passage.originals, passage.copies) if passage.high else _unique(passage)
    earliest = min(latest, _count(lasts, lambda place: place < read))
    return Place(earliest=earliest, latest=latest if passage.alone else None, settled=earliest == latest)


def _pairs(left: Digests, entered: Digests) -> list[tuple[int, int]]:
    """Which records of a whole passage are the same on both sides, by their indexes; needs a mirror that writes once.

    Compaction never takes a record before all older ones of its key, and twins have one key. So on either side the
    youngest of each kind of twins are left, and they correspond from the last one back.
    """
    places: dict[bytes, list[int]] = {}
    for at, record in enumerate(entered):
        places.setdefault(record, []).append(at)
    return [(at, places[left[at]].pop()) for at in range(len(left) - 1, -1, -1) if places.get(left[at])]


def _between_pairs(passage: Passage, pairs: Sequence[tuple[int, int]], read: int, size: int) -> Place | Unplaced:
    """After every record whose pair was read, and before every one whose pair was not; `size` records are entered."""
    earliest = max((there + 1 for here, there in pairs if here < read), default=0)
    latest = min((there for here, there in pairs if here >= read), default=size)
    earliest, latest = max(earliest, passage.read), min(latest, size - passage.unread)
    if earliest > latest:
        return Unplaced(foreign=True)
    one = earliest == latest
    seen = passage.low or passage.high or bool(pairs)
    proven = one and passage.low and list(passage.originals) == list(passage.copies) != []
    return Place(earliest=earliest, latest=latest, proven=proven, settled=one and seen)


def _one_to_one(passage: Passage, firsts: Sequence[int]) -> bool:
    """Nothing was compacted away between the marks, so the passage is as good as one that is never compacted."""
    copied = len(firsts)
    whole = copied == len(passage.copies) and (copied == len(passage.originals) or not passage.whole)
    return passage.low and copied > 0 and whole


def _strange(passage: Passage, copied: int) -> Unplaced | None:
    """A copy of nothing here; or, where both sides end with the same record, an original without a copy."""
    if passage.once and copied != len(passage.copies):
        return Unplaced(foreign=True)
    if not set(passage.copies) <= set(passage.originals):
        return Unplaced(foreign=True)
    if passage.high and copied < len(passage.originals):
        return Unplaced(uncopied=True)
    return None


def _aligned(passage: Passage, read: int, left: int, entered: int) -> Place | Unplaced:
    """Counted back from the common end; needs a mirror that writes once, and equal records all the way."""
    size = min(len(passage.originals), len(passage.copies))
    behind = left - read
    if not passage.high or not passage.once or not size:
        return Unplaced()
    if list(passage.originals[-size:]) != list(passage.copies[-size:]):
        return Unplaced(foreign=True)
    if behind > size:
        return Unplaced()
    return Place(earliest=entered - behind, latest=entered - behind, proven=True, settled=True)


def _embed(originals: Digests, copies: Digests) -> list[int]:
    """The earliest index of each original among the copies, in order; ends with the first that is not there."""
    same = min(len(originals), len(copies))
    if originals[:same] == copies[:same]:
        return list(range(same))  # the common case, and much faster
    places: list[int] = []
    at, end = 0, len(copies)
    for original in originals:
        while at < end and copies[at] != original:
            at += 1
        if at == end:
            break
        places.append(at)
        at += 1
    return places


def _embed_backwards(originals: Digests, copies: Digests) -> list[int]:
    """The latest index of each original among the copies, when the last of both are the same record."""
    end = len(copies) - 1
    return [end - at for at in reversed(_embed(originals[::-1], copies[::-1]))]


def _unique(passage: Passage) -> list[int]:
    """For each original up to the last that is known for certain, the index of a copy that proves it was copied.

    A copy of an original that has no twin proves that one copied, and all before it: first copies come in order.
    """
    counts: dict[bytes, int] = {}
    for original in passage.originals:
        counts[original] = counts.get(original, 0) + 1
    seen: dict[bytes, int] = {}
    for at, copy in enumerate(passage.copies):
        seen.setdefault(copy, at)
    places: list[int] = []
    for number, original in enumerate(passage.originals):
        if counts[original] == 1 and original in seen:
            places.extend([seen[original]] * (number + 1 - len(places)))
    return places


def _surely(passage: Passage, read: int) -> Place:
    """Past every copy that was surely read, up to the first that surely was not.

    First copies come in order, so all that lies before the first copy of something surely read was read as well. A copy
    of something unread may be that of an older twin, whose original is gone; not so the last ones, as many as there are
    unread originals, provided that all of these were copied.
    """
    before, after = passage.originals[:read], passage.originals[read:]
    done, to_come, left = set(before), Counter(after), Counter(passage.copies)
    passed, latest = 0, len(passage.copies)
    seen: set[bytes] = set()
    for at, copy in enumerate(passage.copies):
        if left[copy] <= to_come[copy]:
            latest = at
            break
        left[copy] -= 1
        if copy in done and copy not in to_come and copy not in seen:
            passed = at + 1
        seen.add(copy)
    earliest = _while_read(passage.copies, passed, latest, done - to_come.keys())
    if not passage.once:
        return Place(earliest=earliest, latest=None)  # a second copy may lie anywhere, also beyond the passage
    latest = latest if passage.whole or not after else len(passage.copies)
    settled = earliest == latest and (passed > 0 or latest < len(passage.copies))
    return Place(earliest=earliest, latest=latest, settled=settled)


def _while_read(copies: Digests, at: int, end: int, read: set[bytes]) -> int:
    while at < end and copies[at] in read:
        at += 1
    return at


def _surely_originals(passage: Passage, read: int) -> Place:
    """After the last original that was surely read: first copies come in order, so all before it were read too.

    A copy that comes once more after the position may be an older twin's, whose original is gone: it proves nothing.
    Where the copies end before the originals do, the younger twin may not be copied yet, so no copy but that of the
    low mark proves anything.
    """
    first: dict[bytes, int] = {}
    for number, original in enumerate(passage.originals):
        first.setdefault(original, number)
    done, to_come = set(passage.copies[:read]), set(passage.copies[read:])
    sure = (first[copy] + 1 for copy in done - to_come if copy in first)
    earliest = max(sure, default=0) if passage.whole else min(passage.read, read)
    if not passage.once:
        return Place(earliest=earliest, latest=None)
    unread = (n for n, original in enumerate(passage.originals) if original in to_come and original not in done)
    reach = next(unread, len(passage.originals))
    latest = max(earliest, reach)
    return Place(earliest=earliest, latest=latest, settled=earliest == latest > 0)


def _count(places: Sequence[int], holds: Callable[[int], bool]) -> int:
    return sum(map(holds, places))
