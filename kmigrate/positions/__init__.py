"""Exact translation of positions: values in, answer out. Nothing here reads a cluster."""

from kmigrate.positions.alike import alike, by_place, enough_as_runs
from kmigrate.positions.digest import digest
from kmigrate.positions.epochs import FORWARD, Carrier, Epoch, Epochs, Seam, Seen
from kmigrate.positions.match import CONTEXT, Answer, locate
from kmigrate.positions.mirrors_own import mirrors_own
from kmigrate.positions.search import Search, Windows
from kmigrate.positions.syncs import MirrorsOwn, SyncIndex, read_checkpoint, read_sync

__all__ = [
    "CONTEXT",
    "FORWARD",
    "Answer",
    "Carrier",
    "Epoch",
    "Epochs",
    "MirrorsOwn",
    "Seam",
    "Search",
    "Seen",
    "SyncIndex",
    "Windows",
    "alike",
    "by_place",
    "digest",
    "enough_as_runs",
    "locate",
    "mirrors_own",
    "read_checkpoint",
    "read_sync",
]
