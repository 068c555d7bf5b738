"""apply --wave: which moves it takes, in which order, and what is told when one of them ends it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from memory_estate import Estate

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.cli.gate import telling_of_the_rest
from kmigrate.cli.migrate import chosen_moves
from kmigrate.cli.session import Session
from kmigrate.errors import Blocked, UsageError
from kmigrate.journal import Journal
from kmigrate.planfile import load
from kmigrate.story import story

PLANS = Path(__file__).parents[2] / "plans"


def session(plan: str) -> Session:
    migration = load(PLANS / f"{plan}.yaml")
    estate = Estate(migration)
    journal = Journal(estate.lines, estate.clock, "test", migration.name)
    return Session(
        migration=migration,
        plan=story(migration),
        journal=journal,
        world=MemoryWorld(estate),
        read_anew=lambda: nullcontext(journal),
    )


def test_a_wave_is_its_moves_in_the_order_of_plan_readers_first() -> None:
    s = session("mirror-back")
    assert [chosen_moves(s, "cutover", "", number) for number in range(1, len(s.plan.waves) + 1)] == list(s.plan.waves)
    assert tuple(move for wave in s.plan.waves for move in wave) == s.plan.moves
    assert chosen_moves(s, "cutover", "", 1) == ("fraud",)


@pytest.mark.parametrize(
    ("phase", "app", "wave", "told"),
    [
        ("rehearse", "", 1, "--wave belongs to --phase cutover"),
        ("cutover", "fraud", 1, "stands instead of --app"),
        ("cutover", "", 7, "wave 7 has no move; there are 1: fraud, 2: checkout"),
        ("cutover", "", -1, "wave -1 has no move"),
    ],
)
def test_what_is_no_wave_is_told_with_those_there_are(phase: str, app: str, wave: int, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chosen_moves(session("mirror-back"), phase, app, wave)


def test_a_wave_in_which_all_stay_has_nothing_to_move() -> None:
    s = session("writer-stays")
    assert () in s.plan.waves
    with pytest.raises(UsageError, match="has no move"):
        chosen_moves(s, "cutover", "", s.plan.waves.index(()) + 1)


def test_who_ends_a_wave_says_what_was_done_and_what_waits() -> None:
    with (
        pytest.raises(Blocked) as told,
        telling_of_the_rest(["a"], ["c", "d"], "the same command with --wave 2 goes on"),
    ):
        raise Blocked("b is in the way", hint="mend it")
    assert told.value.hint.splitlines() == [
        "mend it",
        "  done before: a",
        "  not begun: c, d (the same command with --wave 2 goes on)",
    ]
