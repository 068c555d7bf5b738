"""The nouns of a migration: frozen values, no I/O.

A partition's offsets are Kafka's: non-negative, with holes. Ranges are half-open: `start` is in, `end` is not.
Times are milliseconds since the epoch. Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


class Side(StrEnum):
    """One of the two clusters."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> Side:
        """The side across."""
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


class Direction(StrEnum):
    """Which way a move goes."""

    CUTOVER = "cutover"
    ROLLBACK = "rollback"

    @property
    def leaves(self) -> Side:
        """The side the applications run on before the move."""
        return Side.SOURCE if self is Direction.CUTOVER else Side.TARGET


class Grade(StrEnum):
    """How a position was found (design §2, `grade`)."""

    EXACT_PROVEN = "EXACT_PROVEN"
    EXACT_MATCHED = "EXACT_MATCHED"
    SAFE_LOWER_BOUND = "SAFE_LOWER_BOUND"
    REFUSED = "REFUSED"


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> Partition:
        """Read what `str` wrote."""
        topic, _, number = text.rpartition("/")
        return cls(topic, int(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRange:
    """Offsets of a log, half-open; `end` is the last stable offset for committed readers, else the high watermark."""

    start: int
    end: int


class Record(NamedTuple):
    """A record as a committed reader sees it, reduced to what positions need: offset, time (ms), 16-byte digest.

    A tuple, because translations make millions of them.
    """

    offset: int
    timestamp: int
    digest: bytes


class Sync(NamedTuple):
    """A record and its copy, by their offsets, as the mirror marked them (MirrorMaker 2's offset sync)."""

    original: int
    copy: int


class Bracket(NamedTuple):
    """The syncs a position was found between, before it, and at or after it; None where there is none."""

    low: Sync | None
    high: Sync | None


NO_BRACKET = Bracket(None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FullRecord:
    """A record with its contents, which are never printed unless somebody asked; null is None, time is in ms."""

    offset: int
    timestamp: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Records that follow each other in a partition, told by one digest over all of them in order.

    `start` and `end` bound them (half-open) with the holes among them; `size` is about the bytes of all their parts.
    A digest of one kind of cluster means nothing beside one of another kind, or of another run.
    """

    start: int
    end: int
    records: int
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All records of a range: the offset of each, and one digest over all of them in order, offsets left out.

    Runs of as many records with one digest hold the same records. As in a Stretch, digests mean nothing elsewhere.
    """

    offsets: Sequence[int]
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRows:
    """Records of a compacted partition as rows of KEYED_ROW bytes in order, all of one part of the keys.

    A row is a 16-byte digest of the key, the offset (8 bytes, big-endian), and a 16-byte digest of the rest, which is
    zero for a tombstone. `end` is the offset up to which the partition was read; `size` as in a Stretch.
    """

    part: int
    end: int
    records: int
    size: int
    rows: bytes


KEYED_ROW = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The next record a group will read in a partition, translated to the other side.

    `came_from` and `offset` are offsets on the side left and the side entered. `reason` is one sentence for a human.
    Whoever reads from it is given at most `repeats_at_most` records again; `aborted_ahead` of them are aborted copies,
    which only a reader of uncommitted records sees.
    """

    partition: Partition
    came_from: int
    offset: int | None
    grade: Grade
    reason: str
    bracket: Bracket = NO_BRACKET
    repeats_at_most: int = 0
    aborted_ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as a cluster has it; `config` holds only settings that somebody set on the topic itself.

    `accepts` has the settings that decide which records it takes, whoever set them; empty where that is not told.
    """

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    accepts: Mapping[str, str] = field(default_factory=dict, compare=False)

    def all(self) -> tuple[Partition, ...]:
        """Every partition, in order."""
        return tuple(Partition(self.name, number) for number in range(self.partitions))


class GroupState(StrEnum):
    """What the coordinator says of a group."""

    EMPTY = "Empty"
    STABLE = "Stable"
    REBALANCING = "Rebalancing"
    DEAD = "Dead"
    UNKNOWN = "Unknown"


class GroupKind(StrEnum):
    """Which protocol a group speaks (org.apache.kafka.common.GroupType); Connect's and others' are classic."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A consumer group; a group that the cluster does not know is DEAD with no members."""

    name: str
    state: GroupState
    members: tuple[str, ...] = ()
    kind: GroupKind = GroupKind.CLASSIC

    @property
    def stopped(self) -> bool:
        """No member is left, so positions stand still and may be written."""
        return not self.members and self.state in (GroupState.EMPTY, GroupState.DEAD)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Right:
    """One ACL: `type` is `allow | deny`, `resource` `topic | group | cluster | transactionalId`, names as Kafka's.

    `operation` is Kafka's name (`Read`, `Write`, `All`, …), `pattern` `literal | prefix`, `principal` `User:name`.
    """

    principal: str
    resource: str
    name: str
    operation: str
    type: str = "allow"
    pattern: str = "literal"
    host: str = "*"

    def covers(self, resource: str, name: str) -> bool:
        """Whether it is about the topic, group or id of that name."""
        if self.resource != resource:
            return False
        return name.startswith(self.name) if self.pattern == "prefix" else self.name in (name, "*")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Denial:
    """Something a principal shall not do while a move is under way: `Read` on a group, or `Write` on a topic."""

    principal: str
    resource: str
    name: str
    operation: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name} to {self.principal}"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Trial:
    """One thing tried with an application's own credential at one broker (`host:port`); `detail` says what came."""

    broker: str
    subject: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """A transaction that has not ended in a partition: committed readers see nothing there from `start` on until then.

    `transactional_id` and `started_ms` are None where the cluster does not tell them.
    """

    partition: Partition
    start: int
    producer_id: int
    epoch: int
    transactional_id: str | None = None
    started_ms: int | None = None

    def __str__(self) -> str:
        who = f"transaction of {self.transactional_id}" if self.transactional_id else "transaction of an unknown id"
        return f"{who} (producer {self.producer_id}, epoch {self.epoch}) open in {self.partition} from {self.start} on"
