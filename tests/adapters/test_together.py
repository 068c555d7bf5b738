"""Several applications as one: side by side, and none is left half done because another failed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from kmigrate.adapters.together import as_one
from kmigrate.errors import PlatformError
from kmigrate.model import Side
from kmigrate.world import WorkloadView


@dataclass
class One:
    """Stops and starts only once all have come so far; `fails` says so instead."""

    met: threading.Barrier
    address: str = "a"
    fails: bool = False
    running: bool = True
    told: list[str] = field(default_factory=list)

    def look(self) -> WorkloadView:
        return WorkloadView(running=self.running, bootstrap=self.address, missing=tuple(self.told))

    def stop(self, deadline_ms: int) -> None:
        self._together(deadline_ms, running=False)

    def switch(self, side: Side, deadline_ms: int) -> None:
        self.address = str(side)

    def start(self, deadline_ms: int) -> None:
        self._together(deadline_ms, running=True)

    def _together(self, deadline_ms: int, *, running: bool) -> None:
        self.met.wait(deadline_ms / 1000)
        if self.fails:
            raise PlatformError("it does not end", hint="")
        self.running = running


def two(**second: bool) -> tuple[One, One]:
    met = threading.Barrier(2)
    return One(met), One(met, **second)


def test_those_beside_each_other_are_stopped_and_started_at_the_same_time() -> None:
    one, other = two()
    both = as_one(beside=[one, other])
    both.stop(10_000)
    assert not both.look().running
    both.start(10_000)
    assert (one.running, other.running) == (True, True)


def test_where_one_fails_the_others_are_done_and_it_is_told() -> None:
    one, other = two(fails=True)
    with pytest.raises(PlatformError, match="does not end"):
        as_one(beside=[one, other]).stop(10_000)
    assert (one.running, other.running) == (False, True)


def test_it_runs_while_one_of_them_does_and_has_an_address_once_all_have_the_same() -> None:
    one, other = two()
    both = as_one(beside=[one], in_turn=[other])
    one.running = False
    assert both.look() == WorkloadView(running=True, bootstrap="a")
    other.address = "b"
    assert both.look().bootstrap == ""
    both.switch(Side.TARGET, 10_000)
    assert both.look().bootstrap == "target"


def test_what_any_of_them_lacks_is_told() -> None:
    one, other = two()
    one.told, other.told = ["no stop"], ["no start"]
    assert as_one(in_turn=[one, other]).look().missing == ("no stop", "no start")


def test_one_alone_is_itself() -> None:
    one, _ = two()
    assert as_one(in_turn=[one]) is one
