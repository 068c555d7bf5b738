"""How plan draws the order of moves: waves, what holds a move together, what it may not come after, and circles."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.tree import Tree

from kmigrate.model import Application, Json, JsonObject
from kmigrate.plan import Plan
from kmigrate.waves import Bond, Edge, Move, bonds, cuts, edges, knots, waves


def draw_waves(branch: Tree, applications: Sequence[Application], plan: Plan) -> None:
    """Add a branch per wave, in it the moves in their order with their reasons."""
    after, circles = edges(applications), knots(applications)
    for number, wave in enumerate(waves(applications), 1):
        inner = branch.add(f"wave {number}")
        for move in wave:
            drawn = inner.add(_move(move, plan))
            for told in (*_held_together(move), *_no_later(move, after), *_in_a_circle(move, circles)):
                drawn.add(f"[dim]{escape(told)}[/]")


def waves_json(applications: Sequence[Application]) -> JsonObject:
    """The waves as names, and the reasons: what holds moves together, which go no later than which, circles."""
    order = waves(applications)
    held = [_bond(bond, move) for wave in order for move in wave for bond in bonds(move)]
    return {
        "waves": [[list(move.names) for move in wave] for wave in order],
        "together": held,
        "noLaterThan": [_edge(edge) for edge in edges(applications)],
        "circles": [[list(move.names) for move in knot] for knot in knots(applications)],
    }


def _move(move: Move, plan: Plan) -> str:
    why = {name: plan.stays[name] for name in move.names if name in plan.stays}
    together = " and ".join(move.names) + (" together" if len(move.names) > 1 else "")
    reasons = "; ".join(f"{name} stays: {reason}" for name, reason in why.items())
    return escape(reasons or together)


def _held_together(move: Move) -> list[str]:
    cut = cuts(move)
    return [f"{bond}" + (f"; they could go apart if {bond.way_out}" if bond in cut else "") for bond in bonds(move)]


def _no_later(move: Move, after: Sequence[Edge]) -> list[str]:
    return [
        f"no later than {' and '.join(edge.writer)}: it reads {', '.join(edge.topics)}, written there"
        for edge in after
        if edge.reader == move.names
    ]


def _in_a_circle(move: Move, circles: Sequence[Sequence[Move]]) -> list[str]:
    others = [other.names for knot in circles if move in knot for other in knot if other != move]
    if not others:
        return []
    names = ", ".join(" and ".join(each) for each in others)
    return [f"in one wave with {names}: each reads what another writes; mayStay at a group would cut the circle"]


def _bond(bond: Bond, move: Move) -> Json:
    return {
        "kind": bond.kind,
        "subject": bond.subject,
        "applications": list(bond.applications),
        "cuts": bond in cuts(move),
    }


def _edge(edge: Edge) -> Json:
    return {"reader": list(edge.reader), "writer": list(edge.writer), "topics": list(edge.topics)}
