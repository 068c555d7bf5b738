"""Exact translation of positions: values in, answer out. Nothing here reads a cluster."""

from kmigrate.positions.digest import digest
from kmigrate.positions.match import CONTEXT, Answer, locate

__all__ = ["CONTEXT", "Answer", "digest", "locate"]
