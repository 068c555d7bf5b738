"""Asks the simulated adversary many times and counts: cases, lost records, exact answers, by class and by trait.

By hand, for as many histories as there is time for:  ./dev python tests/positions/adversary.py 100000
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from judge import Outcome, judge, positions, translate
from simulator import HARSH, STUDIED, TRAITS, Rates, history

from kmigrate.model import Grade

_ASKED = 6
"""Positions that are asked for in each history."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of histories; `exact` is the least share of exact answers among those given."""

    name: str
    traits: frozenset[str] | None
    exact: float
    back: bool = False
    rates: Rates = HARSH
    size: int = 120


_ONCE = frozenset({"holes", "twins", "times going back"})
_TWICE = frozenset({"holes", "twins", "retries", "crashes"})
_EPOCHS = frozenset({"several epochs"})
_WORN = frozenset({"lost syncs", "late syncs", "expired originals", "expired copies", "still copying"})
_COMPACTED = frozenset({"holes", "compacted originals", "compacted copies"})
KINDS = (
    Kind("clean", frozenset(), 1.0),
    Kind("clean, back", frozenset(), 1.0, back=True),
    Kind("exactly once: holes, twins, any times", _ONCE, 1.0),
    Kind("exactly once, back", _ONCE, 1.0, back=True),
    Kind("exactly once, lost and late syncs", _ONCE | {"lost syncs", "late syncs"}, 1.0),
    Kind("exactly once, still copying", _ONCE | {"still copying"}, 1.0),
    Kind("exactly once, expired on either side", _ONCE | {"expired originals", "expired copies"}, 1.0),
    Kind("exactly once, several epochs", _ONCE | _EPOCHS, 1.0),
    Kind("exactly once, several epochs, back", _ONCE | _EPOCHS, 1.0, back=True),
    Kind("exactly once, several epochs, lost syncs, expired", _ONCE | _EPOCHS | _WORN, 1.0),
    Kind("exactly once, the receiving side stamps its own time", _ONCE | {"own times", "still copying"}, 1.0),
    Kind("exactly once, own times, several epochs, back", _ONCE | _EPOCHS | {"own times"}, 1.0, back=True),
    Kind("at least once, as studied", _TWICE, 0.999, rates=STUDIED, size=900),
    Kind("at least once, 30 % of syncs lost, as studied", _TWICE | {"lost syncs"}, 0.999, rates=STUDIED, size=900),
    Kind("zombies, as studied", _TWICE | {"zombies"}, 0.998, rates=STUDIED, size=900),
    Kind("at least once, harsh", _TWICE, 0.98),
    Kind("zombies and lost syncs, harsh", _TWICE | {"zombies", "lost syncs"}, 0.97),
    Kind("at least once, still copying, harsh", _TWICE | {"still copying"}, 0.95),
    Kind("at least once, harsh, back", _TWICE, 0.7, back=True),
    Kind("zombies and lost syncs, harsh, back", _TWICE | {"zombies", "lost syncs"}, 0.6, back=True),
    Kind("at least once, harsh, several epochs", _TWICE | _EPOCHS, 0.8),
    Kind("at least once, harsh, several epochs, back", _TWICE | _EPOCHS, 0.8, back=True),
    Kind("compacted", _COMPACTED, 0.85),
    Kind("compacted, back", _COMPACTED, 0.85, back=True),
    Kind("compacted, twins", _COMPACTED | {"twins"}, 0.85),
    Kind("compacted, twins, still copying", _COMPACTED | {"twins", "still copying"}, 0.7),
    Kind("compacted, twins, back", _COMPACTED | {"twins"}, 0.8, back=True),
    Kind("at least once, compacted, twins", _COMPACTED | _TWICE, 0.6),
    Kind("at least once, compacted, twins, back", _COMPACTED | _TWICE, 0.6, back=True),
    Kind("compacted, several epochs", _COMPACTED | _EPOCHS, 0.85),
    Kind("compacted, twins, several epochs, back", _COMPACTED | {"twins"} | _EPOCHS, 0.8, back=True),
    Kind("every trait by chance", None, 0.92),
    Kind("every trait by chance, back", None, 0.9, back=True),
)


@dataclass(slots=True)
class Count:
    """What came of many positions."""

    cases: int = 0
    answered: int = 0
    exact: int = 0
    lost: int = 0
    proven: int = 0
    proven_wrong: int = 0
    unknowable: int = 0
    broken: int = 0
    matched: int = 0
    matched_wrong: int = 0

    def take(self, outcome: Outcome) -> None:
        answer = outcome.answer
        self.cases += 1
        self.answered += answer.offset is not None
        self.exact += outcome.exact
        self.lost += outcome.lost > 0
        self.proven += answer.grade is Grade.EXACT_PROVEN
        self.proven_wrong += answer.grade is Grade.EXACT_PROVEN and not outcome.exact
        self.matched += answer.grade is Grade.EXACT_MATCHED
        self.matched_wrong += answer.grade is Grade.EXACT_MATCHED and not outcome.exact
        self.broken += not outcome.kept
        self.unknowable += answer.offset is None and not outcome.knowable

    @property
    def share(self) -> float:
        return self.exact / self.answered if self.answered else 1.0

    @property
    def row(self) -> str:
        told = f"{self.cases:>9,} {self.answered:>9,} {self.share:>8.2%}"
        grades = f"{self.proven:>9,} {self.proven_wrong:>6} {self.matched:>9,} {self.matched_wrong:>6}"
        return f"{told} {grades} {self.lost:>5} {self.broken:>10}"


@dataclass(slots=True)
class Table:
    """Counts by class, and by trait over the classes that draw them by chance."""

    kinds: dict[str, Count] = field(default_factory=dict)
    traits: dict[str, Count] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        drawn = sum(count.cases for name, count in self.kinds.items() if name.startswith("every"))
        heads = f"{'':55} {'cases':>9} {'answered':>9} {'exact':>8} {'proven':>9} {'wrong':>6}"
        yield f"{heads} {'matched':>9} {'wrong':>6} {'lost':>5} {'past bound':>10}"
        for name, count in self.kinds.items():
            yield f"{name:55} {count.row}"
        for name, count in self.traits.items():
            yield f"{f'{name} ({count.cases / max(drawn, 1):.0%} of the cases by chance)':55} {count.row}"


def ask(histories: int, kinds: Iterable[Kind] = KINDS, first: int = 0) -> Table:
    """So many histories of each class, from seed `first` on, each asked for six positions."""
    table = Table()
    for kind in kinds:
        count = table.kinds.setdefault(kind.name, Count())
        for seed in range(first, first + histories):
            made = history(seed, kind.traits, kind.size, kind.rates)
            for position in positions(made, random.Random(seed), _ASKED, back=kind.back):
                outcome = judge(made, position, translate(made, position, back=kind.back), back=kind.back)
                count.take(outcome)
                if kind.traits is None:
                    for trait in made.traits:
                        table.traits.setdefault(trait, Count()).take(outcome)
    table.traits = {trait: table.traits[trait] for trait in TRAITS if trait in table.traits}
    return table


def main() -> None:
    """Print the table."""
    began = time.perf_counter()
    table = ask(int(sys.argv[1]), first=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    for line in table.lines():
        sys.stdout.write(f"{line}\n")
    cases = sum(count.cases for count in table.kinds.values())
    sys.stdout.write(f"{cases:,} cases in {time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
