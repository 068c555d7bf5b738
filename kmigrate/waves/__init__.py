"""Which applications must switch together, in which wave, in what order, and why. Pure."""

from kmigrate.waves.lanes import Lanes, crowded, extended, lane_topics, sharers
from kmigrate.waves.order import Move, Role, Wave, moves, stays, together, waves
from kmigrate.waves.reasons import Bond, Edge, bonds, cuts, edges, knots

__all__ = [
    "Bond",
    "Edge",
    "Lanes",
    "Move",
    "Role",
    "Wave",
    "bonds",
    "crowded",
    "cuts",
    "edges",
    "extended",
    "knots",
    "lane_topics",
    "moves",
    "sharers",
    "stays",
    "together",
    "waves",
]
