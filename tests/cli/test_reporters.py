"""What is told while something is waited for, where no terminal is."""

from __future__ import annotations

import pytest

from kmigrate.cli.draw import JsonReporter, TerminalReporter


@pytest.mark.parametrize("reporter", [TerminalReporter, JsonReporter])
def test_a_wait_without_a_terminal_tells_how_far_it_is_every_half_minute(
    reporter: type[TerminalReporter | JsonReporter], capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1_000.0]
    told = reporter(lambda: now[0])
    told.step_started("provision", "find-cluster", "Find it")
    for _ in range(100):
        now[0] += 1
        told.progress("cluster", "1 of 1 not ready; Kafka kafka/c: [/] not looked at")
    seen = capsys.readouterr()
    assert seen.err.splitlines() == ["  … cluster: 1 of 1 not ready; Kafka kafka/c: [/] not looked at"] * 3
    assert seen.out == ""


def test_a_short_step_tells_nothing_of_its_waits(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    told = TerminalReporter(lambda: now[0])
    for _ in range(10):
        told.step_started("provision", "create-users", "Create")
        now[0] += 20
        told.progress("users", "not yet")
    assert capsys.readouterr().err == ""


def test_a_note_is_told_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalReporter().note("Read on [/orders]")
    assert capsys.readouterr().err == "  Read on [/orders]\n"
