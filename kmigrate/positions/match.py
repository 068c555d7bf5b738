"""Locating a position on the other side by the records around it.

The group's position on the side left is X. `before` are the last records visible before X, `after` the first ones from
X on. The same run of records is looked for on the side entered. Where it stands exactly once, the position is the
offset after the copy of the last record before X: the next record read there is the copy of the next record here,
whatever holes markers and aborted records leave between. Offsets are never added or subtracted.

Invariant: the answer is either the one place where the records correspond one to one, or no place at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kmigrate.model import NO_BRACKET, Bracket, Grade, Record

CONTEXT = 32
"""Records on each side of a position that must correspond. Identical twins come in short runs; 32 tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Where a position lies on the other side; `offset` is None when refused, and `reason` says why in one sentence.

    `not_yet` marks a refusal that more copying may cure: the last record before the position has no copy yet.
    `bracket` holds the syncs it was found between. Reading from it repeats at most `repeats_at_most` records.
    """

    offset: int | None
    grade: Grade
    reason: str
    not_yet: bool = False
    bracket: Bracket = NO_BRACKET
    repeats_at_most: int = 0


def locate(
    before: Sequence[Record],
    after: Sequence[Record],
    candidates: Sequence[Record],
    *,
    from_log_start: bool,
    left_is_owner: bool,
    once: bool = True,
) -> Answer:
    """Find the place in `candidates` (offset order, gapless as a committed reader sees them) that corresponds to X.

    `before` holds records ending right before X, `after` all from X on, offset order both. The last CONTEXT of
    `before` are looked for; what stands before them reaches back as far as `candidates` do, for where the same run
    stands twice on this side, before X or after it, the one place found over there may be the copy of the other.
    `from_log_start` says that `before` begins at the first record of the partition's life, so `candidates` must too.
    `left_is_owner` says that the topic is written on the side left, so the other side can hold no record that this
    side lacks; the caller reads `after` last. `once` says that the mirror writes exactly
    once and nothing is compacted away: else nothing is proven.
    """
    if not before:
        return _at_the_beginning(after, candidates, from_log_start=from_log_start, left_is_owner=left_is_owner)
    run = before if from_log_start else before[-CONTEXT:]
    last = _at_the_head(run, candidates) if from_log_start else _only_place(run, (*before, *after), candidates)
    if isinstance(last, Answer):
        return last
    if not _agree(after, candidates[last + 1 :], left_is_owner=left_is_owner):
        return _refused("what follows the position differs between the sides: somebody else writes there")
    behind = len(candidates) - last - 1
    # back from such a side, the reader may have read copies that are gone, of records further on
    further = not once and not left_is_owner and not from_log_start
    grade = Grade.EXACT_PROVEN if once and (from_log_start or len(run) == CONTEXT) else Grade.EXACT_MATCHED
    return Answer(
        offset=candidates[last].offset + 1,
        grade=Grade.SAFE_LOWER_BOUND if further else grade,
        reason=f"{len(run)} records before it and {min(len(after), behind)} after correspond",
        repeats_at_most=behind if further else 0,
    )


def _at_the_head(run: Sequence[Record], candidates: Sequence[Record]) -> int | Answer:
    """Index of the copy of the last record when both sides begin with the first record of the partition's life."""
    if any(a.digest != b.digest for a, b in zip(run, candidates, strict=False)):
        return _refused("the sides begin with different records: one holds what the other never had")
    if len(candidates) < len(run):
        return _refused("the last record before the position has no copy yet", not_yet=True)
    return len(run) - 1


def _only_place(run: Sequence[Record], here: Sequence[Record], candidates: Sequence[Record]) -> int | Answer:
    """Index of the copy of the last record where the run stands once on both sides."""
    ends = _occurrences(run, candidates)
    if not ends:
        return _refused("the last record before the position has no copy yet", not_yet=True)
    if len(ends) > 1 or len(_occurrences(run, here)) > 1:
        return _refused(f"the {len(run)} records before the position stand more than once, so their place is a guess")
    return ends[0]


def _at_the_beginning(
    after: Sequence[Record], candidates: Sequence[Record], *, from_log_start: bool, left_is_owner: bool
) -> Answer:
    if not from_log_start:
        return _refused("the records before the position are gone from one side, so nothing can be compared")
    if not _agree(after, candidates, left_is_owner=left_is_owner):
        return _refused("the other side begins with records that this side never had")
    return Answer(offset=0, grade=Grade.EXACT_PROVEN, reason="no record was ever readable before it on either side")


def _occurrences(run: Sequence[Record], candidates: Sequence[Record]) -> list[int]:
    """Index of the last record of each place where the whole run stands."""
    digests = [record.digest for record in candidates]
    wanted = [record.digest for record in run]
    size = len(wanted)
    last = wanted[-1]
    return [
        i
        for i, seen in enumerate(digests)
        if seen == last and i + 1 >= size and digests[i + 1 - size : i + 1] == wanted
    ]


def _agree(left: Sequence[Record], right: Sequence[Record], *, left_is_owner: bool) -> bool:
    if left_is_owner and len(right) > len(left):
        return False
    return all(a.digest == b.digest for a, b in zip(left, right, strict=False))


def _refused(reason: str, *, not_yet: bool = False) -> Answer:
    return Answer(offset=None, grade=Grade.REFUSED, reason=reason, not_yet=not_yet)
