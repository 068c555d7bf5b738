"""decommission: nobody uses the source any more, and then the mirror stops for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from kmigrate.errors import Blocked
from kmigrate.manifests.lanes import FORWARD, forward_lanes, reverse_lanes
from kmigrate.manifests.mirror import STOPPED
from kmigrate.model import Application, Json, JsonObject, Lane, Migration, Partition, Side
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.counterparts import compare_all, since, unheard_of
from kmigrate.probes.foreign import Foreign, named, unaccepted, ways_on
from kmigrate.probes.lanes import lane_key
from kmigrate.probes.ownership import owned_by
from kmigrate.probes.resources import await_ready, key_of
from kmigrate.probes.topic_drain import settled_ends
from kmigrate.probes.topics import await_topics, refuse_unsettled
from kmigrate.steps.carried import RELEASED, carried
from kmigrate.steps.lanes import lane_state, stop_lane
from kmigrate.steps.last_copies import await_last_copies
from kmigrate.steps.resources import apply_all, find
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.waves import stays
from kmigrate.world import Key, World

_WATCH_MS = 5_000
_STOP_MS = _RELEASE_MS = _COPIED_MS = 300_000


def not_seen(migration: Migration) -> tuple[str, ...]:
    """The applications of which nobody can see whether they still use the source: they name no workloads."""
    return tuple(app.name for app in migration.applications if not app.workloads)


@dataclass(frozen=True, kw_only=True)
class ProveIdle(Step):
    """No application runs on the source, no group has members there, no log grows while watched, and all is copied."""

    name: ClassVar[str] = "prove-idle"
    title: ClassVar[str] = "Prove that nobody uses the source any more"
    looks_only: ClassVar[bool] = True
    lasts: ClassVar[bool] = False

    migration: Migration
    bears_foreign: frozenset[str] = field(default=frozenset(), repr=False)
    """Topics of which records may stay on the source alone; kept out of the fingerprint, as in a move."""

    def check(self, world: World) -> Finding:
        """Never a change; raises Blocked naming everybody who is still there, and why, at once."""
        _refuse(self._who_stays(world))
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do."""

    def verify(self, world: World) -> Json:
        """Watch the ends of the logs for a while, then see that all before them is copied.

        Raises Blocked naming the topics that grow and who may write them, or the transaction that is open there; and
        as `await_last_copies` for a lane that has not copied everything.
        """
        first = self._ends(world)
        world.clock.sleep(_WATCH_MS)
        last = self._ends(world)
        strays, unknown = self._strays(world)
        copies = self._only_copies(world, strays, unknown, first)
        grown = sorted({p.topic for p in first if last.get(p) != first[p]} - copies)
        told = [f"{topic} grows ({self._writers(topic)})" for topic in grown]
        _refuse([*told, *self._alone(world, strays), *self._who_stays(world)])
        self._all_copied(world, last)
        seen: JsonObject = {"watched_ms": _WATCH_MS, "partitions": len(first), "keysToRevoke": self._keys()}
        unseen = not_seen(self.migration)
        return {**seen, "notLookedAt": list(unseen)} if unseen else seen

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""

    def _who_stays(self, world: World) -> list[str]:
        why = stays(self.migration.applications, way_back=self.migration.way_back)
        told = [self._on_source(world, app, why[app.name]) for app in self.migration.applications]
        groups = world.groups(Side.SOURCE).all()
        crowd = [f"group {name} has members there" for name, group in sorted(groups.items()) if group.members]
        return [each for each in told if each] + crowd

    def _on_source(self, world: World, app: Application, why: str) -> str:
        """Why an application is not off the source, in words; one that cannot be moved is off it when it is stopped.

        Of one that is `not_seen` the door's question and the evidence tell.
        """
        if not app.workloads:
            return ""
        view = world.workload(app.name).look()
        if world.side_of(view.bootstrap) is Side.TARGET or (why and not view.running):
            return ""
        state = "runs there" if view.running else "is stopped and was not moved"
        return f"{app.name} {state}" + (f": {why}" if why else "")

    def _all_copied(self, world: World, ends: Mapping[Partition, int]) -> None:
        """What the source owns is nowhere else until it is copied; what came while that was waited for is not idle."""
        owned = owned_by(world, Side.SOURCE, {p.topic for p in ends})
        still = settled_ends(world, Side.SOURCE, owned)
        await_last_copies(world, self.migration, still, _COPIED_MS)
        now = world.cluster(Side.SOURCE).ends(still, committed=False)
        grown = sorted({p.topic for p in still if now[p] != ends.get(p)})
        _refuse([f"{topic} grows ({self._writers(topic)})" for topic in grown])

    def _ends(self, world: World) -> Mapping[Partition, int]:
        source = world.cluster(Side.SOURCE)
        topics = source.topics(self.migration.topics)
        return source.ends([p for topic in topics.values() for p in topic.all()], committed=False)

    def _alone(self, world: World, strays: tuple[Foreign, ...]) -> list[str]:
        """What would be lost with the source, but for what a human took on."""
        bad = unaccepted(strays, self.bears_foreign)
        return [f"{named(world, Side.SOURCE, bad)}; {ways_on(bad)}"] if bad else []

    def _strays(self, world: World) -> tuple[tuple[Foreign, ...], frozenset[Partition]]:
        """Records on the source that the target, their owner, does not have; and where that is not known."""
        topics = world.cluster(Side.SOURCE).topics(self._owned(world))
        cursors = since(world, Side.SOURCE, [p for topic in topics.values() for p in topic.all()])
        every = tuple(compare_all(world, Side.SOURCE, cursors))
        return tuple(f for seen in every for f in seen.foreign), frozenset(p for seen in every for p in seen.gone)

    def _only_copies(
        self, world: World, strays: tuple[Foreign, ...], unknown: frozenset[Partition], first: Mapping[Partition, int]
    ) -> frozenset[str]:
        """Topics that the target owns, and of which all that came to the source is a copy from there.

        Where retention took what was to be compared, of what came since the watch began.
        """
        starts = {p: first[p] for p in unknown if p in first}
        strange = {each.partition.topic for each in strays} | {p.topic for p in unheard_of(world, Side.SOURCE, starts)}
        return self._owned(world) - strange

    def _owned(self, world: World) -> frozenset[str]:
        return owned_by(world, Side.TARGET, self.migration.topics)

    def _writers(self, topic: str) -> str:
        names = sorted(app.name for app in self.migration.applications if topic in app.writes)
        return f"{', '.join(names)} may write it" if names else "no application of the plan writes it"

    def _keys(self) -> list[str]:
        back = (self.migration.reverse_auth.username,) if self.migration.reverse_auth else ()
        ours = [self.migration.source.auth.username, self.migration.mirror_auth.username, *back]
        theirs = [principal.source for app in self.migration.applications for principal in app.principals]
        return sorted({str(name) for name in (*ours, *theirs)})


