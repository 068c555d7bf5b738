"""replicate: the forward lanes run, and everything up to now stands on the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.internal import FORWARD_LOGIN
from kmigrate.manifests.lanes import FORWARD, forward_lanes
from kmigrate.manifests.mirror import mirror_maker, reset
from kmigrate.manifests.rights import MIRROR_USER
from kmigrate.model import Json, JsonObject, Lane, Migration, Partition, Side, Topic
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.arming import begins
from kmigrate.probes.drain import await_copies, records_behind, still_copied
from kmigrate.probes.lacking import Sentry, refuse_lacking
from kmigrate.probes.ownership import epochs, in_force
from kmigrate.probes.resources import await_ready
from kmigrate.probes.retention import (
    Term,
    Uncopied,
    refuse_expiring,
    refuse_gone,
    shortest_term,
    uncopied,
)
from kmigrate.steps.clusters import largest
from kmigrate.steps.feeding import feeds
from kmigrate.steps.lanes import asked_reset, asked_state, remove_lists
from kmigrate.steps.logins import at_source, at_target, wanted_secrets
from kmigrate.steps.ownership import feed_as_owned
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.steps.standing import as_lanes_stand
from kmigrate.world import World

_CAUGHT_UP, _COPIED_BEFORE, _COPIED_PER_S = "caught_up", "copied_before", "copied_per_s"
_READY_MS = 300_000
_CATCH_UP_MS = 24 * 3_600_000


@dataclass(frozen=True, kw_only=True)
class StoreLogins(Step):
    """The mirrors' credentials for the source, and the authority they trust, as Secrets beside them."""

    name: ClassVar[str] = "store-logins"
    title: ClassVar[str] = "Give the mirror its credential for the source"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: Secrets that do not hold what the plan refers to."""
        wanted = wanted_secrets(self.migration)
        lacking = [name for name, key, ref in wanted if not world.secrets.stored(name, key, ref)]
        return Finding(
            changes=tuple(Change(action=Action.CREATE, subject=f"Secret {name}") for name in lacking),
            before={"absent": [name for name in lacking if not world.secrets.exists(name)]},
        )

    def apply(self, world: World) -> None:
        """Copy them."""
        for name, key, reference in wanted_secrets(self.migration):
            world.secrets.store(name, key, reference)

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove those that were not there. One that held an older credential keeps the newer."""
        absent = before.get("absent")
        for name in absent if isinstance(absent, list | tuple) else ():
            world.secrets.remove(str(name))


