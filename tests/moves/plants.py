"""What holds each rule of a move (design §4), and what is never done (§9), taken away, with the test that sees it."""

from __future__ import annotations

from collections.abc import Mapping

from planting import Fault
from plants_of_clients import RULE_6, RULE_7, RULE_11
from plants_of_drain import RULE_1, RULE_9, RULE_10
from plants_of_hand_over import RULE_2, RULE_3, RULE_4
from plants_of_lanes import RULE_5, RULE_8, RULE_12
from plants_of_never import NEVER
from plants_of_operator import RULE_13

PLANTS: Mapping[str, tuple[Fault, ...]] = {
    "4.1": RULE_1,
    "4.2": RULE_2,
    "4.3": RULE_3,
    "4.4": RULE_4,
    "4.5": RULE_5,
    "4.6": RULE_6,
    "4.7": RULE_7,
    "4.8": RULE_8,
    "4.9": RULE_9,
    "4.10": RULE_10,
    "4.11": RULE_11,
    "4.12": RULE_12,
    "4.13": RULE_13,
    "9": NEVER,
}
FAULTS = tuple(fault for faults in PLANTS.values() for fault in faults)
