"""rehearse: content and positions proven while everything still runs where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kmigrate.errors import KmigrateError
from kmigrate.manifests.lanes import forward_lanes
from kmigrate.model import Application, Json, JsonObject, Migration, Partition, Position, Side
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.content import Compared, Ends, estimate, prove, refuse_differences, settled_ends, total
from kmigrate.probes.drain import await_copies
from kmigrate.probes.groups import positions_held
from kmigrate.probes.lacking import Sentry
from kmigrate.probes.ownership import in_force
from kmigrate.probes.pauses import REHEARSED, predict
from kmigrate.probes.uncommitted import COMMITTED, Bar, passed
from kmigrate.waves import moves, stays, together
from kmigrate.world import World

_CONTENT, _SO_FAR, _TRIED, _ABORTED = "content", "content_so_far", "tried_positions", "aborted_ahead"
_COPIED_MS = 3_600_000
_KEEP_EVERY_MS = 30_000


@dataclass(frozen=True, kw_only=True)
class ProveContent(Step):
    """Every record that stood on the source when this began stands on the target, in order, and nothing else does."""

    name: ClassVar[str] = "prove-content"
    title: ClassVar[str] = "Prove that the content is equal on both sides"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing until it was compared in this unit; says how much will be read, and what that costs."""
        if world.ledger.get(_CONTENT) is not None:
            return Finding()
        topics = [topic for lane in forward_lanes(self.migration) for topic in lane.topics]
        detail = f"nothing is changed; {estimate(world, topics)}"
        subject = "both logs of every topic to be compared"
        return Finding(changes=(Change(action=Action.WAIT, subject=subject, detail=detail),))

    def apply(self, world: World) -> None:
        """Take the source's ends of now, wait for their copies, compare; raises VerifyFailed with what differs.

        The ends, and how far it is, are kept in the ledger: an interrupted proof goes on where it was. One that found a
        difference begins anew.
        """
        so_far = ContentSoFar.of(world, self.migration)
        try:
            proof = prove(world, so_far.ends, compared=so_far.compared, keep=so_far.keep)
        except KmigrateError:
            so_far.put()
            raise
        if proof.differences:
            so_far.forget()
            refuse_differences(proof.differences)
        told: dict[str, Json] = {str(p): each.told() for p, each in sorted(proof.compared.items())}
        world.ledger.put(_CONTENT, {"records": total(proof.compared.values()), "partitions": told})
        so_far.forget()

    def verify(self, world: World) -> Json:
        """How many records were equal, and in which ranges."""
        super().verify(world)
        return world.ledger.get(_CONTENT)

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed; the next rehearsal compares anew."""
        for name in (_CONTENT, _SO_FAR):
            if world.ledger.get(name) is not None:
                world.ledger.put(name, None)


@dataclass(frozen=True, kw_only=True)
class TryPositions(Step):
    """Every group of every application that can move is translated from where it stands now; nothing is committed."""

    name: ClassVar[str] = "try-positions"
    title: ClassVar[str] = "Translate every position without committing it"

    migration: Migration
    bears_aborted: frozenset[str] = field(default=frozenset(), repr=False)
    """Groups that may see aborted copies; kept out of the fingerprint, as in a move."""
    bears_foreign: frozenset[str] = field(default=frozenset(), repr=False)
    """Topics whose foreign records may be passed."""

    def check(self, world: World) -> Finding:
        """Missing until every group was tried in this unit."""
        tried = world.ledger.get(_TRIED)
        known = tried if isinstance(tried, Mapping) else {}
        lacking = [reads.group for app in self._movable() for reads in app.reads if reads.group not in known]
        return Finding(
            changes=tuple(Change(action=Action.WAIT, subject=f"group {group} to be translated") for group in lacking)
        )

    def apply(self, world: World) -> None:
        """Translate each; raises what `passed` raises for positions that a move could not go on with."""
        borne = {"bears_aborted": self.bears_aborted, "bears_foreign": self.bears_foreign}
        bar = Bar(minimum=self.migration.policy.minimum_grade, **borne)
        tried: dict[str, Json] = {}
        took: dict[str, Json] = {}
        aborted: dict[str, Json] = {}
        for app in self._movable():
            for reads in app.reads:
                began = world.clock.monotonic_ms()
                found = self._translate(world, positions_held(world, Side.SOURCE, reads, stable=False), reads.group)
                carried = passed(world, Side.SOURCE, reads, found, bar)
                tried[reads.group] = _grades(carried)
                took[reads.group] = world.clock.monotonic_ms() - began
                if reads.isolation != COMMITTED:
                    aborted[reads.group] = sum(at.aborted_ahead for at in carried.values())
        world.ledger.put(_ABORTED, aborted)
        world.ledger.put(REHEARSED, took)
        world.ledger.put(_TRIED, tried)

    def verify(self, world: World) -> Json:
        """Grades per group, how many aborted copies each reader of uncommitted records could see, predicted pauses.

        How long stopping and starting take is not measured here: it is told as not known, or as measured before.
        """
        super().verify(world)
        told: dict[str, Json] = {"grades": world.ledger.get(_TRIED)}
        aborted = world.ledger.get(_ABORTED)
        if aborted:
            told["aborted copies ahead"] = aborted
        policy = self.migration.policy
        pauses: dict[str, Json] = {
            app.name: str(predict(world.ledger, app, Side.SOURCE, policy)) for app in self._movable()
        }
        return {**told, "pauses": pauses}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed; the next rehearsal translates anew."""
        world.ledger.put(_TRIED, None)
        world.ledger.put(REHEARSED, None)
        world.ledger.put(_ABORTED, None)

    def _movable(self) -> tuple[Application, ...]:
        """Each move as one application."""
        why = stays(self.migration.applications, way_back=self.migration.way_back)
        every = moves(self.migration.applications)
        return tuple(together(move.applications) for move in every if not any(why[name] for name in move.names))

    def _translate(self, world: World, held: Mapping[Partition, int], group: str) -> dict[Partition, Position]:
        found: dict[Partition, Position] = {}
        for lane in forward_lanes(self.migration):
            bounds = {p: at for p, at in held.items() if p.topic in lane.topics}
            if bounds:
                what = f"translating group {group}"
                watch = Sentry(world, self.migration, lane)
                seen = await_copies(world, Side.SOURCE, bounds, lane, what=what, deadline_ms=_COPIED_MS, watch=watch)
                found |= seen.positions
        return found


