"""The consumer groups of a cluster in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kmigrate.adapters.memory.death import Death
from kmigrate.adapters.memory.state import State
from kmigrate.errors import Blocked
from kmigrate.model import Group, GroupKind, GroupState, Partition


@dataclass(slots=True)
class MemoryGroups(State):
    """Members, kinds and committed offsets by group (world.Groups); `commits` is what was ever written by us."""

    side: str
    death: Death = field(default_factory=Death)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kinds: dict[str, GroupKind] = field(default_factory=dict)
    held_by: dict[str, dict[Partition, int]] = field(default_factory=dict)
    commits: list[dict[Partition, int]] = field(default_factory=list)

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        """State and members per group."""
        return {name: self._group(name) for name in names}

    def all(self) -> Mapping[str, Group]:
        """Every group that holds something or has members."""
        there = {name for name, members in self.members.items() if members}
        return self.describe(sorted(there | self.held_by.keys()))

    def held(self, groups: Iterable[str], *, stable: bool = True) -> Mapping[str, Mapping[Partition, int]]:
        """Every committed offset of each group."""
        return {group: dict(self.held_by.get(group, {})) for group in groups}

    def positions(
        self, wanted: Mapping[str, Iterable[Partition]], *, stable: bool = True
    ) -> Mapping[str, Mapping[Partition, int | None]]:
        """Committed offsets of each group; None where nothing was ever committed."""
        return {group: {p: self.held_by.get(group, {}).get(p) for p in of} for group, of in wanted.items()}

    def commit(self, positions: Mapping[str, Mapping[Partition, int]]) -> None:
        """Write positions to Empty groups, one after the other."""
        for group in positions:
            self._must_be_stopped(group)
        for group, of in positions.items():
            self._write(group, of)

    def _write(self, group: str, positions: Mapping[Partition, int]) -> None:
        held = self.held_by.get(group, {})
        differs = any(held.get(partition) != offset for partition, offset in positions.items())
        with self.death.writing(f"positions on the {self.side}", differs=differs):
            self.held_by.setdefault(group, {}).update(positions)
            self.commits.append(dict(positions))

    def delete(self, group: str) -> None:
        """Remove an Empty group."""
        self._must_be_stopped(group)
        with self.death.writing(f"positions on the {self.side}", differs=group in self.held_by):
            self.held_by.pop(group, None)
            self.kinds.pop(group, None)

    def _must_be_stopped(self, name: str) -> None:
        group = self._group(name)
        if not group.stopped:
            self.death.watcher.refused(f"positions of group {name} written on the {self.side} while it is not Empty")
            told = f"group {name} on the {self.side} is not Empty: {group.state}, members {', '.join(group.members)}"
            raise Blocked(told, hint="stop every instance that reads with this group, then run the same command again")

    def _group(self, name: str) -> Group:
        kind = self.kinds.get(name, GroupKind.CLASSIC)
        if self.members.get(name):
            return Group(name=name, state=GroupState.STABLE, members=self.members[name], kind=kind)
        return Group(name=name, state=GroupState.EMPTY if name in self.held_by else GroupState.DEAD, kind=kind)
