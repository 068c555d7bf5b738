"""provision: cluster, topics and users on the target, tried with the applications' own credentials before any copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kmigrate.errors import Blocked, PlatformError
from kmigrate.manifests.internal import internal_topics
from kmigrate.manifests.lanes import FORWARD, REVERSE, forward_lanes, reverse_lanes, topics_by_lane
from kmigrate.manifests.names import resource_name
from kmigrate.manifests.rights import KMIGRATE_USER, MIRROR_USER, rules_on_target
from kmigrate.manifests.taken_over import plan_rules
from kmigrate.manifests.users import Rule, acl_of, forward_mirror_rules, keeping_denials, user, without_acls
from kmigrate.model import Json, JsonObject, Migration, Side
from kmigrate.plan import Finding, Step
from kmigrate.probes.access import await_access, fenced
from kmigrate.probes.arming import withheld
from kmigrate.probes.ownership import owned_by
from kmigrate.probes.resources import await_ready, key_of, stored, unready
from kmigrate.probes.rights import await_rights, refuse_unlike
from kmigrate.probes.taken_over import TAKEN_OVER, Taken, as_fact, known_beforehand, look_at_acls
from kmigrate.probes.topics import adoptable, await_topics, refuse_unsettled
from kmigrate.steps.carried import as_they_are_now, forget_those_before, refuse_to_lose
from kmigrate.steps.clusters import brokers
from kmigrate.steps.resources import apply_all, find, restore
from kmigrate.steps.standing import as_rights_stand
from kmigrate.world import Key, World

LANES = "lanes"
"""The fact of which topics share a lane, by the lane's number."""
_DEADLINE_MS = 300_000


@dataclass(frozen=True, kw_only=True)
class CreateUsers(Step):
    """A user with just its rights for every application, for each mirror, and for kmigrate itself.

    An application's user takes over from the source's ACLs what the plan does not speak of, denials too; once, when it
    is made: who clears up the source after a move takes nothing away on the target.
    """

    name: ClassVar[str] = "create-users"
    title: ClassVar[str] = "Create the users"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: what is not stored as wanted or not Ready; deny rules that stand are left standing."""
        return find(world, self.wanted(world))

    def apply(self, world: World) -> None:
        """Write down what is taken over, apply the users and wait until each is Ready at its generation."""
        taken = look_at_acls(world, self.migration)
        world.ledger.put(TAKEN_OVER, as_fact(taken, dropped=True))
        wanted = self._wanted(world, taken)
        apply_all(world, wanted)
        await_ready(world, wanted, what="users", deadline_ms=_DEADLINE_MS)
        await_rights(world, wanted, deadline_ms=_DEADLINE_MS)
        if any(taken.dropped.values()):
            world.ledger.put(TAKEN_OVER, as_fact(taken))

    def verify(self, world: World) -> Json:
        """Sign in with one of them: kmigrate's own; `try-access` signs in with the others.

        The cluster itself has just the rights that are asked for: what only the mirror's user lost would be missed.
        """
        super().verify(world)
        taken = look_at_acls(world, self.migration)
        wanted = self._wanted(world, taken)
        refuse_unlike(world, wanted)
        besides = sum(len(rules) for rules in taken.rules.values())
        signed_in = world.cluster(Side.TARGET).id()
        return {"users": len(wanted), "signedInTo": signed_in, "rulesTakenOver": besides, "unlisted": taken.unlisted}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the users that were not there, give the others their rights back, but for what moves have changed."""
        restore(world, before, lambda body: as_rights_stand(world, self.migration, body))

    def wanted(self, world: World) -> tuple[JsonObject, ...]:
        """Every user as it is to be; where the source does not answer, users still to be made take nothing over yet."""
        try:
            return self._wanted(world, look_at_acls(world, self.migration))
        except PlatformError:
            return self._wanted(world, known_beforehand(world, self.migration))

    def _wanted(self, world: World, taken: Taken) -> tuple[JsonObject, ...]:
        """Every user as it is to be, with the deny rules that stand."""
        rules: dict[str, tuple[Rule, ...]] = rules_on_target(self.migration)
        del rules[MIRROR_USER]  # it depends on who owns what
        for name, by_plan in plan_rules(self.migration).items():
            rules[name] = (*rules.get(name, ()), *by_plan, *taken.rules.get(name, ()))
        given = {p.target: p.password for app in self.migration.applications for p in app.principals}
        users = [user(name, of, self.migration.target, password=given.get(name)) for name, of in rules.items()]
        mirror = mirror_user(self.migration, withheld(world, self.migration))
        return tuple(_as_fenced(world, body, taken.dropped) for body in (users[0], mirror, *users[1:]))


def mirror_user(migration: Migration, owned: Iterable[str]) -> JsonObject:
    """The forward mirror's user; it may not write what the target owns (design §4.3)."""
    return user(MIRROR_USER, forward_mirror_rules(forward_lanes(migration), FORWARD, owned), migration.target)


def _as_fenced(world: World, body: JsonObject, dropped: Mapping[str, Sequence[Rule]]) -> JsonObject:
    """With the deny rules that stand, but for those that its user once took over and must not have any more."""
    stored = world.resources.get(key_of(body))
    if stored is None:
        return body
    gone = [acl for acl in map(acl_of, dropped.get(stored.key.name, ())) if acl["type"] == "deny"]
    return keeping_denials(body, without_acls(stored.spec, gone))