@dataclass(slots=True, kw_only=True)
class ContentSoFar:
    """The ends of a proof under way and what was found equal before them, kept in the ledger every half a minute."""

    world: World
    ends: Mapping[Partition, Ends]
    compared: Mapping[Partition, Compared]
    kept_ms: int

    @classmethod
    def of(cls, world: World, migration: Migration) -> ContentSoFar:
        """What an earlier call kept; else the ends of now, kept before anything is compared up to them."""
        known, now = world.ledger.get(_SO_FAR), world.clock.monotonic_ms()
        if isinstance(known, Mapping):
            ends, compared = known["ends"], known["compared"]
            assert isinstance(ends, Mapping)
            assert isinstance(compared, Mapping)
            return cls(
                world=world,
                ends={Partition.parse(name): Ends.read(told) for name, told in ends.items()},
                compared={Partition.parse(name): Compared.read(told) for name, told in compared.items()},
                kept_ms=now,
            )
        found: dict[Partition, Ends] = {}
        for lane in forward_lanes(migration):
            watch = Sentry(world, migration, in_force(world, lane))
            found |= settled_ends(world, lane, lane.topics, deadline_ms=_COPIED_MS, watch=watch)
        made = cls(world=world, ends=found, compared={}, kept_ms=now)
        made.put()
        return made

    def keep(self, compared: Mapping[Partition, Compared]) -> None:
        """More was found equal."""
        self.compared = compared
        if self.world.clock.monotonic_ms() - self.kept_ms >= _KEEP_EVERY_MS:
            self.put()

    def put(self) -> None:
        """Write it down."""
        ends: dict[str, Json] = {str(p): each.told() for p, each in sorted(self.ends.items())}
        compared: dict[str, Json] = {str(p): each.told() for p, each in sorted(self.compared.items())}
        self.world.ledger.put(_SO_FAR, {"ends": ends, "compared": compared})
        self.kept_ms = self.world.clock.monotonic_ms()

    def forget(self) -> None:
        """The proof is over."""
        self.world.ledger.put(_SO_FAR, None)


def _grades(found: Mapping[Partition, Position]) -> Json:
    counts: dict[str, int] = {}
    for at in found.values():
        counts[str(at.grade)] = counts.get(str(at.grade), 0) + 1
    return counts
