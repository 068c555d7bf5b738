"""What is drawn is never cut: whole lines where no terminal is, folded ones on a terminal."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console, Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from kmigrate.cli.draw import show, table

GRANT = "kafka-acls.sh --add --allow-principal User:sa-12345 " + " ".join(f"--topic orders-of-{n}" for n in range(40))
PICTURE = f"""
from rich.console import Group
from rich.tree import Tree
from kmigrate.cli.draw import out, show, table
drawn = table("Rights", "application", "grant")
drawn.add_row("a" * 90, "{GRANT}")
tree = Tree("what is there")
tree.add("not known; grant it: {GRANT}")
show(Group(tree, drawn))
out.print("{GRANT}")
"""


def picture() -> RenderableType:
    drawn = table("Rights", "application", "grant")
    drawn.add_row("an-application-with-a-long-name-of-its-own-and-more", GRANT)
    tree = Tree("what is there")
    tree.add(GRANT).add(GRANT)
    return Group(Text(GRANT), tree, drawn)


@pytest.mark.parametrize("columns", ["", "20"])
def test_piped_lines_are_whole_whatever_the_width_of_the_terminal(columns: str) -> None:
    env = {"PATH": "/usr/bin:/bin", **({"COLUMNS": columns} if columns else {})}
    call = [sys.executable, "-c", PICTURE]
    told = subprocess.run(call, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum(GRANT in line for line in told) == 3
    assert any("a" * 90 in line for line in told)


@pytest.mark.parametrize("width", [30, 80])
def test_on_a_terminal_what_is_folded_loses_no_word(width: int) -> None:
    told = io.StringIO()
    show(picture(), Console(width=width, file=told, force_terminal=True, color_system=None, soft_wrap=True))
    text = "".join(told.getvalue().split()).replace("│", "").replace("└──", "").replace("├──", "")
    letters = "".join(GRANT.split())
    assert text.count(letters) >= 3
    assert GRANT in told.getvalue()