@dataclass(frozen=True, kw_only=True)
class StopLanes(Step):
    """Every lane is asked to be stopped, never removed, and no task of it runs."""

    name: ClassVar[str] = "stop-lanes"
    title: ClassVar[str] = "Stop the mirror for good"
    one_way: ClassVar[str] = "what is written on the source from here on is copied by nobody"
    for_good: ClassVar[bool] = True
    mend: ClassVar[str] = "see who started it, and set its state to stopped again: the source was left for good"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: lanes that are not asked to be stopped, and those whose tasks run all the same."""
        wanted = self._wanted(world)
        finding = find(world, wanted)
        running = [Change(action=Action.STOP, subject=each) for each in self._running(world)] if wanted else []
        running += [Change(action=Action.STOP, subject=f"lane {lane.name}") for lane in self._back(world)]
        return Finding(changes=(*finding.changes, *running), before=finding.before)

    def apply(self, world: World) -> None:
        """Ask for it and wait until no task runs."""
        for lane in self._back(world):
            stop_lane(world, self.migration.target, lane, _STOP_MS)
        apply_all(world, self._wanted(world))

        def look() -> Ready[None] | NotYet:
            running = self._running(world)
            return NotYet(f"tasks run: {', '.join(running)}") if running or self.check(world).changes else Ready(None)

        wait_until(look, what="stopping", clock=world.clock, reporter=world.reporter, deadline_ms=_STOP_MS)

    def verify(self, world: World) -> Json:
        """Tasks per lane, by Connect's own word."""
        super().verify(world)
        every = (
            *forward_lanes(self.migration),
            *(reverse_lanes(self.migration) if self.migration.reverse_auth else ()),
        )
        return {lane.name: world.mirror.tasks(lane) for lane in every}

    def undo(self, world: World, before: JsonObject) -> None:
        """One-way: the engine says so and does not come here."""

    def _back(self, world: World) -> list[Lane]:
        """Lanes of the mirror back that are not stopped; none where none was ever made."""
        lanes = reverse_lanes(self.migration) if self.migration.reverse_auth else ()
        target = self.migration.target
        made = [lane for lane in lanes if world.resources.get(lane_key(lane, target.namespace)) is not None]
        return [lane for lane in made if not lane_state(world, target, lane).stopped]

    def _running(self, world: World) -> list[str]:
        return [f"lane {lane.name}" for lane in forward_lanes(self.migration) if world.mirror.tasks(lane)]

    def _wanted(self, world: World) -> tuple[JsonObject, ...]:
        """The mirror as it is stored, each lane stopped; nothing where there is no mirror."""
        found = world.resources.get(Key("KafkaMirrorMaker2", self.migration.target.namespace, FORWARD.group))
        if found is None:
            return ()
        mirrors = found.spec.get("mirrors")
        stopped = [_stopped(each) for each in mirrors] if isinstance(mirrors, Sequence) else []
        body = {name: value for name, value in found.body.items() if name != "status"}
        labels = {k: v for k, v in found.metadata.items() if k in ("name", "namespace", "labels", "annotations")}
        return ({**body, "metadata": labels, "spec": {**found.spec, "mirrors": stopped}},)


