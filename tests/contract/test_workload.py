"""What every Workload promises (kmigrate.world): stopped, pointed elsewhere, started, each twice as well as once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from memory_estate import APP, GROUP, TOPIC, migration

from kmigrate.adapters.commands import CommandWorkloads
from kmigrate.adapters.manual import ManualWorkloads, Place
from kmigrate.adapters.memory import MemoryClock, MemoryEstate, MemoryGroups
from kmigrate.adapters.together import as_one
from kmigrate.model import CommandWorkload, Side, Topic
from kmigrate.world import Reporter, Workload

MINUTE = 60_000
ADDRESSES = {Side.SOURCE: "source:9092", Side.TARGET: "target:9092"}

# an application of one file: what it is set to, and whether it runs
_PROGRAM = """
import json, os, pathlib, sys
state = pathlib.Path(sys.argv[1])
seen = json.loads(state.read_text())
if sys.argv[2] == "switch":
    seen["bootstrap"] = json.loads(pathlib.Path(os.environ["KMIGRATE_SETTINGS"]).read_text())["bootstrap"]
elif sys.argv[2] != "healthy":
    seen["running"] = sys.argv[2] == "start"
state.write_text(json.dumps(seen))
print(json.dumps(seen))
"""


@dataclass
class Human(Reporter):
    """Does what is told, but only while somebody waits."""

    groups: dict[Side, MemoryGroups] = field(default_factory=lambda: {side: MemoryGroups(str(side)) for side in Side})
    side: Side = Side.SOURCE
    told: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.told.append(text)

    def work(self) -> None:
        while self.told:
            text = self.told.pop(0)
            if text.startswith("point"):
                self.side = Side.TARGET if "target" in text else Side.SOURCE
            else:
                self.groups[self.side].members[GROUP] = ("a member",) if text.startswith("start") else ()


def in_memory(_: Path) -> Workload:
    estate = MemoryEstate(migration())
    estate.clusters[Side.SOURCE].create(Topic(name=TOPIC, partitions=1))
    estate.turn()
    return estate.workloads[APP]


def of_programs(folder: Path) -> Workload:
    state = folder / "state.json"
    state.write_text(json.dumps({"running": True, "bootstrap": ADDRESSES[Side.SOURCE]}))
    stop, switch, start, healthy = (
        (sys.executable, "-c", _PROGRAM, str(state), verb) for verb in ("stop", "switch", "start", "healthy")
    )
    work = CommandWorkload(stop=stop, switch=switch, start=start, healthy=healthy)
    return CommandWorkloads("app", [work], lambda side: {"bootstrap": ADDRESSES[side]}, folder)


def by_hand(folder: Path) -> Workload:
    human = Human()
    human.groups[Side.SOURCE].members[GROUP] = ("a member",)
    return ManualWorkloads(
        app=migration().application(APP),
        groups=human.groups.__getitem__,
        place=lambda side: Place(bootstrap=ADDRESSES[side], username="u", mechanism="m"),
        clock=MemoryClock(human.work),
        reporter=human,
        pointed=folder / "pointed",
    )


def several(folder: Path) -> Workload:
    """Two side by side, and a human after them."""
    folders = [folder / name for name in ("one", "two", "three")]
    for each in folders:
        each.mkdir()
    return as_one(beside=[of_programs(each) for each in folders[:2]], in_turn=[by_hand(folders[2])])


WORKLOADS: dict[str, Callable[[Path], Workload]] = {
    "memory": in_memory,
    "commands": of_programs,
    "manual": by_hand,
    "several": several,
}


@pytest.fixture(params=sorted(WORKLOADS))
def workload(request: pytest.FixtureRequest, tmp_path: Path) -> Workload:
    return WORKLOADS[request.param](tmp_path)


def seen(workload: Workload) -> tuple[bool, str]:
    view = workload.look()
    return view.running, view.bootstrap


def test_it_runs_where_its_settings_point(workload: Workload) -> None:
    assert seen(workload) == seen(workload) == (True, ADDRESSES[Side.SOURCE])


def test_stopped_it_does_not_run_and_its_settings_stay(workload: Workload) -> None:
    for _ in range(2):
        workload.stop(MINUTE)
        assert seen(workload) == (False, ADDRESSES[Side.SOURCE])


def test_switched_its_settings_point_to_the_other_side_and_nothing_starts(workload: Workload) -> None:
    workload.stop(MINUTE)
    for _ in range(2):
        workload.switch(Side.TARGET, MINUTE)
        assert seen(workload) == (False, ADDRESSES[Side.TARGET])


def test_started_it_runs_on_the_side_its_settings_point_to(workload: Workload) -> None:
    workload.stop(MINUTE)
    workload.switch(Side.TARGET, MINUTE)
    for _ in range(2):
        workload.start(MINUTE)
        assert seen(workload) == (True, ADDRESSES[Side.TARGET])


def test_it_comes_back(workload: Workload) -> None:
    for side in (Side.TARGET, Side.SOURCE):
        workload.stop(MINUTE)
        workload.switch(side, MINUTE)
        workload.start(MINUTE)
        assert seen(workload) == (True, ADDRESSES[side])


def test_stopped_and_started_again_nothing_has_changed(workload: Workload) -> None:
    workload.stop(MINUTE)
    workload.start(MINUTE)
    assert seen(workload) == (True, ADDRESSES[Side.SOURCE])
