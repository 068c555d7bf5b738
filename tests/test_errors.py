"""The tree drawn in the docstring is the tree of classes, with their exit codes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kmigrate import errors
from kmigrate.errors import Interrupted, Invalid, KmigrateError, PlanFileError

LINE = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+) +(?P<code>\d+) ")


def drawn() -> list[tuple[int, str, int]]:
    found = (LINE.match(line) for line in (errors.__doc__ or "").splitlines())
    return [(len(m["indent"]) // 4 + 1, m["name"], int(m["code"])) for m in found if m]


def classes(of: type[KmigrateError] = KmigrateError, depth: int = 1) -> list[tuple[int, str, int]]:
    told: list[tuple[int, str, int]] = []
    for each in of.__subclasses__():
        if each.__module__ == errors.__name__:
            code = Interrupted().exit_code if each is Interrupted else each.exit_code
            told += [(depth, each.__name__, code), *classes(each, depth + 1)]
    return told


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    assert drawn() == classes()
    assert len(drawn()) == 18


def test_every_class_says_what_it_is() -> None:
    assert all(getattr(errors, name).__doc__ for _, name, _ in classes())


def test_a_signal_gives_the_exit_code_shells_expect() -> None:
    assert (Interrupted(2).exit_code, Interrupted(15).exit_code) == (130, 143)


def test_a_defect_is_one() -> None:
    assert KmigrateError("x").exit_code == 1


def test_every_mistake_and_every_problem_is_in_the_text() -> None:
    assert "2 mistakes\n  line 1: a\n  line 2: b" in str(PlanFileError("f", ["line 1: a", "line 2: b"]))
    assert str(Invalid("refused", ["spec.x: unknown"])) == "refused\n  spec.x: unknown"


def swallowed(source: str) -> Iterator[int]:
    """Lines of `except KmigrateError` (or wider) that goes on, and would take an Interrupted for a finding."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Try):
            continue
        spared = False
        for handler in node.handlers:
            caught = ast.unparse(handler.type) if handler.type else "BaseException"
            again = any(isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(handler))
            if caught in ("KmigrateError", "Exception", "BaseException") and not spared and not again:
                yield handler.lineno
            spared = spared or ("Interrupted" in re.findall(r"\w+", caught) and again)


def test_whoever_catches_all_errors_lets_an_interruption_through() -> None:
    root = Path(errors.__file__).parent
    files = [file for file in root.rglob("*.py") if "lab" not in file.relative_to(root).parts]
    found = {f"{file.relative_to(root)}:{line}" for file in files for line in swallowed(file.read_text())}
    outermost = {each for each in found if each.startswith("cli/app.py:")}
    assert len(outermost) == 2
    assert found == outermost


def test_an_interruption_that_would_be_swallowed_is_found() -> None:
    assert list(swallowed("try:\n    f()\nexcept KmigrateError:\n    pass\n")) == [3]
    spared = "try:\n    f()\nexcept Interrupted:\n    raise\nexcept KmigrateError:\n    pass\n"
    assert list(swallowed(spared)) == []