@dataclass(frozen=True, kw_only=True)
class ReleaseRetention(Step):
    """The target deletes and compacts again as the source did: that was held off while a way back was promised."""

    name: ClassVar[str] = "release-retention"
    title: ClassVar[str] = "Let the target delete again as the source did"
    one_way: ClassVar[str] = "what retention takes on the target from here on does not come back"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: topics that still hold deletion off, each with what it will have again."""
        topics = carried(world, self.migration)
        finding = find(world, [each.released for each in topics])
        told = {str(key_of(each.released)): _settings(each.held) for each in topics}
        changes = tuple(replace(each, detail=told.get(each.subject, "")) for each in finding.changes)
        return replace(finding, changes=changes)

    def apply(self, world: World) -> None:
        """Write down that the way back is closed, then ask for it, and wait until the target shows it."""
        world.ledger.put(RELEASED, value=True)
        wanted = tuple(each.released for each in carried(world, self.migration))
        apply_all(world, wanted)
        await_ready(world, wanted, what="topics", deadline_ms=_RELEASE_MS)
        await_topics(world, wanted, deadline_ms=_RELEASE_MS)

    def verify(self, world: World) -> Json:
        """What each topic has again, by the target's own word."""
        super().verify(world)
        topics = carried(world, self.migration)
        refuse_unsettled(world, [each.released for each in topics])
        return {str(key_of(each.released).name): dict(each.held) for each in topics}

    def undo(self, world: World, before: JsonObject) -> None:
        """One-way: the engine says so and does not come here."""


def _settings(held: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(held.items()))


def _stopped(mirror: Json) -> Json:
    source = mirror.get("sourceConnector") if isinstance(mirror, Mapping) else None
    if not isinstance(mirror, Mapping) or not isinstance(source, Mapping):
        return mirror
    return {**mirror, "sourceConnector": {**source, "state": STOPPED}}


def _refuse(who: Sequence[str]) -> None:
    if who:
        raise Blocked(
            f"the source is still in use: {'; '.join(who)}",
            hint="move or stop each that is named, then run `kmigrate apply --phase decommission` again",
        )
