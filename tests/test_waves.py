"""Moves and waves: what belongs together goes together, and readers go no later than the writers of their topics."""

import random

from hypothesis import given
from hypothesis import strategies as st

from kmigrate.model import Application, CommandWorkload, Reads
from kmigrate.waves import Role, moves, stays, waves

TOPICS = st.lists(st.sampled_from("abcde"), unique=True, max_size=2).map(tuple)
WORK = (CommandWorkload(stop=("x",), switch=("x",), start=("x",), healthy=("x",)),)


def app(
    name: str,
    reads: str = "",
    writes: str = "",
    *,
    group: str = "",
    ids: tuple[str, ...] = (),
    may_stay: bool = False,
    isolation: str = "read_committed",
) -> Application:
    made = Reads(group=group or f"g-{name}", topics=tuple(reads), may_stay=may_stay, isolation=isolation)
    return Application(
        name=name,
        team="t",
        reads=(made,) if reads else (),
        writes=tuple(writes),
        principals=(),
        workloads=WORK,
        transactional_ids=ids,
    )


@st.composite
def estates(draw: st.DrawFn) -> tuple[Application, ...]:
    count = draw(st.integers(0, 8))
    return tuple(
        app(
            f"app-{number}",
            "".join(draw(TOPICS)),
            "".join(draw(TOPICS)),
            group=draw(st.sampled_from(["", "", "", "shared"])),
            ids=draw(st.sampled_from([(), (), ("t-0",)])),
            may_stay=draw(st.booleans()),
        )
        for number in range(count)
    )


def names(of: tuple[Application, ...]) -> list[list[tuple[str, ...]]]:
    return [[move.names for move in wave] for wave in waves(of)]


@given(estates())
def test_every_application_is_in_one_move_of_one_wave(estate: tuple[Application, ...]) -> None:
    told = [app.name for wave in waves(estate) for move in wave for app in move.applications]
    assert sorted(told) == sorted(app.name for app in estate)


@given(estates())
def test_applications_that_share_what_only_one_side_may_hold_are_in_one_move(estate: tuple[Application, ...]) -> None:
    place = {each.name: move.names for move in moves(estate) for each in move.applications}
    for one in estate:
        for other in estate:
            same_topic = set(one.writes) & set(other.writes)
            same_group = {r.group for r in one.reads} & {r.group for r in other.reads}
            if same_topic or same_group or set(one.transactional_ids) & set(other.transactional_ids):
                assert place[one.name] == place[other.name]


@given(estates())
def test_readers_go_no_later_than_the_writers_of_their_topics(estate: tuple[Application, ...]) -> None:
    wave_of = {each.name: n for n, wave in enumerate(waves(estate)) for m in wave for each in m.applications}
    for reader in estate:
        for reads in reader.reads:
            for writer in estate:
                if not reads.may_stay and set(reads.topics) & set(writer.writes):
                    assert wave_of[reader.name] <= wave_of[writer.name]


@given(estates())
def test_within_a_wave_readers_go_first_and_writers_last(estate: tuple[Application, ...]) -> None:
    for wave in waves(estate):
        assert [move.role for move in wave] == sorted(move.role for move in wave)


@given(estates(), st.randoms())
def test_the_order_of_the_file_changes_nothing(estate: tuple[Application, ...], chance: random.Random) -> None:
    shuffled = list(estate)
    chance.shuffle(shuffled)
    assert names(tuple(shuffled)) == names(estate)


def test_applications_that_share_nothing_are_moves_of_their_own() -> None:
    estate = (app("one", "a"), app("other", "a"))
    assert [move.names for move in moves(estate)] == [("one",), ("other",)]


def test_a_chain_is_three_waves_from_its_last_reader_to_its_first_writer() -> None:
    chain = (app("writer", "", "a"), app("middle", "a", "b"), app("reader", "b"))
    assert names(chain) == [[("reader",)], [("middle",)], [("writer",)]]
    assert [wave[0].role for wave in waves(chain)] == [Role.READER, Role.READER_WRITER, Role.WRITER]


def test_a_reader_that_may_stay_holds_no_writer_back() -> None:
    assert len(waves((app("writer", "", "a"), app("reader", "a", may_stay=True)))) == 1


def test_two_that_read_each_other_go_in_the_same_wave() -> None:
    assert len(waves((app("ping", "a", "b"), app("pong", "b", "a")))) == 1


def test_a_share_through_a_third_binds_all_three() -> None:
    estate = (app("one", writes="a"), app("two", writes="ab"), app("three", writes="b"))
    assert [move.names for move in moves(estate)] == [("one", "three", "two")]


def test_what_cannot_move_is_told_why_and_what_is_bound_to_it() -> None:
    estate = (
        app("free", "a"),
        app("writer", "", "a"),
        app("idle"),
        app("rash", "a", isolation="read_uncommitted"),
        app("twin-1", "b", group="both"),
        app("twin-2", "b", group="both"),
        app("tied", "c", ids=("x",)),
        app("tier", "", "d", ids=("x",)),
    )
    told = stays(estate)
    assert [name for name, why in told.items() if not why] == ["free", "rash", "twin-1", "twin-2"]
    assert told["writer"] == "it writes a, and without mirror.reverse in the plan file it could not come back"
    assert "nothing to move" in told["idle"]
    assert told["tied"] == "it must switch together with tier, which stays"
    assert [name for name, why in stays(estate, way_back=True).items() if why] == ["idle"]
