"""No position past the truth, and as many exact ones as can be known, whatever the mirror went through."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from adversary import KINDS, TRAITS, Kind, Table, ask

from kmigrate.model import Record
from kmigrate.positions import Answer, Search

HISTORIES = 150


@pytest.fixture(scope="module")
def table() -> Table:
    return ask(HISTORIES)


def test_nothing_is_lost_and_nothing_is_called_proven_that_repeats(table: Table, record_property: Callable) -> None:
    record_property("table", "\n".join(["", *table.lines()]))
    assert {name: count.lost for name, count in table.kinds.items() if count.lost} == {}
    assert {name: count.proven_wrong for name, count in table.kinds.items() if count.proven_wrong} == {}


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.traits is not None and not kind.back], ids=lambda kind: kind.name
)
def test_no_more_is_repeated_than_was_said(table: Table, kind: Kind) -> None:
    assert table.kinds[kind.name].broken == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_can_be_known_is_answered_exactly(table: Table, kind: Kind) -> None:
    count = table.kinds[kind.name]
    assert count.cases == HISTORIES * 6
    assert count.share >= kind.exact


def test_every_trait_is_met_often_enough(table: Table) -> None:
    drawn = sum(count.cases for name, count in table.kinds.items() if name.startswith("every"))
    assert set(table.traits) == set(TRAITS)
    assert all(count.cases >= 0.05 * drawn for count in table.traits.values())


# ---- faults, each of which must be seen ----


class OneFurther(Search):
    """Answers the record after."""

    def _offset(self, before: Sequence[Record], after: Sequence[Record]) -> int:
        return super()._offset(before, after) + 1


class Subtracting(Search):
    """Adds offsets across holes, as MirrorMaker did before 3.4.1."""

    def answer(self, originals: Sequence[Record], copies: Sequence[Record]) -> Answer | None:
        right = super().answer(originals, copies)
        low = self._bracket.low
        if right is None or right.offset is None or low is None:
            return right
        moved = low.original - low.copy if self.back else low.copy - low.original
        return Answer(offset=self.position + moved, grade=right.grade, reason="", bracket=right.bracket)


class Latest(Search):
    """Takes the latest place instead of the earliest."""

    def answer(self, originals: Sequence[Record], copies: Sequence[Record]) -> Answer | None:
        right = super().answer(originals, copies)
        entered = originals if self.back else copies
        if right is None or right.offset is None or not right.repeats_at_most:
            return right
        rest = [record.offset for record in entered if record.offset >= right.offset]
        late = (*rest, rest[-1] + 1 if rest else right.offset)[min(right.repeats_at_most, len(rest))]
        return Answer(offset=late, grade=right.grade, reason="", bracket=right.bracket)


class Trusting(Search):
    """Believes what a sync says without looking at the records."""

    def answer(self, originals: Sequence[Record], copies: Sequence[Record]) -> Answer | None:
        low = self._bracket.low
        if low is None:
            return super().answer(originals, copies)
        offset = (low.original if self.back else low.copy) + 1
        right = super().answer(originals, copies)
        return Answer(offset=offset, grade=right.grade, reason="") if right and right.offset is not None else right


class TwinBlind(Search):
    """Takes the first record that equals the next one, however many equal ones come before it."""

    def answer(self, originals: Sequence[Record], copies: Sequence[Record]) -> Answer | None:
        right = super().answer(originals, copies)
        left, entered = (copies, originals) if self.back else (originals, copies)
        wanted = next((record.digest for record in left if record.offset >= self.position), None)
        found = next((record.offset for record in entered if record.digest == wanted), None)
        if right is None or right.offset is None or found is None:
            return right
        return Answer(offset=found, grade=right.grade, reason="", bracket=right.bracket)


def seen(kind: type[Search]) -> bool:
    """Whether a faulty search breaks one of the three expectations above."""
    table = ask(HISTORIES, search=kind)
    lost = any(count.lost or count.proven_wrong for count in table.kinds.values())
    return lost or any(table.kinds[each.name].share < each.exact for each in KINDS)


@pytest.mark.parametrize("kind", [OneFurther, Subtracting, Latest, Trusting, TwinBlind], ids=lambda k: k.__name__)
def test_a_fault_in_the_search_is_seen(kind: type[Search]) -> None:
    assert seen(kind)
