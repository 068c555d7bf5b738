"""A lane's offset syncs kept on disk, so that the next look reads only what came since."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from kmigrate.model import Partition
from kmigrate.positions import SyncIndex

_VERSION = 1


@dataclass(slots=True)
class Known:
    """The syncs of one sync topic, by partition of the originals.

    `topic_id` says of which topic of that name they are; `next` holds by partition of the sync topic the first offset
    that was not read yet.
    """

    topic_id: str
    next: dict[int, int]
    syncs: dict[Partition, SyncIndex] = field(default_factory=dict)


def load(path: Path) -> Known | None:
    """What was kept in the file; None where there is none or it is not whole: then the topic is read from its start."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        told = json.loads(head)
        if told.pop("digest") != _digest(told, body) or told["version"] != _VERSION:
            return None
        next_ = {int(number): int(offset) for number, offset in told["next"].items()}
        return Known(topic_id=str(told["topic_id"]), next=next_, syncs=dict(_unpacked(told["rows"], body)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def keep(path: Path, known: Known) -> None:
    """Replace the file as one; where that is not possible nothing is kept, and the next look reads the topic again."""
    packed = {p: index.pack() for p, index in known.syncs.items()}
    rows = [[p.topic, p.number, len(data)] for p, data in packed.items()]
    body = b"".join(packed.values())
    head = {"version": _VERSION, "topic_id": known.topic_id, "next": known.next, "rows": rows}
    told = json.dumps({**head, "digest": _digest(head, body)})
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        try:
            new.touch(mode=0o600)
            new.write_bytes(told.encode() + b"\n" + body)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def _digest(head: object, body: bytes) -> str:
    return blake2b(json.dumps(head).encode() + body, digest_size=16).hexdigest()


def _unpacked(rows: list[tuple[str, int, int]], body: bytes) -> Iterator[tuple[Partition, SyncIndex]]:
    at = 0
    for topic, number, size in rows:
        yield Partition(topic, number), SyncIndex.unpack(body[at : at + size])
        at += size


def fits(known: Known, topic_id: str, ends: Mapping[int, int]) -> bool:
    """Whether what was kept is of this very topic and reaches no further than it does."""
    return (
        known.topic_id == topic_id
        and known.next.keys() == ends.keys()
        and all(known.next[number] <= end for number, end in ends.items())
    )
