"""How positions look, and positions from a file: for people as tables, for programs as one JSON object."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from kmigrate.cli.draw import table
from kmigrate.errors import Blocked, UsageError
from kmigrate.model import (
    Bracket,
    FullRecord,
    Grade,
    Json,
    JsonObject,
    Lane,
    OffsetRange,
    Partition,
    Position,
    Record,
    Side,
)
from kmigrate.probes.foreign import without_the_lost
from kmigrate.probes.standing import Neighbours, Standing
from kmigrate.probes.translation import translator
from kmigrate.world import World

_COLOURS = {
    Grade.EXACT_PROVEN: "green",
    Grade.EXACT_MATCHED: "green",
    Grade.SAFE_LOWER_BOUND: "yellow",
    Grade.REFUSED: "red",
}
_PARTITIONS, _OFFSETS = 2**31, 2**63
_HINT = "one line per position: topic,partition,offset, with these names in the first line; or a JSON list of objects"


Contents: TypeAlias = Mapping[tuple[Side, Partition, int], FullRecord]
NO_CONTENTS: Contents = MappingProxyType({})


def standing_picture(group: str, found: Sequence[Standing], full: Contents = NO_CONTENTS) -> RenderableType:
    """One screen: positions with their grades, the records around them, and what MirrorMaker 2 would have done.

    `full` has the contents of those records, where somebody asked for them.
    """
    return Group(*_standing(group, found), *_contents(full))


def standing_json(group: str, found: Sequence[Standing], full: Contents = NO_CONTENTS) -> JsonObject:
    """One object; digests and contents in hexadecimal, times in ms since the epoch."""
    rows = [_full_json(side, p, record) for (side, p, _), record in sorted(full.items())]
    return {"group": group, "positions": [_one(each) for each in found], **({"contents": rows} if full else {})}


def translated(world: World, wanted: Mapping[Partition, int], lanes: tuple[Lane, ...]) -> dict[Partition, Position]:
    """Positions of the source, carried to the target; those that have no place there are REFUSED with why."""
    unknown = sorted({p.topic for p in wanted} - {topic for lane in lanes for topic in lane.topics})
    if unknown:
        raise UsageError(f"no lane copies {', '.join(unknown)}", hint="add it to topics.include in the plan file")
    source = world.cluster(Side.SOURCE)
    there = source.topics({p.topic for p in wanted})
    missing = [p for p in wanted if p.topic not in there or p.number >= there[p.topic].partitions]
    if missing:
        raise UsageError(f"the source has no {', '.join(map(str, missing))}", hint="correct the file, then try again")
    logs = source.ranges(wanted, committed=False)
    within = {p: at for p, at in wanted.items() if logs[p].start <= at <= logs[p].end}
    seen = translator(world, Side.SOURCE, lanes).translate(within)
    found = without_the_lost(world, Side.SOURCE, seen.positions)
    settled = {p: at for p, at in found.items() if p not in seen.waiting}
    return {p: settled[p] if p in settled else _nowhere(p, at, logs[p]) for p, at in wanted.items()}


def _nowhere(partition: Partition, came_from: int, log: OffsetRange) -> Position:
    reason = "its last record has no copy yet; wait for the mirror, then try again"
    if came_from > log.end:
        reason = f"the source's log ends at {log.end}: nobody can have read that far"
    elif came_from < log.start:
        reason = f"retention has eaten what it still wanted: the source's log begins at {log.start}"
    return Position(partition=partition, came_from=came_from, offset=None, grade=Grade.REFUSED, reason=reason)


def translated_picture(seen: Mapping[Partition, Position]) -> RenderableType:
    """One row a position."""
    drawn = table("Positions", "topic", "partition", "source", "target", "grade", "why")
    for p, at in sorted(seen.items()):
        drawn.add_row(
            escape(p.topic), str(p.number), str(at.came_from), _offset(at.offset), _grade(at), escape(at.reason)
        )
    return drawn


def translated_json(seen: Mapping[Partition, Position]) -> JsonObject:
    """One object."""
    return {"positions": [_position(p, at) for p, at in sorted(seen.items())]}


def refuse_without_place(seen: Mapping[Partition, Position]) -> None:
    """Raise Blocked, naming each, for positions that have no place on the target."""
    without = [str(p) for p, at in sorted(seen.items()) if at.offset is None]
    if without:
        raise Blocked(
            f"{len(without)} of {len(seen)} positions have no place on the target: {', '.join(without)}",
            hint="the table says why; use none of these before it is mended",
        )


def read(file: Path) -> dict[Partition, int]:
    """Positions kept elsewhere: CSV with a header, or a JSON list; raises UsageError naming every bad line."""
    try:
        text = file.read_text(encoding="utf-8-sig")  # Excel begins what it calls CSV UTF-8 with a mark of its own
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", hint=_HINT) from error
    rows = list(_json_rows(file, text) if text.lstrip().startswith(("[", "{")) else _csv_rows(file, text))
    found: dict[Partition, int] = {}
    bad: list[str] = []
    for where, row in rows:
        at = _read_row(row)
        if at is None or at[0] in found:
            bad.append(
                f"{where}: {'a second position of ' + str(at[0]) if at else 'not a position: ' + str(dict(row))}"
            )
        else:
            found[at[0]] = at[1]
    if bad or not found:
        raise UsageError(f"{file}: " + ("\n  ".join(["", *bad]) if bad else "holds no position"), hint=_HINT)
    return found


def _read_row(row: Mapping[str, object]) -> tuple[Partition, int] | None:
    try:
        topic, number, offset = str(row["topic"]), _whole(row["partition"]), _whole(row["offset"])
    except (KeyError, ValueError):
        return None
    is_place = topic and 0 <= number < _PARTITIONS and 0 <= offset < _OFFSETS
    return (Partition(topic, number), offset) if is_place else None


def _whole(value: object) -> int:
    """Digits alone: Python reads `1_0` and digits of other scripts as well."""
    text = str(value).strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _csv_rows(file: Path, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
            yield f"line {number}", {str(name).strip(): value for name, value in row.items() if name is not None}
    except csv.Error as error:
        raise UsageError(f"{file} is not CSV: {error}", hint=_HINT) from error


def _json_rows(file: Path, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}", hint=_HINT) from error
    listed = raw.get("positions") if isinstance(raw, dict) else raw
    for number, row in enumerate(listed if isinstance(listed, list) else [raw], 1):
        yield f"entry {number}", row if isinstance(row, dict) else {"": row}


def _standing(group: str, found: Sequence[Standing]) -> Iterator[RenderableType]:
    columns = ("partition", "source", "target", "found at", "grade", "between", "MM2 itself", "gives twice")
    drawn = table(f"Group {escape(group)}", *columns)
    for each in found:
        at = each.position
        drawn.add_row(
            escape(str(each.partition)),
            _offset(each.source),
            _offset(each.target),
            "waits for its copy" if each.waiting else _offset(at.offset if at else None),
            _grade(at) if at and not each.waiting else "",
            _between(at.bracket) if at else "",
            _offset(each.own.offset) if each.own else "none",
            f"{each.own.repeats:,}" if each.own else "its client's reset decides",
        )
    yield drawn
    yield from _records(found)
    total = sum(each.own.repeats for each in found if each.own)
    without = sum(each.own is None for each in found)
    none = f"; {without} partitions it would not translate at all" if without else ""
    yield Text(f"\nMirrorMaker 2's own sync would give {total:,} records twice{none}")
    yield from (Text(f"{each.partition}: {each.position.reason}") for each in found if each.position)


def _records(found: Sequence[Standing]) -> Iterator[RenderableType]:
    drawn = table("\nThe records around", "partition", "", "on the source", "on the target", "same")
    for each in found:
        for name in ("before", "after"):
            here, there = _neighbour(each.on_source, name), _neighbour(each.on_target, name)
            label = "last read" if name == "before" else "next"
            same = "" if here is None or there is None else "yes" if here.digest == there.digest else "[red]no[/]"
            drawn.add_row(escape(str(each.partition)), label, _record(here), _record(there), same)
    yield drawn


def _contents(full: Contents) -> Iterator[RenderableType]:
    if full:
        drawn = table("\nContents", "partition", "side", "offset", "key", "value", "headers")
        for (side, p, offset), record in sorted(full.items()):
            headers = ", ".join(f"{name}={_bytes(value)}" for name, value in record.headers)
            cells = (_bytes(record.key), _bytes(record.value), headers)
            drawn.add_row(escape(str(p)), str(side), str(offset), *map(escape, cells))
        yield drawn


def _bytes(part: bytes | None) -> str:
    return "null" if part is None else repr(part)[1:]


def _full_json(side: Side, p: Partition, record: FullRecord) -> Json:
    headers: list[Json] = [[name, None if value is None else value.hex()] for name, value in record.headers]
    return {
        "side": str(side),
        "topic": p.topic,
        "partition": p.number,
        "offset": record.offset,
        "key": None if record.key is None else record.key.hex(),
        "value": None if record.value is None else record.value.hex(),
        "headers": headers,
    }


def _neighbour(of: Neighbours, name: str) -> Record | None:
    return of.before if name == "before" else of.after


def _record(record: Record | None) -> str:
    return "none" if record is None else f"{record.offset}  {record.timestamp} ms  {record.digest.hex()[:12]}"


def _between(bracket: Bracket) -> str:
    if bracket.low is None and bracket.high is None:
        return ""
    low, high = ("…" if mark is None else f"{mark.original}→{mark.copy}" for mark in bracket)
    return f"{low} and {high}"


def _grade(at: Position) -> str:
    most = f", repeats at most {at.repeats_at_most}" if at.repeats_at_most else ""
    return f"[{_COLOURS[at.grade]}]{at.grade}[/]{most}"


def _offset(offset: int | None) -> str:
    return "–" if offset is None else str(offset)


def _one(each: Standing) -> Json:
    told = _position(each.partition, each.position) if each.position else {}
    own: Json = {"target": each.own.offset, "repeats": each.own.repeats} if each.own else None
    place: dict[str, Json] = {"topic": each.partition.topic, "partition": each.partition.number}
    return {
        **told,
        **place,
        "source": each.source,
        "held": each.target,
        "waiting": each.waiting,
        "records": {"source": _both(each.on_source), "target": _both(each.on_target)},
        "mirrorMaker": own,
    }


def _position(p: Partition, at: Position) -> dict[str, Json]:
    low, high = (list(mark) if mark else None for mark in at.bracket)
    place: dict[str, Json] = {"topic": p.topic, "partition": p.number, "source": at.came_from, "target": at.offset}
    return {
        **place,
        "grade": str(at.grade),
        "reason": at.reason,
        "low": low,
        "high": high,
        "repeatsAtMost": at.repeats_at_most,
        "abortedAhead": at.aborted_ahead,
    }


def _both(of: Neighbours) -> Json:
    return {"before": _told(of.before), "after": _told(of.after)}


def _told(record: Record | None) -> Json:
    if record is None:
        return None
    return {"offset": record.offset, "time": record.timestamp, "digest": record.digest.hex()}
