"""The mirror back, made before any writer is moved: what it needs on the source, and its lanes, stopped.

It may write no topic there that the source owns: that right comes with the topic, when it is handed over (design §4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked, VerifyFailed
from kmigrate.manifests.internal import REVERSE_LOGIN, topics_on_source
from kmigrate.manifests.lanes import REVERSE, reverse_lanes
from kmigrate.manifests.mirror import RESET, RUNNING, STOPPED, reset
from kmigrate.manifests.reverse import reverse_connect, reverse_lane
from kmigrate.manifests.rights import REVERSE_USER
from kmigrate.manifests.users import reverse_source_rules, rights_of
from kmigrate.model import Auth, Json, JsonObject, Lane, Migration, Partition, Right, Side, Topic, part
from kmigrate.plan import Action, Change, Finding, Step
from kmigrate.probes.lacking import refuse_lacking
from kmigrate.probes.lanes import lane_key
from kmigrate.probes.ownership import epochs, owned_by
from kmigrate.probes.resources import await_ready
from kmigrate.steps.clusters import largest
from kmigrate.steps.lanes import lane_state, remove_lists
from kmigrate.steps.logins import acl_name, at_source, at_target, login_name
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.steps.standing import as_lanes_stand
from kmigrate.wait import NotYet, Ready, wait_until
from kmigrate.world import World

_TOPICS, _ENDS = "reverse_topics", "reverse_ends"
_DEADLINE_MS = 300_000


@dataclass(frozen=True, kw_only=True)
class PrepareSource(Step):
    """The small topic of each reverse lane, and the rights of the mirror back: to see topics, not to write them."""

    name: ClassVar[str] = "prepare-source"
    title: ClassVar[str] = "Make on the source what the mirror back needs"

    migration: Migration
    auth: Auth

    def check(self, world: World) -> Finding:
        """Missing: topics and rights, each by its name; `before` holds those that were not there.

        Raises Blocked when kmigrate may not make them, for a topic that is there and is not ours to fill, and for
        rights of the mirror that nobody asked for: with them it could write what the source owns.
        """
        topics, rights = self._lacking_topics(world), self._lacking_rights(world)
        self._refuse_strange(world)
        if topics or rights:
            world.source_admin.allowed(self._topics())
        made = [f"topic {topic.name} on the source" for topic in topics]
        granted = [f"right on the source: {_told(right)}" for right in rights]
        return Finding(
            changes=tuple(Change(action=Action.CREATE, subject=each) for each in (*made, *granted)),
            before={"topics": [topic.name for topic in topics], "rights": [_kept(right) for right in rights]},
        )

    def apply(self, world: World) -> None:
        """Make what is missing, and wait until the source tells it."""
        world.ledger.put(_TOPICS, sorted(topic.name for topic in self._topics()))
        for topic in self._lacking_topics(world):
            world.source_admin.create_topic(topic)
        world.source_admin.grant(self._lacking_rights(world))
        _await(world, "the mirror's part of the source", lambda: [str(change) for change in self.check(world).changes])

    def verify(self, world: World) -> Json:
        """What stands; and that kmigrate may remove it again."""
        super().verify(world)
        world.source_admin.allowed(self._topics())
        return {
            "topics": [topic.name for topic in self._topics()],
            "rights": [_told(right) for right in self._rights()],
        }

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the topics and rights that were not there, and wait until they are gone."""
        topics, rights = _names(before.get("topics")), _rights(before.get("rights"))
        world.source_admin.revoke(rights)
        for name in topics:
            world.source_admin.remove_topic(name)
        _await(world, "removing the mirror's topics", lambda: [n for n in topics if world.source_admin.topic(n)])

    @property
    def _mirror(self) -> str:
        return acl_name(self.auth, "mirror.reverse")

    def _topics(self) -> tuple[Topic, ...]:
        return topics_on_source(REVERSE, reverse_lanes(self.migration))

    def _rights(self, owned: Iterable[str] | None = None) -> tuple[Right, ...]:
        """What it needs while the source owns those topics; by default all of them."""
        ours = self.migration.topics if owned is None else owned
        return rights_of(self._mirror, reverse_source_rules(reverse_lanes(self.migration), REVERSE, ours))

    def _lacking_rights(self, world: World) -> tuple[Right, ...]:
        wanted = self._rights()
        standing = world.source_admin.grants(wanted)
        return tuple(right for right in wanted if right not in standing)

    def _lacking_topics(self, world: World) -> tuple[Topic, ...]:
        there = {topic.name: world.source_admin.topic(topic.name) for topic in self._topics()}
        made = {name for fact in world.ledger.by_unit(_TOPICS).values() for name in _names(fact)}
        for wanted in self._topics():
            found = there[wanted.name]
            if found is not None:
                _refuse_foreign(world, wanted, found, ours=wanted.name in made)
        return tuple(topic for topic in self._topics() if there[topic.name] is None)

    def _refuse_strange(self, world: World) -> None:
        """Raise Blocked for a right of the mirror beyond what it needs by who owns each topic now."""
        known = {*self._rights(), *self._rights(owned_by(world, Side.SOURCE, self.migration.topics))}
        theirs = [right for right in world.cluster(Side.SOURCE).rights() if right.principal == self._mirror]
        strange = [_told(right) for right in theirs if right.type == "allow" and right not in known]
        if strange:
            raise Blocked(
                f"{self._mirror} may do more on the source than the mirror back needs: {'; '.join(strange)}",
                hint="take it away (kafka-acls.sh --remove), or name a principal without any right in mirror.reverse",
            )


