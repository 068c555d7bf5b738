"""What is measured: moves of so many applications with so many partitions, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

READING, WRITING = "reading", "writing"
KMIGRATE, RUNBOOK = "kmigrate", "runbook"
RUNBOOKS_TOPIC = "made-by-runbook"
_SHAPES = ((1, 1), (10, 1), (100, 1), (100, 3), (100, 10))
_WHOLE = tuple((partitions, applications) for applications in (1, 3, 10) for partitions in (1, 10, 100))


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A move: `applications` that switch together, each of so many partitions read and, if it writes, written.

    Those that write have a group each, and are one move since they write one topic. Those that only read share a group,
    and a group belongs to one application of the plan file: there they are its workloads.
    """

    method: str
    kind: str
    partitions: int
    applications: int

    @property
    def name(self) -> str:
        """Begins with `m` where MirrorMaker 2's own sync is to carry it: its groups filter says so."""
        return f"{'m' if self.method == RUNBOOK else 'k'}{self.kind[0]}{self.partitions}x{self.applications}"

    @property
    def members(self) -> tuple[str, ...]:
        """What is stopped and started, each a consumer of its own."""
        return tuple(f"{self.name}-{number}" for number in range(1, self.applications + 1))

    @property
    def declared(self) -> dict[str, tuple[str, ...]]:
        """The applications of the plan file, and which members are their workloads."""
        return {self.name: self.members} if self.kind == READING else {member: (member,) for member in self.members}

    def owner(self, member: str) -> str:
        """The application of the plan file that a member belongs to."""
        return self.name if self.kind == READING else member

    @property
    def reads(self) -> str:
        """The topic they read."""
        return feed(self.partitions)

    @property
    def writes(self) -> str:
        """The topic they write; none for those that only read."""
        if self.kind == READING:
            return ""
        return RUNBOOKS_TOPIC if self.method == RUNBOOK else f"made-by-{self.name}"

    def group(self, member: str) -> str:
        """The group an application reads with."""
        return self.name if self.kind == READING else member

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group of the move."""
        return tuple(dict.fromkeys(map(self.group, self.members)))

    def __str__(self) -> str:
        return f"{self.kind}, {self.partitions} x {self.applications}"


def feed(partitions: int) -> str:
    """The topic with so many partitions that is written throughout."""
    return f"feed-{partitions}"


def shapes(*, whole: bool) -> tuple[tuple[int, int], ...]:
    """Partitions and applications of each row."""
    return _WHOLE if whole else _SHAPES


def cells(method: str, *, whole: bool) -> Iterator[Cell]:
    """Every move of a method, those that only read first."""
    for kind in (READING, WRITING):
        for partitions, applications in shapes(whole=whole):
            yield Cell(method, kind, partitions, applications)
