"""Applications in human hands: told what to do, believed only by their groups' members."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kmigrate.adapters.manual import ManualWorkloads, Place
from kmigrate.errors import StillUnderWay
from kmigrate.model import Application, Group, GroupState, ManualWorkload, Partition, Principal, Reads, Side
from kmigrate.world import Reporter

HOUR = 3_600_000
PLACES = {
    Side.SOURCE: Place(bootstrap="source:9092", username="sa-1", mechanism="PLAIN"),
    Side.TARGET: Place(bootstrap="target:9094", username="app", mechanism="SCRAM-SHA-512"),
}
APP = Application(
    name="app",
    team="web",
    reads=(Reads(group="one", topics=("t",)), Reads(group="two", topics=("t",))),
    writes=(),
    principals=(Principal(source="User:sa-1", target="app"),),
    workloads=(ManualWorkload(note="call web"),),
)


@dataclass
class Human(Reporter):
    """Reads what is told, and does it at the third progress line, if willing."""

    running: dict[Side, set[str]] = field(default_factory=lambda: {Side.SOURCE: {"one", "two"}, Side.TARGET: set()})
    notes: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    acts: Callable[[Human], None] = lambda _: None
    time: int = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, what: str, detail: str) -> None:
        self.waits.append(f"{what}: {detail}")
        if len(self.waits) == 3:
            self.acts(self)

    def now_ms(self) -> int:
        return self.time

    def monotonic_ms(self) -> int:
        return self.time

    def sleep(self, milliseconds: int) -> None:
        self.time += milliseconds


@dataclass(frozen=True)
class Members:
    """Groups of one side (world.Groups), as far as they are asked here."""

    running: set[str]

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return {
            name: Group(name=name, state=GroupState.STABLE, members=("m",))
            if name in self.running
            else Group(name=name, state=GroupState.EMPTY)
            for name in names
        }

    def all(self) -> Mapping[str, Group]:
        return self.describe(self.running)

    def held(self, groups: Iterable[str]) -> Mapping[str, Mapping[Partition, int]]:
        raise AssertionError(groups)

    def positions(self, wanted: Mapping[str, Iterable[Partition]]) -> Mapping[str, Mapping[Partition, int | None]]:
        raise AssertionError(wanted)

    def commit(self, positions: Mapping[str, Mapping[Partition, int]]) -> None:
        raise AssertionError(positions)

    def delete(self, group: str) -> None:
        raise AssertionError(group)


def workloads(human: Human, folder: Path) -> ManualWorkloads:
    return ManualWorkloads(
        app=APP,
        groups=lambda side: Members(human.running[side]),
        place=PLACES.__getitem__,
        clock=human,
        reporter=human,
        pointed=folder / "state" / "pointed-app",
    )


def move(human: Human, side: Side) -> None:
    human.running = {Side.SOURCE: set(), Side.TARGET: set()} | {side: {"one", "two"}}


def test_it_runs_where_its_groups_have_members(tmp_path: Path) -> None:
    human = Human()
    view = workloads(human, tmp_path).look()
    assert (view.running, view.bootstrap) == (True, "source:9092")
    move(human, Side.TARGET)
    assert workloads(human, tmp_path).look().bootstrap == "target:9094"
    assert human.notes == []
    assert list(tmp_path.iterdir()) == []


def test_members_on_both_sides_have_no_address(tmp_path: Path) -> None:
    human = Human(running={Side.SOURCE: {"one"}, Side.TARGET: {"two"}})
    view = workloads(human, tmp_path).look()
    assert (view.running, view.bootstrap) == (True, "")


def test_a_stop_is_asked_for_and_believed_only_once_the_groups_are_empty(tmp_path: Path) -> None:
    human = Human(acts=lambda me: me.running.update({Side.SOURCE: set()}))
    workloads(human, tmp_path).stop(HOUR)
    assert human.notes == ["stop every instance of app now (call web)"]
    assert human.waits == ["somebody stops app by hand: its groups still have members"] * 3
    workloads(human, tmp_path).stop(HOUR)
    assert len(human.notes) == 1


def test_one_group_still_running_is_not_stopped(tmp_path: Path) -> None:
    human = Human(acts=lambda me: me.running[Side.SOURCE].discard("one"))
    with pytest.raises(StillUnderWay):
        workloads(human, tmp_path).stop(HOUR)


def test_a_human_is_waited_for_until_the_deadline_and_no_longer(tmp_path: Path) -> None:
    human = Human()
    with pytest.raises(StillUnderWay, match="somebody stops app by hand: not done after 7 s"):
        workloads(human, tmp_path).stop(7_000)
    assert human.time == 7_000


def test_the_whole_way_over_and_where_it_points_survives_the_process(tmp_path: Path) -> None:
    human = Human(running={Side.SOURCE: set(), Side.TARGET: set()}, acts=lambda me: move(me, Side.TARGET))
    assert workloads(human, tmp_path).look().bootstrap == "source:9092"
    workloads(human, tmp_path).switch(Side.TARGET, HOUR)
    assert human.notes == ["point app to the target: target:9094, user app, SCRAM-SHA-512 over TLS (call web)"]
    view = workloads(human, tmp_path).look()
    assert (view.running, view.bootstrap) == (False, "target:9094")
    workloads(human, tmp_path).start(HOUR)
    assert human.notes[-1] == "start app on the target now (call web)"
    assert human.waits[-1] == "somebody starts app on the target by hand: not every group has members there yet"
    workloads(human, tmp_path).start(HOUR)
    assert len(human.notes) == 2


def test_a_stop_taken_back_starts_it_where_it_ran(tmp_path: Path) -> None:
    human = Human(acts=lambda me: me.running.update({Side.TARGET: set()}))
    move(human, Side.TARGET)
    workloads(human, tmp_path).stop(HOUR)
    assert workloads(human, tmp_path).look().bootstrap == "target:9094"


def test_started_on_the_wrong_side_is_not_started(tmp_path: Path) -> None:
    human = Human(running={Side.SOURCE: set(), Side.TARGET: set()}, acts=lambda me: move(me, Side.SOURCE))
    workloads(human, tmp_path).switch(Side.TARGET, HOUR)
    with pytest.raises(StillUnderWay, match="starts app on the target"):
        workloads(human, tmp_path).start(HOUR)
