"""Takes away, one at a time, what holds a rule of a move (design §4 and §9), and tells whether its test fails.

By hand, for the table of rules, plants and tests:  ./dev python tests/moves/plant.py [RULE …]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from planting import CALM, outcomes, tell
from plants import FAULTS, PLANTS


def table(rules: Sequence[str]) -> None:
    """Each rule, and below it each plant with its test and how that failed, as it comes."""
    chosen = {rule: faults for rule, faults in PLANTS.items() if rule in rules or not rules}
    rule_of = {fault.name: rule for rule, faults in chosen.items() for fault in faults}
    last = ""
    for told in outcomes(fault for faults in chosen.values() for fault in faults):
        name = str(told["fault"])
        if name == CALM:
            say(f"{told['ran']} tests without a fault, failed: {told['failed'] or 'none'}")
            continue
        if rule_of[name] != last:
            last = rule_of[name]
            say(f"rule {last}")
        say(f"  {'✓' if told['caught'] else '✗ NOT CAUGHT:'} {name}")
        say(f"      {told['module']} → {told['test']}\n      {told['how']}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--json"]:
        tell(FAULTS, words[1:])
    else:
        table(words)
