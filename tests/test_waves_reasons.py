"""Why applications go together and in which order: the reasons explain the moves, and what they name would cut them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from test_waves import app, estates

from kmigrate.model import Application
from kmigrate.waves import Bond, bonds, cuts, edges, knots, moves, waves


def without(estate: tuple[Application, ...], bond: Bond) -> tuple[Application, ...]:
    """The estate as the way out of a bond would have it."""

    def changed(each: Application) -> Application:
        if bond.kind == "topic" and each.name != bond.applications[0]:
            return replace(each, writes=tuple(t for t in each.writes if t != bond.subject))
        if bond.kind == "group":
            own = (replace(r, group=f"of-{each.name}") if r.group == bond.subject else r for r in each.reads)
            return replace(each, reads=tuple(own))
        own_ids = tuple(f"of-{each.name}" if i == bond.subject else i for i in each.transactional_ids)
        return replace(each, transactional_ids=own_ids) if bond.kind == "transactional id" else each

    return tuple(map(changed, estate))


@given(estates())
def test_bonds_hold_together_exactly_the_moves_of_more_than_one(estate: tuple[Application, ...]) -> None:
    for move in moves(estate):
        held = bonds(move)
        assert bool(held) == (len(move.names) > 1)
        assert {name for bond in held for name in bond.applications} == (set(move.names) if held else set())


@given(estates())
def test_without_a_bond_that_cuts_there_are_more_moves_and_without_another_there_are_not(
    estate: tuple[Application, ...],
) -> None:
    for move in moves(estate):
        for bond in bonds(move):
            more = len(moves(without(estate, bond))) > len(moves(estate))
            assert more == (bond in cuts(move))


@given(estates())
def test_an_edge_says_why_a_move_is_in_no_later_wave(estate: tuple[Application, ...]) -> None:
    number = {move.names: n for n, wave in enumerate(waves(estate)) for move in wave}
    for edge in edges(estate):
        assert number[edge.reader] <= number[edge.writer]
    first = {edge.writer for edge in edges(estate)}
    assert all(number[name] == 0 for name in number if name not in first)


@given(estates())
def test_moves_in_a_circle_share_a_wave_and_every_circle_has_an_edge_each_way(estate: tuple[Application, ...]) -> None:
    number = {move.names: n for n, wave in enumerate(waves(estate)) for move in wave}
    for knot in knots(estate):
        names = {move.names for move in knot}
        assert len(names) > 1
        assert len({number[name] for name in names}) == 1
        inside = [edge for edge in edges(estate) if edge.reader in names and edge.writer in names]
        assert {edge.reader for edge in inside} == {edge.writer for edge in inside} == names


def test_two_that_read_what_the_other_writes_are_a_circle_that_may_stay_cuts() -> None:
    pair = (app("a", "x", "y"), app("b", "y", "x"))
    ((one, other),) = knots(pair)
    assert (one.names, other.names) == (("a",), ("b",))
    assert knots((app("a", "x", "y", may_stay=True), app("b", "y", "x"))) == ()


def test_reasons_are_told_in_words() -> None:
    trio = (app("a", writes="x"), app("b", writes="x", ids=("t",)), app("c", "y", group="g", ids=("t",)))
    (move,) = moves(trio)
    assert [str(bond) for bond in bonds(move)] == [
        "a and b write topic x",
        "b and c write with transactional id t",
    ]
    assert [bond.way_out for bond in cuts(move)] == [
        "only one of them wrote topic x",
        "each had a transactional id of its own instead of t",
    ]
