"""The one polling loop: deadline, transient errors, growing pauses, interrupt."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from kmigrate.adapters.memory import MemoryClock
from kmigrate.errors import Blocked, Interrupted, StillUnderWay, Transient
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import Reporter


@dataclass
class Pauses(MemoryClock):
    """Remembers every pause; interrupts at the pause told."""

    taken: list[int] = field(default_factory=list)
    interrupt_at: int = -1

    def sleep(self, milliseconds: int) -> None:
        self.taken.append(milliseconds)
        self.now += milliseconds
        if len(self.taken) == self.interrupt_at:
            raise Interrupted


class Told(Reporter):
    def __init__(self) -> None:
        self.details: list[str] = []

    def progress(self, what: str, detail: str) -> None:
        self.details.append(detail)


def wait(looks: list[object], clock: Pauses, reporter: Reporter | None = None, deadline_ms: int = 10_000) -> object:
    """Wait through the looks, the last one for ever; an exception among them is raised."""
    left = list(looks)

    def look() -> Ready[object] | NotYet:
        seen = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(seen, Exception):
            raise seen
        assert isinstance(seen, Ready | NotYet)
        return seen

    return wait_until(look, what="tea", clock=clock, reporter=reporter or Reporter(), deadline_ms=deadline_ms)


def test_what_is_ready_is_returned_without_a_pause() -> None:
    clock = Pauses()
    assert wait([Ready(42)], clock) == 42
    assert clock.taken == []


def test_none_can_be_waited_for() -> None:
    assert wait([NotYet("x"), Ready(None)], Pauses()) is None


def test_pauses_grow_by_an_eighth_up_to_the_slowest() -> None:
    clock = Pauses()
    wait([NotYet("x")] * 40 + [Ready(1)], clock, deadline_ms=60_000)
    assert clock.taken[:3] == [50, 56, 63]
    assert max(clock.taken) == 1_000
    assert clock.taken == sorted(clock.taken)


def test_what_has_come_is_seen_before_an_eighth_of_the_wait_has_gone_by_again() -> None:
    clock = Pauses()
    wait([NotYet("x")] * 40 + [Ready(1)], clock, deadline_ms=60_000)
    waited = 0
    for pause in clock.taken:
        assert pause <= 50 + waited / 8
        waited += pause


def test_the_deadline_is_met_exactly_and_the_last_detail_told() -> None:
    clock = Pauses()
    with pytest.raises(StillUnderWay, match="tea: not done after 2 s: the kettle is cold") as caught:
        wait([NotYet("the kettle is cold")], clock, deadline_ms=2_000)
    assert sum(clock.taken) == 2_000
    assert caught.value.exit_code == 11
    assert "kmigrate status" in caught.value.hint


def test_with_no_time_at_all_it_is_looked_once() -> None:
    assert wait([Ready(1)], Pauses(), deadline_ms=0) == 1
    with pytest.raises(StillUnderWay):
        wait([NotYet("x")], Pauses(), deadline_ms=0)


def test_a_transient_error_is_not_yet_and_told() -> None:
    told = Told()
    assert wait([Transient("broker away"), Ready(1)], Pauses(), told) == 1
    assert told.details == ["broker away"]


def test_any_other_error_ends_the_wait() -> None:
    with pytest.raises(Blocked):
        wait([NotYet("x"), Blocked("a human")], Pauses())


def test_an_interrupt_ends_the_wait() -> None:
    clock = Pauses(interrupt_at=3)
    with pytest.raises(Interrupted):
        wait([NotYet("x")], clock)
    assert len(clock.taken) == 3
