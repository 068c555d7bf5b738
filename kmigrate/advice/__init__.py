"""What an operator should know before anything is touched: the estate as seen, red flags, pages that explain. Pure."""

from kmigrate.advice.estate import Inventory, SeenGroup
from kmigrate.advice.flag import Flag, Severity
from kmigrate.advice.flag_pages import FLAGS
from kmigrate.advice.flags import ABORTED_AHEAD, BORNE, FOREIGN_WRITE, LANE_SHARED, Judged, judge
from kmigrate.advice.flags_of_rights import writers

__all__ = [
    "ABORTED_AHEAD",
    "BORNE",
    "FLAG_IDS",
    "FOREIGN_WRITE",
    "LANE_SHARED",
    "Flag",
    "Inventory",
    "Judged",
    "SeenGroup",
    "Severity",
    "judge",
    "writers",
]

FLAG_IDS = frozenset(FLAGS) - {"KM-ACCEPT-UNMATCHED"}
"""Every id that a plan may accept."""