@dataclass(frozen=True, kw_only=True)
class PrepareReverse(Step):
    """The mirror back: its workers on the target, and a connector per lane, stopped until a topic is handed over."""

    name: ClassVar[str] = "prepare-reverse"
    title: ClassVar[str] = "Make the mirror back, stopped"
    migration: Migration
    auth: Auth

    def check(self, world: World) -> Finding:
        """Missing: what is not stored as wanted or not Ready, and lanes that have not stopped as they were asked to.

        A lane that was started since stays as it is. Raises Blocked for what its operator says is wrong, and where the
        mirror back lacks a right by the ACLs of either side: nothing else tells of most of them while it stands still.
        """
        refuse_lacking(world, self.migration, self._lanes())
        finding = find(world, self._wanted(world))
        if finding.changes:
            return finding
        trouble = [word for lane in self._lanes() for word in world.mirror.trouble(lane)]
        if trouble:
            raise Blocked(
                f"the mirror back is Ready, and yet: {'; '.join(trouble)}",
                hint="mend what it names, then run this again",
            )
        return Finding(changes=tuple(Change(action=Action.STOP, subject=each) for each in self._not_stopped(world)))

    def apply(self, world: World) -> None:
        """Apply the resources and wait until each is Ready, and until Connect says of each lane: STOPPED.

        Written down first: where the logs end that only a running lane would write.
        """
        if world.ledger.get(_ENDS) is None:
            world.ledger.put(_ENDS, {str(place): end for place, end in self._ends(world).items()})
        wanted = self._wanted(world)
        apply_all(world, wanted)
        await_ready(world, wanted, what="mirror back", deadline_ms=_DEADLINE_MS)
        _await(world, "mirror back stopped", lambda: self._not_stopped(world))

    def verify(self, world: World) -> Json:
        """No task runs and no record was added, by the ends of what the lanes that were never started would write."""
        super().verify(world)
        then, now = world.ledger.get(_ENDS), self._ends(world)
        known = then if isinstance(then, Mapping) else {}
        grown = [str(place) for place, end in now.items() if known.get(str(place), end) != end]
        if grown:
            raise VerifyFailed(
                f"the mirror back is stopped, and yet {', '.join(grown)} grew",
                hint="find out who writes as the mirror back; nothing is moved before that is known",
            )
        tasks = {lane.name: world.mirror.tasks(lane) for lane in self._lanes()}
        return {"tasks": tasks, "stopped": len(self._stopped(world)), "logsAtTheirEnds": len(now)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove it, or put back what was there, with its lanes as moves have left them."""
        restore(world, before, lambda body: as_lanes_stand(world, self.migration.target, body, self._lanes()))
        remove_lists(world, self.migration.target, self._lanes())

    def _lanes(self) -> tuple[Lane, ...]:
        return reverse_lanes(self.migration)

    def _wanted(self, world: World) -> tuple[JsonObject, ...]:
        plan, login = self.migration, login_name(self.auth, "mirror.reverse")
        reads, writes = at_target(plan, REVERSE_USER), at_source(plan, self.auth, login, REVERSE_LOGIN)
        most = largest(world, plan)
        connect = reverse_connect(REVERSE, plan.target, reads_from=reads, writes_to=writes)
        lanes = (
            reverse_lane(
                REVERSE,
                lane,
                plan.target,
                reads_from=reads,
                writes_to=writes,
                state=self._asked(world, lane),
                all_begin_written=self._begins_written(world, lane),
                largest=most,
            )
            for lane in self._lanes()
        )
        return (connect, *lanes)

    def _asked(self, world: World, lane: Lane) -> str:
        """Stopped while the source owns its topics; else as the hand-over left it, which arms before it starts."""
        away = owned_by(world, Side.TARGET, lane.topics)
        return RUNNING if away and self._stored(world, lane).get("state") == RUNNING else STOPPED

    def _begins_written(self, world: World, lane: Lane) -> bool:
        """As the newest hand-over left it (`reverse_connector`)."""
        return part(self._stored(world, lane), "config").get(RESET) == reset(all_begin_written=True)

    def _stored(self, world: World, lane: Lane) -> JsonObject:
        """The wish for a lane that was handed over before; nothing for one that never was."""
        found = world.resources.get(lane_key(lane, self.migration.target.namespace))
        return found.spec if found is not None and self._handed_over(world, lane) else {}

    def _handed_over(self, world: World, lane: Lane) -> bool:
        """Whether any of its topics was ever; before, nobody but a mistake starts it."""
        return any(partition.topic in lane.topics for partition in epochs(world))

    def _stopped(self, world: World) -> list[Lane]:
        return [lane for lane in self._lanes() if self._asked(world, lane) == STOPPED]

    def _not_stopped(self, world: World) -> list[str]:
        seen = {lane.name: lane_state(world, self.migration.target, lane) for lane in self._stopped(world)}
        return [f"lane {name}: {state}" for name, state in seen.items() if not state.stopped]

    def _ends(self, world: World) -> dict[Partition, int]:
        """Where each lane's own logs end, uncommitted records too; of lanes that were never to run."""
        lanes = [lane for lane in self._lanes() if not self._handed_over(world, lane)]
        places = {
            Side.SOURCE: [Partition(REVERSE.connector_offsets(lane), 0) for lane in lanes],
            Side.TARGET: [Partition(REVERSE.offset_syncs(lane), 0) for lane in lanes],
        }
        ends = [world.cluster(side).ends(of, committed=False) for side, of in places.items()]
        return {place: end for each in ends for place, end in each.items()}


def _refuse_foreign(world: World, wanted: Topic, found: Topic, *, ours: bool) -> None:
    """Raise Blocked for a topic of that name that is shaped otherwise, or holds offsets that are not ours."""
    if (found.partitions, found.config.get("cleanup.policy")) != (wanted.partitions, "compact"):
        why = f"it has {found.partitions} partitions, cleanup.policy {found.config.get('cleanup.policy', 'delete')}"
    elif not ours and any(world.cluster(Side.SOURCE).ends(found.all(), committed=False).values()):
        why = "it holds offsets of another mirror, and a lane would go on from them"
    else:
        return
    raise Blocked(
        f"topic {wanted.name} is on the source already: {why}",
        hint=f"if nobody needs it: kafka-topics.sh --delete --topic {wanted.name}; then run this again",
    )


def _await(world: World, what: str, missing: Callable[[], Sequence[str]]) -> None:
    def look() -> Ready[None] | NotYet:
        late = missing()
        return NotYet("; ".join(late)) if late else Ready(None)

    wait_until(look, what=what, clock=world.clock, reporter=world.reporter, deadline_ms=_DEADLINE_MS)


def _told(right: Right) -> str:
    prefixed = "*" if right.pattern == "prefix" else ""
    return f"{right.principal} {right.operation} {right.resource} {right.name}{prefixed}"


def _kept(right: Right) -> JsonObject:
    return {name: getattr(right, name) for name in ("principal", "resource", "name", "operation", "type", "pattern")}


def _rights(kept: Json) -> tuple[Right, ...]:
    each = [one for one in kept if isinstance(one, Mapping)] if isinstance(kept, list | tuple) else []
    return tuple(Right(**{name: str(value) for name, value in one.items()}) for one in each)


def _names(kept: Json) -> tuple[str, ...]:
    return tuple(map(str, kept)) if isinstance(kept, list | tuple) else ()