@dataclass(frozen=True, kw_only=True)
class StartMirror(Step):
    """The KafkaMirrorMaker2 with every forward lane, running without a failed task."""

    name: ClassVar[str] = "start-mirror"
    title: ClassVar[str] = "Start the mirror"

    migration: Migration
    mirror_login: str

    def check(self, world: World) -> Finding:
        """Missing while it is not stored as wanted or not Ready, and a lane that came back and does not run.

        Raises Blocked when a task has FAILED, and where the mirror lacks a right by the ACLs of either side: without
        some of them it sees no topic, or tells nobody where its copies lie, and no task fails.
        """
        refuse_lacking(world, self.migration, self._lanes())
        finding = find(world, self._wanted(world))
        trouble = [] if finding.changes else [t for lane in self._lanes() for t in world.mirror.trouble(lane)]
        if trouble:
            raise Blocked(
                f"the mirror is Ready, and yet: {'; '.join(trouble)}", hint="mend what it names, then run this again"
            )
        late = [] if finding.changes else self._late(world)
        return replace(
            finding, changes=(*finding.changes, *(Change(action=Action.START, subject=each) for each in late))
        )

    def apply(self, world: World) -> None:
        """Apply it and wait until it is Ready at its generation; then start what came back, where it had got to."""
        apply_all(world, self._wanted(world))
        await_ready(world, self._wanted(world), what="mirror", deadline_ms=_READY_MS)
        for lane in self._back_here(world):
            feed_as_owned(world, self.migration, lane, _READY_MS)

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove it, or put back what was there, with its lanes as moves have left them."""
        restore(world, before, lambda body: as_lanes_stand(world, self.migration.target, body, self._lanes()))
        remove_lists(world, self.migration.target, self._lanes())

    def _late(self, world: World) -> list[str]:
        lanes = self._back_here(world)
        return [f"lane {lane.name}" for lane in lanes if not feeds(world, self.migration.target, lane)]

    def _back_here(self, world: World) -> list[Lane]:
        """Lanes whose topics were handed over, and back: while the mirror is not there they stand still."""
        return [lane for lane in self._lanes() if begins(world, lane)]

    def _lanes(self) -> tuple[Lane, ...]:
        return forward_lanes(self.migration)

    def _wanted(self, world: World) -> tuple[JsonObject, ...]:
        """A lane whose topics were ever handed over stays as the hand-overs left it: started unarmed it would echo."""
        plan = self.migration
        handed_over = {partition.topic for partition in epochs(world)}
        turned = [lane for lane in self._lanes() if not handed_over.isdisjoint(lane.topics)]
        written = reset(all_begin_written=True)
        body = mirror_maker(
            FORWARD,
            self._lanes(),
            plan.target,
            reads_from=at_source(plan, plan.mirror_auth, self.mirror_login, FORWARD_LOGIN),
            writes_to=at_target(plan, MIRROR_USER),
            states={lane.name: asked_state(world, plan.target, lane) for lane in turned},
            begin_written=[lane.name for lane in turned if asked_reset(world, plan.target, lane) == written],
            largest=largest(world, plan),
        )
        return (body,)


@dataclass(frozen=True, kw_only=True)
class CatchUp(Step):
    """Everything that stood on the source when this step began stands on the target."""

    name: ClassVar[str] = "catch-up"
    title: ClassVar[str] = "Wait until the mirror has caught up"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing until each lane has copied the last record of every partition written down for it.

        One that fed nothing while this was sealed came back by a move, which claims what it copies since.
        """
        late = [f"lane {lane.name}" for lane in _feeding(world, self.migration) if self._late(world, lane)]
        return Finding(changes=tuple(Change(action=Action.WAIT, subject=name) for name in late))

    def apply(self, world: World) -> None:
        """Take the ends of now as the bound and wait until the last record before each stands on the target.

        Raises Refused when the source forgets records that were not copied, Blocked when a task has FAILED or the
        mirror lost a right.
        """
        for lane in _feeding(world, self.migration):
            if self._late(world, lane):
                _catch_up(world, lane, Sentry(world, self.migration, lane))

    def verify(self, world: World) -> Json:
        """How many partitions were compared at their ends."""
        super().verify(world)
        return {lane.name: len(self._bounds(world, lane) or {}) for lane in _feeding(world, self.migration)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed: the mirror goes with the step before."""

    def _late(self, world: World, lane: Lane) -> bool:
        bounds = self._bounds(world, lane)
        return not world.ledger.sealed if bounds is None else bool(still_copied(world, bounds, lane))

    def _bounds(self, world: World, lane: Lane) -> dict[Partition, int] | None:
        return _offsets(world, f"{_CAUGHT_UP}/{lane.name}")


@dataclass(frozen=True, kw_only=True)
class GuardRetention(Step):
    """Nothing on the source expires before it is copied, as fast as the mirror was while it caught up."""

    name: ClassVar[str] = "guard-retention"
    title: ClassVar[str] = "See that nothing expires before it is copied"
    looks_only: ClassVar[bool] = True

    migration: Migration

    def check(self, world: World) -> Finding:
        """Nothing to change; before the mirror has caught up there is nothing to say either.

        Raises Refused for records that are gone already, Blocked for those that may expire before they are copied.
        """
        for lane in self._caught_up(world):
            _guard(world, lane)
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do: this step only looks."""

    def verify(self, world: World) -> Json:
        """At most how many records are not copied, the shortest term, and how many terms are brokers' defaults."""
        topics: list[Topic] = []
        left: dict[Partition, Uncopied] = {}
        for lane in self._caught_up(world):
            left |= _guard(world, lane)
            topics += world.cluster(Side.SOURCE).topics(lane.topics).values()
        terms = {topic.name: shortest_term(topic) for topic in topics}
        first = min(terms, key=lambda name: _ends(terms[name]), default=None)
        return {
            "topics": len(terms),
            "uncopied": sum(each.records for each in left.values()),
            "shortest": f"{first}: {terms[first]}" if first is not None else "",
            "assumed": sum(term.assumed for term in terms.values()),
        }

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _caught_up(self, world: World) -> tuple[Lane, ...]:
        lanes = _feeding(world, self.migration)
        return tuple(lane for lane in lanes if _offsets(world, f"{_CAUGHT_UP}/{lane.name}") is not None)


def _feeding(world: World, migration: Migration) -> tuple[Lane, ...]:
    """The lanes that copy from the source; what the target owns by now has nothing there to catch up with."""
    return tuple(lane for lane in forward_lanes(migration) if in_force(world, lane) == lane)


def _catch_up(world: World, lane: Lane, sentry: Sentry) -> None:
    source, began = world.cluster(Side.SOURCE), world.clock.monotonic_ms()
    logs = source.ranges([p for topic in source.topics(lane.topics).values() for p in topic.all()])
    bounds = {p: log.end for p, log in logs.items()}
    behind = sum(records_behind(world, bounds, lane, {p: log.start for p, log in logs.items()}).values())
    what = f"catching up {lane.name}"

    def watch(waiting: Iterable[Partition]) -> None:
        sentry(waiting)
        copied = world.mirror.copied(lane)
        refuse_gone(world, {p: copied[p] + 1 for p in waiting if p in copied})

    seen = await_copies(world, Side.SOURCE, bounds, lane, what=what, deadline_ms=_CATCH_UP_MS, watch=watch)
    took = world.clock.monotonic_ms() - began
    world.ledger.put(f"{_COPIED_PER_S}/{lane.name}", round(behind * 1000 / took, 3) if took > 0 else None)
    world.ledger.put(f"{_COPIED_BEFORE}/{lane.name}", {str(p): end for p, end in sorted(bounds.items())})
    world.ledger.put(f"{_CAUGHT_UP}/{lane.name}", {str(p): offset for p, offset in sorted(seen.last.items())})


def _guard(world: World, lane: Lane) -> dict[Partition, Uncopied]:
    topics = world.cluster(Side.SOURCE).topics(lane.topics).values()
    there = [p for topic in topics for p in topic.all()]
    copied = _copied_before(world, lane)
    refuse_gone(world, {p: copied[p] for p in there if p in copied})
    left = uncopied(world, {p: copied.get(p, 0) for p in there})
    rate = world.ledger.get(f"{_COPIED_PER_S}/{lane.name}")
    records = sum(each.records for each in left.values())
    need = round(records * 1000 / rate) if isinstance(rate, int | float) and rate > 0 else None
    refuse_expiring(world, topics, left, need)
    return left


def _copied_before(world: World, lane: Lane) -> dict[Partition, int]:
    """The first offset of each partition that is not known to be copied.

    Connect names the last record only. Where it still stands by what catch-up has proven, the markers after that
    record count as copied too; without them a log that retention has emptied would look like a loss.
    """
    copied = world.mirror.copied(lane)
    last = _offsets(world, f"{_CAUGHT_UP}/{lane.name}") or {}
    ends = _offsets(world, f"{_COPIED_BEFORE}/{lane.name}") or {}
    held = {p: end for p, end in ends.items() if copied.get(p, -1) >= last.get(p, -1)}
    return {p: max(held.get(p, 0), copied.get(p, -1) + 1) for p in {*held, *copied}}


def _offsets(world: World, fact: str) -> dict[Partition, int] | None:
    known = world.ledger.get(fact)
    return {Partition.parse(p): int(str(x)) for p, x in known.items()} if isinstance(known, Mapping) else None


def _ends(term: Term) -> float:
    return float("inf") if term.ms is None else term.ms
