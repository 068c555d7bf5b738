"""Reading the applications' append-only files."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

NO_OFFSETS: Mapping[tuple[str, int], int] = MappingProxyType({})


class Line(NamedTuple):
    """One audit line; fields that an event does not have keep their defaults. `last` closes a run's file.

    `offsets` holds positions by (topic, partition), of `assigned` and `committed` lines.
    """

    run: str
    n: int
    at: int
    event: str
    side: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    id: str = ""
    key: str | None = None
    seq: int = -1
    tx: int | None = None
    offsets: Mapping[tuple[str, int], int] = NO_OFFSETS


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the first line of a run says about its application."""

    app: str
    group: str
    isolation: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


END = "end of file"


def files(folder: Path) -> list[Path]:
    """An application's audit files, oldest run first."""
    return sorted((folder / "audit").glob("*.jsonl"), key=lambda path: int(path.name.split("-")[0]))


def about(folder: Path) -> About | None:
    """What the newest run that has a first line says; None when the application never ran."""
    for path in reversed(files(folder)):
        with path.open() as file:
            first = file.readline()
        if first.endswith("\n"):
            raw = json.loads(first)
            return About(
                app=raw["app"],
                group=raw["group"],
                isolation=raw["isolation"],
                reads=tuple(raw["reads"]),
                writes=tuple(raw["writes"]),
            )
    return None


def snapshot(folder: Path) -> tuple[tuple[Path, int], ...]:
    """The files as they are now, with their sizes, so that what is appended later is not read."""
    return tuple((path, path.stat().st_size) for path in files(folder))


def lines(held: Sequence[tuple[Path, int]]) -> Iterator[Line]:
    """All lines of all runs of a snapshot by time; each run ends with a line whose event is END."""
    runs = [_of_run(path, size) for path, size in held]
    return runs[0] if len(runs) == 1 else heapq.merge(*runs, key=lambda line: line.at)


def _of_run(path: Path, size: int) -> Iterator[Line]:
    at = n = read = 0
    run = path.stem
    with path.open("rb") as file:
        for text in file:
            read += len(text)
            if read > size or not text.endswith(b"\n"):
                break  # appended after the snapshot, or the process died while it wrote this
            line = _line(run, json.loads(text))
            at, n = line.at, line.n
            yield line
    yield Line(run, n + 1, at, END)


def _line(run: str, raw: Mapping[str, Any]) -> Line:
    get = raw.get
    positions: Mapping[str, int] | None = get("offsets") or get("positions")
    return Line(
        run,
        raw["n"],
        raw["at"],
        raw["event"],
        raw["side"],
        get("topic", ""),
        get("partition", -1),
        get("offset", -1),
        get("id", ""),
        get("key"),
        get("seq", -1),
        get("tx"),
        NO_OFFSETS if positions is None else _positions(positions),
    )


def _positions(raw: Mapping[str, int]) -> Mapping[tuple[str, int], int]:
    split = ((name.rpartition("/"), offset) for name, offset in raw.items())
    return {(topic, int(number)): offset for (topic, _, number), offset in split}


def topics(folders: Sequence[Path]) -> tuple[str, ...]:
    """Every topic that any application reads or writes, sorted."""
    told = [seen for folder in folders if (seen := about(folder)) is not None]
    return tuple(sorted({topic for seen in told for topic in (*seen.reads, *seen.writes)}))
