"""The engine walks toy steps with state: what is written before what, what is resumed, what is undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from kmigrate.adapters.memory import Death, Died, MemoryClock, MemoryLines
from kmigrate.engine import preview, run_unit, undo_unit, way_back
from kmigrate.errors import Blocked, Interrupted, NoWayBack, Overrun, VerifyFailed, WentBack
from kmigrate.journal import Event, Journal
from kmigrate.model import Json, JsonObject
from kmigrate.plan import HELD, Action, Change, Finding, Step, Unit
from kmigrate.world import Ledger, Reporter


@dataclass
class Room:
    """A world with lamps, and what was done in it."""

    death: Death
    lamps: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    reporter: Reporter = field(default_factory=Reporter)
    ledger: Ledger | None = None
    clock: MemoryClock = field(default_factory=MemoryClock)

    def bound(self, ledger: Ledger) -> Room:
        self.ledger = ledger
        return self

    def set(self, lamp: str, to: str) -> None:
        self.death.pass_by()
        self.lamps[lamp] = to
        self.death.pass_by()


@dataclass(frozen=True, kw_only=True)
class Light(Step):
    """Switch a lamp on; `before` is what it was."""

    title: ClassVar[str] = "Light"
    name: str
    to: str = "on"
    lies: bool = False
    one_way: str = ""

    def check(self, world: Room) -> Finding:
        world.done.append(f"check {self.name}")
        was = world.lamps.get(self.name, "off")
        change = Change(action=Action.CHANGE, subject=self.name)
        return Finding(changes=() if was == self.to else (change,), before={"was": was})

    def apply(self, world: Room) -> None:
        world.done.append(f"apply {self.name}")
        world.set(self.name, "broken" if self.lies else self.to)

    def verify(self, world: Room) -> Json:
        world.done.append(f"verify {self.name}")
        return super().verify(world)

    def undo(self, world: Room, before: JsonObject) -> None:
        world.done.append(f"undo {self.name}")
        world.set(self.name, str(before["was"]))


def unit(*steps: Step) -> Unit:
    return Unit(name="room", title="Room", gate="Now?", steps=steps or (Light(name="a"), Light(name="b")))


def journal_of(lines: MemoryLines) -> Journal:
    return Journal(lines, MemoryClock(), "me", "shop")


def events(lines: MemoryLines) -> Iterator[str]:
    return (f"{entry.event} {entry.step}".strip() for entry in journal_of(lines).entries[1:])


@pytest.fixture
def death() -> Death:
    return Death()


def test_a_step_is_checked_started_applied_verified_and_the_unit_sealed(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    run_unit(unit(Light(name="a")), room, journal_of(lines))
    assert room.done == ["check a", "apply a", "verify a", "check a"]
    assert list(events(lines)) == ["STARTED a", "APPLIED a", "VERIFIED a", "SEALED"]


def test_started_is_on_disk_before_the_first_change(death: Death) -> None:
    class Looking(Light):
        def apply(self, world: Room) -> None:
            assert list(events(lines))[-1] == "STARTED a"
            super().apply(world)

    room, lines = Room(death), MemoryLines(death)
    run_unit(unit(Looking(name="a")), room, journal_of(lines))
    assert room.lamps == {"a": "on"}


def test_a_satisfied_step_is_not_applied_and_still_verified(death: Death) -> None:
    room, lines = Room(death, {"a": "on"}), MemoryLines(death)
    run_unit(unit(Light(name="a")), room, journal_of(lines))
    assert "apply a" not in room.done
    assert "verify a" in room.done


@pytest.mark.parametrize(("lasts", "looked"), [(True, ["check a"]), (False, ["check a", "verify a", "check a"])])
def test_what_was_verified_is_proven_again_by_who_goes_on_only_where_it_does_not_last(
    lasts: bool, looked: list[str], death: Death
) -> None:
    class Seen(Light):
        pass

    Seen.lasts = lasts
    room, lines = Room(death), MemoryLines(death)
    with pytest.raises(VerifyFailed):
        run_unit(unit(Seen(name="a"), Light(name="b", lies=True)), room, journal_of(lines))
    room.done.clear()
    with pytest.raises(VerifyFailed):
        run_unit(unit(Seen(name="a"), Light(name="b", lies=True)), room, journal_of(lines))
    assert [each for each in room.done if each.endswith("a")] == looked


def test_a_sealed_unit_is_not_looked_at_again(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    run_unit(unit(), room, journal_of(lines))
    room.done.clear()
    run_unit(unit(), room, journal_of(lines))
    assert room.done == []


def test_a_step_that_lies_is_not_sealed(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    with pytest.raises(VerifyFailed) as told:
        run_unit(unit(Light(name="a", lies=True)), room, journal_of(lines))
    assert list(events(lines)) == ["STARTED a", "APPLIED a"]
    assert told.value.where == "room, a"


def calm() -> int:
    death = Death()
    run_unit(unit(), Room(death), journal_of(MemoryLines(death)))
    return death.seen


@pytest.mark.parametrize("instant", range(1, calm() + 1))
def test_death_at_every_line_and_every_change_then_on_comes_to_the_same_end(instant: int) -> None:
    death = Death(at=instant)
    room, lines = Room(death), MemoryLines(death)
    with pytest.raises(Died):
        run_unit(unit(), room, journal_of(lines))
    run_unit(unit(), room, journal_of(lines))
    assert room.lamps == {"a": "on", "b": "on"}
    record = journal_of(lines).unit("room")
    assert record is not None
    assert record.sealed
    assert {name: step.before for name, step in record.steps.items()} == {"a": {"was": "off"}, "b": {"was": "off"}}


@pytest.mark.parametrize("instant", range(1, calm() + 1))
def test_death_anywhere_then_back_then_death_anywhere_in_it_restores_what_was(instant: int) -> None:
    for second in range(1, 16):
        death = Death(at=instant)
        room, lines = Room(death, {"a": "dim"}), MemoryLines(death)
        with pytest.raises(Died):
            run_unit(unit(), room, journal_of(lines))
        death.at = death.seen + second
        try:
            undo_unit(unit(), room, journal_of(lines))
        except Died:
            undo_unit(unit(), room, journal_of(lines))
        assert room.lamps.get("a") == "dim"
        assert room.lamps.get("b", "off") == "off"


def test_undo_goes_in_reverse_order_and_says_that_the_unit_went_back(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    run_unit(unit(), room, journal_of(lines))
    room.done.clear()
    undo_unit(unit(), room, journal_of(lines))
    assert room.done == ["undo b", "undo a"]
    assert list(events(lines))[-5:] == ["UNDOING b", "UNDONE b", "UNDOING a", "UNDONE a", "WENT_BACK"]


def test_a_unit_that_went_back_can_be_run_again(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    run_unit(unit(), room, journal_of(lines))
    undo_unit(unit(), room, journal_of(lines))
    run_unit(unit(), room, journal_of(lines))
    assert room.lamps == {"a": "on", "b": "on"}
    record = journal_of(lines).unit("room")
    assert record is not None
    assert (record.sealed, record.went_back) == (True, False)


def test_a_one_way_step_is_seen_before_anything_is_undone(death: Death) -> None:
    steps = (Light(name="a", one_way="burnt"), Light(name="b"))
    room, lines = Room(death), MemoryLines(death)
    run_unit(unit(*steps), room, journal_of(lines))
    room.done.clear()
    with pytest.raises(NoWayBack, match="burnt") as told:
        undo_unit(unit(*steps), room, journal_of(lines))
    assert room.done == []
    assert told.value.hint == f"go on: kmigrate apply --phase {unit().name}"


@pytest.mark.parametrize(
    ("name", "on", "back"),
    [
        ("provision#2", "apply --phase provision", "--to with a checkpoint before it"),
        ("cutover/a+b#1", "apply --phase cutover --app a+b", "--app a+b"),
        ("rollback/app#2", "rollback --app app", "--app app"),
    ],
)
def test_what_cannot_go_on_or_back_names_the_command_to_type(name: str, on: str, back: str, death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    begun = replace(unit(Light(name="a", one_way="burnt", lies=True)), name=name)
    with pytest.raises(VerifyFailed):
        run_unit(begun, room, journal_of(lines))
    with pytest.raises(NoWayBack) as one_way:
        way_back(begun, journal_of(lines))
    assert one_way.value.hint == f"go on: kmigrate {on}"
    with pytest.raises(Blocked, match="another plan") as edited:
        run_unit(replace(begun, steps=(Light(name="b"),)), room, journal_of(lines))
    assert f"kmigrate rollback {back}" in edited.value.hint


def test_a_one_way_step_that_never_started_does_not_stand_in_the_way(death: Death) -> None:
    steps = (Light(name="a"), Light(name="b", one_way="burnt"))
    lines = MemoryLines(death)
    journal_of(lines).record("room", "f", Event.STARTED, "a", {"was": "off"})
    assert [step.name for step in way_back(unit(*steps), journal_of(lines))] == ["a"]


def test_a_begun_unit_with_another_plan_is_blocked_and_nothing_happens(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    with pytest.raises(VerifyFailed):
        run_unit(unit(Light(name="a", lies=True)), room, journal_of(lines))
    room.done.clear()
    with pytest.raises(Blocked, match="another plan"):
        run_unit(unit(Light(name="a", to="dim")), room, journal_of(lines))
    assert room.done == []


def test_a_plan_edited_after_the_yes_and_before_the_first_step_can_be_resumed(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    journal_of(lines).record("room", "of the old plan", Event.APPROVED)
    death.at = death.seen + 3
    with pytest.raises(Died):
        run_unit(unit(), room, journal_of(lines))
    run_unit(unit(), room, journal_of(lines))
    assert room.lamps == {"a": "on", "b": "on"}


def test_the_fingerprint_follows_values_and_order() -> None:
    a, b = Light(name="a"), Light(name="b")
    told = {
        unit(a, b).fingerprint,
        unit(b, a).fingerprint,
        unit(a).fingerprint,
        unit(a, Light(name="b", to="dim")).fingerprint,
    }
    assert len(told) == 4
    assert unit(a, b).fingerprint == unit(Light(name="a"), Light(name="b")).fingerprint


def test_preview_changes_nothing_and_tells_what_blocks(death: Death) -> None:
    class Blocking(Light):
        def check(self, world: Room) -> Finding:
            raise Blocked("no hands")

    room, lines = Room(death), MemoryLines(death)
    seen = preview(unit(Light(name="a"), Blocking(name="b")), room, journal_of(lines))
    assert [(len(each.changes), each.blocked) for each in seen] == [(1, ""), (0, "no hands")]
    assert (room.lamps, lines.written) == ({}, [])


class Outgrown(Light):
    def apply(self, world: Room) -> None:
        super().apply(world)
        raise Overrun("it takes too long")


def test_a_unit_that_outgrows_its_budget_is_undone_newest_first(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    with pytest.raises(WentBack, match="it takes too long") as told:
        run_unit(unit(Light(name="a"), Outgrown(name="b")), room, journal_of(lines))
    assert told.value.where == "room, b"
    assert room.lamps == {"a": "off", "b": "off"}
    assert list(events(lines))[-5:] == ["UNDOING b", "UNDONE b", "UNDOING a", "UNDONE a", "WENT_BACK"]


def test_from_the_point_of_no_undo_on_it_holds_instead(death: Death) -> None:
    room, lines = Room(death), MemoryLines(death)
    held = replace(unit(Light(name="a"), Outgrown(name="b")), point_of_no_undo="b")
    with pytest.raises(Blocked, match="it holds, b was begun"):
        run_unit(held, room, journal_of(lines))
    assert HELD in journal_of(lines).units["room"].facts
    assert room.lamps == {"a": "on", "b": "on"}


def test_an_interrupt_while_looking_ends_the_look(death: Death) -> None:
    class Struck(Light):
        def check(self, world: Room) -> Finding:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        preview(unit(Struck(name="a"), Light(name="b")), Room(death), journal_of(MemoryLines(death)))
