"""What contradicts itself in a plan file, told from what is there even where its shape is wrong elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as File

from kmigrate.model import Json
from kmigrate.planfile.files import no_authority, no_folder, no_secret
from kmigrate.planfile.lines import Document, Path
from kmigrate.planfile.mistakes import Mistake, nearest, place
from kmigrate.planfile.shapes import ENV_PATTERN

_REFERENCE_KEYS = ("username", "password")


@dataclass(frozen=True, slots=True)
class _Names:
    """Names that may stand once, and who has them."""

    what: str
    owner: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, by: str, line: int) -> Iterator[Mistake]:
        """Tell when somebody has the name already."""
        if name in self.owner:
            whose = self.owner[name]
            yield Mistake(
                line, f"{self.what} {name} stands twice" + (f": it belongs to {whose} already" if whose else "")
            )
        self.owner.setdefault(name, by)


def contradictions(document: Document) -> Iterator[Mistake]:
    """Names that stand twice, names that nobody declared, patterns that leave behind what is included."""
    yield from _topics(document)
    yield from _overrides(document)
    yield from _applications(document)
    yield from _mirror_back(document)


def unknown_flags(document: Document, known: frozenset[str]) -> Iterator[Mistake]:
    """Accepted ids that no red flag has."""
    for index, accepted in _mappings(document.data, "accept"):
        flag = accepted.get("id")
        if isinstance(flag, str) and flag not in known:
            line = document.line(("accept", index, "id"))
            yield Mistake(line, f"accept[{index}].id: no red flag is called {flag[:60]!r}{nearest(flag, known)}")


def missing_references(document: Document, folder: File) -> Iterator[Mistake]:
    """Variables that are not set, files and folders that are not what they must be; what is in them is never told."""
    for path, value in _leaves(document.data, (), set()):
        why = _missing(path, value, folder)
        if why:
            yield Mistake(document.line(path), f"{place(path)}: {why}")


def _missing(path: Path, value: str, folder: File) -> str:
    if path == ("source", "ca"):
        return no_authority(folder / value)
    if path in (("target", "store"), ("journal", "store")):
        return no_folder(folder / value)
    if len(path) < 2 or path[-2] not in _REFERENCE_KEYS:
        return ""
    if path[-1] == "file":
        return no_secret(folder / value)
    return f"the environment variable {value[:60]} is not set" if path[-1] == "env" and _unset(value) else ""


def _unset(name: str) -> bool:
    """What is no name may be the secret itself, and is told elsewhere without being shown."""
    return re.match(ENV_PATTERN, name) is not None and not os.environ.get(name)


def _topics(document: Document) -> Iterator[Mistake]:
    topics = _mapping(_get(document.data, "topics"))
    names = _Names("topic")
    for index, name in _texts(topics, "include"):
        yield from names.take(name, "", document.line(("topics", "include", index)))
    for index, _ in _mappings(topics, "include"):
        line = document.line(("topics", "include", index))
        yield Mistake(line, f"topics.include[{index}]: patterns are not built here yet; name each topic")
    for index, leaves, told in _exclusions(topics):
        line = document.line(("topics", "exclude", index))
        for name in names.owner:
            if leaves(name):
                yield Mistake(line, f"topics.exclude[{index}]: {told} leaves out {name}, which topics.include names")


def _exclusions(topics: Mapping[str, Json]) -> Iterator[tuple[int, Callable[[str], bool], str]]:
    for index, name in _texts(topics, "exclude"):
        yield index, name.__eq__, name
    for index, part in _mappings(topics, "exclude"):
        pattern = part.get("pattern")
        if isinstance(pattern, str):
            try:
                compiled = re.compile(pattern)
            except re.error:
                continue
            yield index, partial(_matches, compiled), repr(pattern)


def _matches(compiled: re.Pattern[str], name: str) -> bool:
    return compiled.fullmatch(name) is not None


def _overrides(document: Document) -> Iterator[Mistake]:
    topics = _mapping(_get(document.data, "topics"))
    known = dict(_known_topics(document))
    for name in _mapping(topics.get("overrides")):
        if known and name not in known:
            yield Mistake(document.line(("topics", "overrides", name)), _unknown_topic(name, known))


def _applications(document: Document) -> Iterator[Mistake]:
    apps, groups, ids = _Names("application"), _Names("group"), _Names("transactional id")
    for index, app in _mappings(document.data, "applications"):
        at: Path = ("applications", index)
        name = app.get("name")
        owner = name if isinstance(name, str) else f"applications[{index}]"
        if isinstance(name, str):
            yield from apps.take(name, "", document.line((*at, "name")))
        for place_, reads in _mappings(app, "reads"):
            group = reads.get("group")
            if isinstance(group, str):
                yield from groups.take(group, owner, document.line((*at, "reads", place_, "group")))
            yield from _used(document, (*at, "reads", place_, "topics"), reads, "topics")
        yield from _used(document, (*at, "writes"), app, "writes")
        for place_, each in _texts(app, "transactionalIds"):
            yield from ids.take(each, owner, document.line((*at, "transactionalIds", place_)))
        yield from _kinds(document, at, owner, app)


def _mirror_back(document: Document) -> Iterator[Mistake]:
    """The reverse mirror owns what it may write and a fence must not catch it: it cannot be somebody else as well."""
    user: Path = ("mirror", "reverse", "auth", "username")
    if isinstance(_at(document.data, user), Mapping):
        told = "write the name itself: the mirror's resources hold it in clear"
        yield Mistake(document.line(user), f"{place(user)}: {told}")
    taken = dict(_principals(document.data))
    for at in (user, ("mirror", "reverse", "principal")):
        name = _at(document.data, at)
        whose = taken.get(name.removeprefix("User:")) if isinstance(name, str) else None
        if isinstance(name, str) and whose:
            told = f"{place(at)}: {name[:60]} is {whose} already; give it a principal of its own"
            yield Mistake(document.line(at), told)


def _principals(data: Json) -> Iterator[tuple[str, str]]:
    """Who else signs in to the source, and where the plan file says so."""
    for index, app in _mappings(data, "applications"):
        owner = app.get("name")
        told = f"application {owner}" if isinstance(owner, str) else f"applications[{index}]"
        for _, principal in _mappings(app, "principals"):
            source = principal.get("source")
            if isinstance(source, str):
                yield source.removeprefix("User:"), told
    forward: Path = ("mirror", "forward")
    for at, key in ((("source", "auth"), "username"), ((*forward, "auth"), "username"), (forward, "principal")):
        name = _at(data, (*at, key))
        if isinstance(name, str):
            yield name.removeprefix("User:"), place(at)


def _used(document: Document, at: Path, part: Mapping[str, Json], key: str) -> Iterator[Mistake]:
    """Topics that stand twice in one list, or are not migrated."""
    known, names = dict(_known_topics(document)), _Names("topic")
    for index, name in _texts(part, key):
        line = document.line((*at, index))
        yield from names.take(name, "", line)
        if known and name not in known:
            yield Mistake(line, _unknown_topic(name, known))


def _kinds(document: Document, at: Path, owner: str, app: Mapping[str, Json]) -> Iterator[Mistake]:
    kinds = sorted({str(part.get("kind")) for _, part in _mappings(app, "workloads")} & {"command", "manual"})
    if len(kinds) > 1:
        told = f"the workloads of {owner} are of two kinds, {' and '.join(kinds)}; let all be of one"
        yield Mistake(document.line((*at, "workloads")), told)


def _known_topics(document: Document) -> Iterator[tuple[str, int]]:
    for index, name in _texts(_mapping(_get(document.data, "topics")), "include"):
        yield name, index


def _unknown_topic(name: str, known: Mapping[str, int]) -> str:
    return f"topic {name} is not in topics.include{nearest(name, known) or _some(known)}"


def _some(known: Mapping[str, int]) -> str:
    return f"; known: {', '.join(list(known)[:8])}{', …' if len(known) > 8 else ''}"


def _get(data: Json, key: str) -> Json:
    return data.get(key) if isinstance(data, Mapping) else None


def _at(data: Json, path: Path) -> Json:
    """What stands at that place; None where there is nothing."""
    for key in path:
        data = _get(data, str(key))
    return data


def _mapping(value: Json) -> Mapping[str, Json]:
    return {str(key): inner for key, inner in value.items()} if isinstance(value, Mapping) else {}


def _items(data: Json, key: str) -> Sequence[Json]:
    value = _get(data, key)
    return value if isinstance(value, list) else ()


def _mappings(data: Json, key: str) -> Iterator[tuple[int, Mapping[str, Json]]]:
    for index, value in enumerate(_items(data, key)):
        if isinstance(value, Mapping):
            yield index, value


def _texts(data: Json, key: str) -> Iterator[tuple[int, str]]:
    for index, value in enumerate(_items(data, key)):
        if isinstance(value, str):
            yield index, value


def _leaves(data: Json, path: Path, known: set[tuple[int, Path]]) -> Iterator[tuple[Path, str]]:
    """Every text and where it stands; what an alias names again under the same key is walked once, so this ends."""
    if isinstance(data, str):
        yield path, data
        return
    if not isinstance(data, Mapping | list) or (id(data), path[-1:]) in known:
        return
    known.add((id(data), path[-1:]))
    for key, value in data.items() if isinstance(data, Mapping) else enumerate(data):
        yield from _leaves(value, (*path, key if isinstance(data, list) else str(key)), known)
