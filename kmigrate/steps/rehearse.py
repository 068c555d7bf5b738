"""rehearse: content and positions proven while everything still runs where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import VerifyFailed
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Application, Json, JsonObject, Lane, Migration, Partition, Position, Side
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.content import Compared, compare, total
from kmigrate.probes.drain import await_copies
from kmigrate.probes.groups import positions_held
from kmigrate.probes.translation import refuse_low_grades
from kmigrate.waves import stays
from kmigrate.world import World

_CONTENT, _TRIED = "content", "tried_positions"
_COPIED_MS = 3_600_000


@dataclass(frozen=True, kw_only=True)
class ProveContent(Step):
    """Every record that stood on the source when this began stands on the target, in order, and nothing else does."""

    name: ClassVar[str] = "prove-content"
    title: ClassVar[str] = "Prove that the content is equal on both sides"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing until it was compared in this unit."""
        if world.ledger.get(_CONTENT) is not None:
            return Finding()
        subject = "both logs of every topic to be compared"
        return Finding(changes=(Change(action=Action.WAIT, subject=subject, detail="nothing is changed"),))

    def apply(self, world: World) -> None:
        """Take the source's ends of now, wait for their copies, compare; raises VerifyFailed with what differs."""
        compared: dict[Partition, Compared] = {}
        for lane in forward_lanes(self.migration):
            compared |= _compare_lane(world, lane)
        told: dict[str, Json] = {str(p): each.told() for p, each in sorted(compared.items())}
        world.ledger.put(_CONTENT, {"records": total(compared.values()), "partitions": told})

    def verify(self, world: World) -> Json:
        """How many records were equal, and in which ranges."""
        super().verify(world)
        return world.ledger.get(_CONTENT)

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed; the next rehearsal compares anew."""
        world.ledger.put(_CONTENT, None)


@dataclass(frozen=True, kw_only=True)
class TryPositions(Step):
    """Every group of every application that can move is translated from where it stands now; nothing is committed."""

    name: ClassVar[str] = "try-positions"
    title: ClassVar[str] = "Translate every position without committing it"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing until every group was tried in this unit."""
        tried = world.ledger.get(_TRIED)
        known = tried if isinstance(tried, Mapping) else {}
        lacking = [reads.group for app in self._movable() for reads in app.reads if reads.group not in known]
        return Finding(
            changes=tuple(Change(action=Action.WAIT, subject=f"group {group} to be translated") for group in lacking)
        )

    def apply(self, world: World) -> None:
        """Translate each; raises Refused, naming each position, for a grade lower than the plan's minimum."""
        tried: dict[str, Json] = {}
        for app in self._movable():
            for reads in app.reads:
                found = self._translate(world, positions_held(world, Side.SOURCE, reads), reads.group)
                refuse_low_grades(found.values(), self.migration.policy.minimum_grade)
                tried[reads.group] = _grades(found)
        world.ledger.put(_TRIED, tried)

    def verify(self, world: World) -> Json:
        """Grades per group. The pause is not predicted: how long stopping and starting take is not measured here."""
        super().verify(world)
        return {"grades": world.ledger.get(_TRIED), "pause": "not predicted: stopping and starting are not measured"}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed; the next rehearsal translates anew."""
        world.ledger.put(_TRIED, None)

    def _movable(self) -> tuple[Application, ...]:
        why = stays(self.migration.applications)
        return tuple(app for app in self.migration.applications if not why[app.name])

    def _translate(self, world: World, held: Mapping[Partition, int], group: str) -> dict[Partition, Position]:
        found: dict[Partition, Position] = {}
        for lane in forward_lanes(self.migration):
            bounds = {p: at for p, at in held.items() if p.topic in lane.topics}
            if bounds:
                what = f"translating group {group}"
                seen = await_copies(world, Side.SOURCE, bounds, lane, what=what, deadline_ms=_COPIED_MS)
                found |= seen.positions
        return found


def _compare_lane(world: World, lane: Lane) -> dict[Partition, Compared]:
    source = world.cluster(Side.SOURCE)
    topics = source.topics(lane.topics)
    logs = source.ranges([p for topic in topics.values() for p in topic.all()])
    bounds = {p: log.end for p, log in logs.items()}
    what = f"copies of {lane.name}"
    seen = await_copies(world, Side.SOURCE, bounds, lane, what=what, deadline_ms=_COPIED_MS)
    compared: dict[Partition, Compared] = {}
    for number, (partition, end) in enumerate(sorted(bounds.items()), start=1):
        entered = seen.positions[partition].offset
        if entered is None:
            reason = seen.positions[partition].reason
            raise VerifyFailed(
                f"{partition}: the place of {end} on the target is not known: {reason}", hint="run this again"
            )
        compact = "compact" in topics[partition.topic].config.get("cleanup.policy", "delete")
        compared[partition] = compare(world, partition, {Side.SOURCE: end, Side.TARGET: entered}, compacted=compact)
        told = f"{number} of {len(bounds)} partitions equal, {total(compared.values())} records"
        world.reporter.progress("comparing content", told)
    return compared


def _grades(found: Mapping[Partition, Position]) -> Json:
    counts: dict[str, int] = {}
    for at in found.values():
        counts[str(at.grade)] = counts.get(str(at.grade), 0) + 1
    return counts
