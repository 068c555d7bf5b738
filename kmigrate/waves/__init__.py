"""Which applications must switch together, in which wave, in what order, and why. Pure."""

from kmigrate.waves.order import Move, Role, Wave, moves, stays, together, waves
from kmigrate.waves.reasons import Bond, Edge, bonds, cuts, edges, knots

__all__ = [
    "Bond",
    "Edge",
    "Move",
    "Role",
    "Wave",
    "bonds",
    "cuts",
    "edges",
    "knots",
    "moves",
    "stays",
    "together",
    "waves",
]
