"""A fault to be planted, and the names of the tests that stand against faults."""

from __future__ import annotations

from dataclasses import dataclass

P = "kmigrate.positions."


@dataclass(frozen=True, slots=True)
class Fault:
    """In a module, `right` is written as `wrong`; `caught_by` is a pytest id below `tests/`."""

    name: str
    module: str
    right: str
    wrong: str
    caught_by: str


def adversary(test: str, kind: str) -> str:
    return f"positions/test_adversary.py::{test}[{kind}]"


LOST, PROVEN = "test_nothing_is_lost", "test_nothing_is_called_proven_that_repeats"
BOUND, EXACT = "test_no_more_is_repeated_than_was_said", "test_what_can_be_known_is_answered_exactly"
