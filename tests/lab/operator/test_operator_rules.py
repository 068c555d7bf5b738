"""The table of rules and the tests that carry their numbers."""

from __future__ import annotations

import re
from pathlib import Path

from kmigrate.lab import operator


def test_every_rule_of_the_table_has_a_test_and_every_number_a_rule() -> None:
    table = {int(number) for number in re.findall(r"^ ?(\d+)  ", str(operator.__doc__), re.MULTILINE)}
    names = [
        name
        for path in Path(__file__).parent.glob("test_operator_*.py")
        for name in re.findall(r"^def test_rules?_((?:\d+_|and_)+)", path.read_text(), re.MULTILINE)
    ]
    tested = {int(number) for name in names for number in re.findall(r"\d+", name)}
    assert table == set(range(1, 53))
    assert tested == table
