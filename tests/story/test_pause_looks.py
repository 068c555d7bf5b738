"""How often a move looks while an application stands still: once for all groups and partitions, not once for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from memory_estate import Estate, migration
from walking import APP, crossing, journal_of, plan_of, run_until

from kmigrate.adapters.memory import MemoryWorld
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Bracket, Direction, Group, Json, Partition, Side
from kmigrate.probes.groups import positions_held
from kmigrate.probes.translation import Translation, Translator, translator
from kmigrate.steps.cutover import CarryPositions, DrainMirror
from kmigrate.world import Groups, Ledger

UNIT = f"cutover/{APP}#1"


@dataclass
class Asked:
    """Passes everything on, and counts by name what was asked for."""

    of: object
    names: Counter[str] = field(default_factory=Counter)

    def __getattr__(self, name: str) -> object:
        found = getattr(self.of, name)
        if not callable(found):
            return found

        def counted(*given: object, **named: object) -> object:
            self.names[name] += 1
            return found(*given, **named)

        return counted


@dataclass(frozen=True)
class Looked(MemoryWorld):
    """Counts looks at logs by side, and at marks."""

    clusters: dict[Side, Asked] = field(default_factory=dict)
    marks: list[Asked] = field(default_factory=list)

    def bound(self, ledger: Ledger) -> Looked:
        return replace(self, ledger=ledger)

    def cluster(self, side: Side) -> Asked:
        return self.clusters.setdefault(side, Asked(super().cluster(side)))

    @property
    def mirror(self) -> Asked:
        if not self.marks:
            self.marks.append(Asked(super().mirror))
        return self.marks[0]


@dataclass
class Facts:
    """A ledger that counts which facts are read."""

    of: Ledger
    read: Counter[str] = field(default_factory=Counter)

    @property
    def sealed(self) -> bool:
        return self.of.sealed

    def get(self, name: str) -> Json:
        self.read[name] += 1
        return self.of.get(name)

    def by_unit(self, name: str) -> Mapping[str, Json]:
        return self.of.by_unit(name)

    def put(self, name: str, value: Json) -> None:
        self.of.put(name, value)


def carried(estate: Estate) -> tuple[CarryPositions, Ledger]:
    """The step that carries, and the ledger of a move in which it is done; the application stands still."""
    lines = crossing(estate)
    run_until(estate, lines, '"event":"VERIFIED","step":"carry-positions"')
    steps = plan_of().unit(APP, Direction.CUTOVER, 1).steps
    (step,) = [each for each in steps if isinstance(each, CarryPositions)]
    return step, journal_of(estate, lines).ledger(UNIT, "f")


def test_whether_the_positions_were_settled_is_read_once_a_group_and_not_once_a_partition() -> None:
    estate = Estate()
    step, ledger = carried(estate)
    facts = Facts(ledger)
    assert not step.check(MemoryWorld(estate).bound(facts)).changes
    assert facts.read["committed"] == len(step.app.reads) == 1


def test_of_groups_that_stand_still_marks_and_ends_are_looked_up_once() -> None:
    estate = Estate()
    carried(estate)
    (app,) = migration().applications
    for still, looks in ((True, 1), (False, 3)):
        world = Looked(estate)
        carrier = translator(world, Side.SOURCE, forward_lanes(migration()), still=still)
        held = positions_held(MemoryWorld(estate), Side.SOURCE, app.reads[0])
        found = [carrier.translate(held).positions for _ in range(3)]
        assert found[0] == found[1] == found[2]
        assert world.mirror.names["syncs"] == looks
        assert {side: asked.names["ranges"] for side, asked in world.clusters.items()} == dict.fromkeys(Side, looks)


def standing() -> tuple[Looked, Translator, Translator, dict[Partition, int]]:
    """A world that counts, a translator over it of groups that stand still, one that looks anew, and places."""
    estate = Estate()
    carried(estate)
    (app,) = migration().applications
    world, lanes = Looked(estate), forward_lanes(migration())
    counted = translator(world, Side.SOURCE, lanes, still=True)
    alone = translator(MemoryWorld(estate), Side.SOURCE, lanes)
    return world, counted, alone, positions_held(MemoryWorld(estate), Side.SOURCE, app.reads[0])


def bracket(of: Translation, partition: Partition) -> Bracket:
    return of.positions[partition].bracket


def passages_read(world: Looked) -> dict[Side, int]:
    return {side: asked.names["runs"] + asked.names["reading"] for side, asked in world.clusters.items()}


def looks(world: Looked) -> dict[Side, int]:
    return {side: asked.names.total() for side, asked in world.clusters.items()}


def test_a_place_that_another_group_has_is_not_read_again_and_another_place_is() -> None:
    world, carrier, alone, held = standing()
    first = carrier.translate(held)
    read = looks(world)
    assert carrier.translate(held) == first
    assert looks(world) == read
    moved = min(p for p, offset in held.items() if offset)
    elsewhere = {**held, moved: held[moved] - 1}
    anew = alone.translate(elsewhere)
    assert carrier.translate(elsewhere) == anew
    assert anew.positions[moved] != first.positions[moved]


def test_what_several_groups_will_ask_for_is_looked_up_in_as_many_rounds_as_a_partition_has_places() -> None:
    world, carrier, alone, held = standing()
    behind = {p: max(0, offset - 1) for p, offset in held.items()}
    carrier.foresee([held, behind, held, {}])
    read = looks(world)
    for wanted in (held, behind):
        assert carrier.translate(wanted) == alone.translate(wanted)
    assert looks(world) == read


def test_passages_between_the_same_marks_are_read_once_for_all_groups() -> None:
    world, carrier, alone, held = standing()
    moved = max(held, key=lambda p: held[p])
    found = {at: alone.translate({moved: at}) for at in range(held[moved])}
    same = [(at - 1, at) for at in range(1, held[moved]) if bracket(found[at - 1], moved) == bracket(found[at], moved)]
    first, second = next(iter(same))
    assert carrier.translate({moved: first}) == found[first]
    read = passages_read(world)
    assert carrier.translate({moved: second}) == found[second]
    assert passages_read(world) == read == dict.fromkeys(Side, 1)


def test_ready_has_looked_at_every_lane_before_anything_is_stopped() -> None:
    estate = Estate()
    lines = crossing(estate)
    world = Looked(estate).bound(journal_of(estate, lines).ledger(UNIT, "f"))
    plan_of().unit(APP, Direction.CUTOVER, 1).steps[0].check(world)
    assert world.mirror.names["copied"] == len(forward_lanes(migration())) == 1
    assert estate.app.running


@dataclass(frozen=True)
class Unstable(MemoryWorld):
    """Groups that commit in one transaction after the other: whoever asks for what is stable would wait in vain."""

    def bound(self, ledger: Ledger) -> Unstable:
        return replace(self, ledger=ledger)

    def groups(self, side: Side) -> AtWork:
        return AtWork(super().groups(side))


@dataclass
class AtWork:
    """The groups of a side, of which nobody stands still."""

    of: Groups

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return self.of.describe(names)

    def positions(
        self, wanted: Mapping[str, Iterable[Partition]], *, stable: bool = True
    ) -> Mapping[str, Mapping[Partition, int | None]]:
        assert not stable, "somebody waits for a group that works"
        return self.of.positions(wanted, stable=False)


def test_a_preview_waits_for_no_group_that_still_works_in_transactions() -> None:
    estate = Estate()
    lines = crossing(estate)
    world = Unstable(estate).bound(journal_of(estate, lines).ledger(UNIT, "f"))
    steps = plan_of().unit(APP, Direction.CUTOVER, 1).steps
    (drain,) = [each for each in steps if isinstance(each, DrainMirror)]
    assert drain.check(world).changes[0].detail.startswith("positions of group ")
