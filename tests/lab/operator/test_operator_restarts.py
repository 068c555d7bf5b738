"""Rule 49: what FAILED is started again, later each time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from kmigrate.adapters.memory import MemoryClock
from kmigrate.lab.operator.restarts import Restarts
from kmigrate.model import JsonObject

MINUTE = 60_000
ASKED: JsonObject = {"autoRestart": {"enabled": True}}


def status(connector: str = "RUNNING", task: str = "RUNNING") -> JsonObject:
    return {"name": "c", "connector": {"state": connector}, "tasks": [{"id": 0, "state": task}]}


FAILED, WELL = status(task="FAILED"), status()


@dataclass
class Connector:
    """Looked at by the minute; `at` are the minutes at which it was started again."""

    asked: JsonObject
    clock: MemoryClock = field(default_factory=MemoryClock)
    told: JsonObject = field(default_factory=dict)
    at: list[int] = field(default_factory=list)

    def looks(self, minutes: int, seen: JsonObject) -> None:
        restarts = Restarts(clock=self.clock, minute_ms=lambda: MINUTE)
        for _ in range(minutes):
            now = self.clock.now_ms() // MINUTE
            self.told = restarts.after(self.asked, seen, self.told, lambda now=now: self.at.append(now))
            self.clock.sleep(MINUTE)

    def waits(self) -> list[int]:
        return [after - before for before, after in zip(self.at, self.at[1:], strict=False)]


@pytest.mark.parametrize("seen", [FAILED, status(connector="FAILED")])
def test_rule_49_at_once_and_later_each_time(seen: JsonObject) -> None:
    connector = Connector(ASKED)
    connector.looks(300, seen)
    assert connector.at[0] == connector.clock.now_ms() // MINUTE - 300
    assert connector.waits() == [2, 6, 12, 20, 30, 42, 56, 60, 60]
    assert connector.told["count"] == 10


def test_rule_49_what_is_well_is_left_alone_and_counted_anew_after_as_long() -> None:
    connector = Connector(ASKED)
    connector.looks(1, FAILED)
    connector.looks(1, WELL)
    assert connector.told["count"] == 1
    connector.looks(4, WELL)
    assert connector.told == {}
    connector.looks(1, FAILED)
    assert (len(connector.at), connector.told["count"]) == (2, 1)


def test_rule_49_no_more_often_than_is_said() -> None:
    connector = Connector({"autoRestart": {"enabled": True, "maxRestarts": 2}})
    connector.looks(100, FAILED)
    assert len(connector.at) == 2


@pytest.mark.parametrize("asked", [{}, {"autoRestart": {"enabled": False}}])
def test_rule_49_nobody_asked(asked: JsonObject) -> None:
    connector = Connector(asked)
    connector.looks(5, FAILED)
    assert (connector.at, connector.told) == ([], {})
