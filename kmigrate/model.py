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


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as a committed reader sees it, reduced to what positions need: offset, time (ms), 16-byte digest."""

    offset: int
    timestamp: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The next record a group will read in a partition, translated to the other side.

    `came_from` and `offset` are offsets on the side left and the side entered. `reason` is one sentence for a human.
    """

    partition: Partition
    came_from: int
    offset: int | None
    grade: Grade
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as a cluster has it; `config` holds only settings that somebody set on the topic itself."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A consumer group; a group that the cluster does not know is DEAD with no members."""

    name: str
    state: GroupState
    members: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """No member is left, so positions stand still and may be written."""
        return not self.members and self.state in (GroupState.EMPTY, GroupState.DEAD)


# ---- what the plan file says, checked ----


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret lies; never the secret. One of `env`, `file`, or `name` + `key` in the target's namespace."""

    env: str = ""
    file: str = ""
    name: str = ""
    key: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        if self.env:
            return f"env {self.env}"
        return f"file {self.file}" if self.file else f"Secret {self.namespace}/{self.name}[{self.key}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How somebody signs in: SASL mechanism family, who, and where the password lies."""

    type: str
    username: str | SecretRef
    password: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The cluster that is left; `ca` is a PEM file for a private certificate authority, empty for the public ones."""

    bootstrap: str
    auth: Auth
    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cluster that is entered: a Strimzi cluster, described by resources in a namespace."""

    platform: str
    store: str
    namespace: str
    cluster: str
    listener: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What an application reads with one group."""

    group: str
    topics: tuple[str, ...]
    isolation: str = "read_committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An identity of an application on both sides; `source_auth` is needed only to switch settings back by us."""

    source: str
    target: str
    source_auth: Auth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandWorkload:
    """Programs that stop, switch, start and look at an application that Kubernetes does not run."""

    stop: tuple[str, ...]
    switch: tuple[str, ...]
    start: tuple[str, ...]
    healthy: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is stopped, switched and started together."""

    name: str
    team: str
    reads: tuple[Reads, ...]
    writes: tuple[str, ...]
    principals: tuple[Principal, ...]
    workloads: tuple[CommandWorkload, ...]

    @property
    def topics_read(self) -> tuple[str, ...]:
        """Every topic any of its groups reads, once, sorted."""
        return tuple(sorted({topic for reads in self.reads for topic in reads.topics}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A mirror with a fixed alias, connector name and explicit topic list."""

    name: str
    direction: str
    source_alias: str
    target_alias: str
    topics: tuple[str, ...]

    @property
    def connector(self) -> str:
        """The name the Strimzi operator gives the connector (KafkaMirrorMaker2Connectors, `strimzi.md` §2.6)."""
        return f"{self.source_alias}->{self.target_alias}.MirrorSourceConnector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be risked: times in milliseconds, the lowest grade a move may go on with."""

    max_pause_ms: int = 300_000
    minimum_grade: Grade = Grade.EXACT_MATCHED
    drain_deadline_ms: int = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A plan file, checked: references between its parts hold."""

    name: str
    source: Source
    target: Target
    topics: tuple[str, ...]
    applications: tuple[Application, ...]
    mirror_auth: Auth
    policy: Policy = Policy()
    journal: str = ".kmigrate"

    def application(self, name: str) -> Application:
        """The application of that name; KeyError if there is none."""
        return {app.name: app for app in self.applications}[name]