@dataclass(frozen=True, kw_only=True)
class CreateTopics(Step):
    """Every topic of the plan as the source has it, and the mirrors' own, made before they run (design §4.8)."""

    name: ClassVar[str] = "create-topics"
    title: ClassVar[str] = "Create the topics"

    migration: Migration

    def check(self, world: World) -> Finding:
        """Missing: what is not stored as wanted or not Ready.

        Raises Blocked for a topic that the source does not have, and for one that is on the target already and is not
        ours to fill: with other partitions, or with records in it.
        """
        wanted = self.wanted(world)
        finding = find(world, wanted)
        self._adopt(world, wanted)
        return finding

    def apply(self, world: World) -> None:
        """Apply them, wait until each is Ready at its generation and until the target shows each as it was asked.

        From here on the lanes are fixed: the mirror's own topics are called after them.
        """
        wanted = self.wanted(world)
        self._adopt(world, wanted)
        world.ledger.put(LANES, topics_by_lane(self.migration))
        forget_those_before(world, wanted)
        apply_all(world, wanted)
        await_ready(world, wanted, what="topics", deadline_ms=_DEADLINE_MS)
        await_topics(world, wanted, deadline_ms=_DEADLINE_MS)

    def verify(self, world: World) -> Json:
        """The target itself has each topic with the partitions and settings that were asked."""
        super().verify(world)
        wanted = self.wanted(world)
        refuse_unsettled(world, wanted)
        return {"topics": len(self.migration.topics), "ofTheMirror": len(wanted) - len(self.migration.topics)}

    def undo(self, world: World, before: JsonObject) -> None:
        """Remove the topics that were not there; only the mirror's copies are in them while the source owns them.

        Raises Blocked for those that the target owns: what was written there exists nowhere else for sure.
        """
        owned = sorted(owned_by(world, Side.TARGET, self._removed(world, before)))
        if owned:
            raise Blocked(
                f"{', '.join(owned)} is written on the target now, so it is not removed there",
                hint="roll back whoever writes it first; `kmigrate status` names them",
            )
        self.may_be_undone(world, before)
        restore(world, before)

    def may_be_undone(self, world: World, before: JsonObject) -> None:
        """Raise Blocked for records that stand on the target alone."""
        refuse_to_lose(world, self._removed(world, before))

    def _removed(self, world: World, before: JsonObject) -> list[str]:
        """The topics of the plan that are there and were made here."""
        made = {Key(*name.split("|")) for name, body in before.items() if body is None}
        namespace = self.migration.target.namespace
        keys = {name: Key("KafkaTopic", namespace, resource_name(name)) for name in self.migration.topics}
        there = stored(world.resources, made.intersection(keys.values()))
        return [name for name, key in keys.items() if key in there]

    def _adopt(self, world: World, wanted: Sequence[JsonObject]) -> None:
        """Look at topics that are there and not yet ours; while kmigrate cannot sign in nothing can be looked at."""
        target = self.migration.target
        keys = (Key("Kafka", target.namespace, target.cluster), Key("KafkaUser", target.namespace, KMIGRATE_USER))
        if all(_is_ready(world, key) for key in keys):
            adoptable(world, wanted)

    def wanted(self, world: World) -> tuple[JsonObject, ...]:
        """Every topic as it is to be, those of the plan first."""
        target, copies = self.migration.target, brokers(world, self.migration)
        back = internal_topics(REVERSE, reverse_lanes(self.migration), target, brokers=copies)
        return (
            *as_they_are_now(world, self.migration),
            *internal_topics(FORWARD, forward_lanes(self.migration), target, brokers=copies),
            *(back if self.migration.reverse_auth else ()),
        )


@dataclass(frozen=True, kw_only=True)
class TryAccess(Step):
    """Every application's own credential signs in at every broker of the target and sees its topics and groups."""

    name: ClassVar[str] = "try-access"
    title: ClassVar[str] = "Try it with the applications' own credentials"
    looks_only: ClassVar[bool] = True

    migration: Migration

    def check(self, world: World) -> Finding:
        """Nothing to change; what is tried is tried by verify, once the users are there."""
        return Finding()

    def apply(self, world: World) -> None:
        """Nothing to do: this step only looks."""

    def verify(self, world: World) -> Json:
        """Try each application; raises VerifyFailed naming application, broker and subject.

        What a fence denies is no failure; the evidence names those applications, and those that could not be tried.
        """
        names = tuple(app.name for app in self.migration.applications)
        behind = {app.name for app in self.migration.applications if fenced(world, self.migration, app)}
        tried = await_access(world, tuple(name for name in names if name not in behind))
        return {
            "tried": {name: len(trials) for name, trials in tried.items() if trials},
            "notTried": [name for name, trials in tried.items() if not trials],
            "fenced": sorted(behind),
        }

    def undo(self, world: World, before: JsonObject) -> None:
        """Nothing was changed."""


def _is_ready(world: World, key: Key) -> bool:
    found = world.resources.get(key)
    return found is not None and not unready(found)
