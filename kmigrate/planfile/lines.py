"""YAML with the line of every value, and without the traps of YAML: duplicate keys are mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from kmigrate.model import Json

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1_000_000
_DEEPEST = 32


class TooDeep(ValueError):
    """Nested deeper than any plan file; every value carries its whole path, so that would outgrow the file by far."""

    def __init__(self, line: int) -> None:
        super().__init__(f"nested too deep in line {line}")
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file: its data, the line (from 1) of every path, the keys that stand twice."""

    data: Json
    lines: dict[Path, int]
    twice: tuple[tuple[int, str], ...]

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Document:
    """Read one YAML document; raises yaml.YAMLError, or TooDeep.

    What an alias names is walked once: no file outgrows its size.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        twice: list[tuple[int, str]] = []
        for path, seen in _walk(node, (), twice, set()):
            lines[path] = seen.start_mark.line + 1
        data: Json = loader.construct_document(node) if node is not None else None
    finally:
        loader.dispose()
    return Document(data=data, lines=lines, twice=tuple(twice))


def _walk(
    node: yaml.Node | None, path: Path, twice: list[tuple[int, str]], known: set[int]
) -> Iterator[tuple[Path, yaml.Node]]:
    if node is None:
        return
    if len(path) > _DEEPEST:
        raise TooDeep(node.start_mark.line + 1)
    yield path, node
    if id(node) in known:
        return
    known.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                twice.append((key.start_mark.line + 1, name))
            seen.add(name)
            yield from _walk(value, (*path, name), twice, known)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*path, index), twice, known)
