"""The names of the modules that get faults, and of the tests that stand against them."""

from __future__ import annotations

P = "kmigrate.positions."


def adversary(test: str, kind: str) -> str:
    return f"positions/test_adversary.py::{test}[{kind}]"


LOST, PROVEN = "test_nothing_is_lost", "test_nothing_is_called_proven_that_repeats"
BOUND, EXACT = "test_no_more_is_repeated_than_was_said", "test_what_can_be_known_is_answered_exactly"
