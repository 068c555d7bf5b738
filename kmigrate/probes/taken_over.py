"""What the applications' users take over of the source's ACLs: as they were when a user was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kmigrate.errors import Blocked
from kmigrate.manifests.taken_over import plan_rules, rules_taken_over
from kmigrate.manifests.users import Rule
from kmigrate.model import Json, JsonObject, Migration, Side
from kmigrate.probes.resources import stored
from kmigrate.world import Key, World

TAKEN_OVER = "acls_taken_over"
"""The fact of what the users took over, by user; nobody is in it who was made while the ACLs could not be listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The rules of each user beside the plan's; `unlisted` says why the ACLs could not be listed, where that is so.

    Users about whom neither the ledger nor the source says anything are not among them.
    """

    rules: Mapping[str, tuple[Rule, ...]]
    unlisted: str = ""


def look_at_acls(world: World, migration: Migration) -> Taken:
    """What each user of the applications takes over: by the ledger where it was made, else by the ACLs as they are.

    Raises what the world raises when the source does not answer; a source that may not be asked has nothing to give.
    """
    rules, left = _made(world, migration)
    if not left:
        return Taken(rules=rules)
    try:
        listed = world.cluster(Side.SOURCE).rights()
    except Blocked as refusal:
        return Taken(rules=rules, unlisted=refusal.message)
    return Taken(rules={**rules_taken_over(migration, listed), **rules})


def known_beforehand(world: World, migration: Migration) -> Taken | None:
    """The same without asking the source, where every user about whom the ledger says nothing is still to be made."""
    rules, left = _made(world, migration)
    return None if stored(world.resources, left.values()) else Taken(rules=rules)


def _made(world: World, migration: Migration) -> tuple[dict[str, tuple[Rule, ...]], dict[str, Key]]:
    """The rules of those that are there and in the ledger, and all others by name."""
    known = _known(world)
    keys = {user: Key("KafkaUser", migration.target.namespace, user) for user in plan_rules(migration)}
    there = stored(world.resources, keys.values())
    made = {user: known[user] for user, key in keys.items() if user in known and key in there}
    return made, {user: key for user, key in keys.items() if user not in made}


def as_fact(taken: Taken) -> JsonObject:
    """What the ledger keeps: by user each rule as resource, name, operation, pattern and type."""
    kept: dict[str, Json] = {}
    for user, rules in taken.rules.items():
        kept[user] = [[each.resource, each.name, *each.operations, each.pattern, each.type] for each in rules]
    return kept


def _known(world: World) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for fact in world.ledger.by_unit(TAKEN_OVER).values():
        for user, rules in fact.items() if isinstance(fact, Mapping) else ():
            found[user] = tuple(_rules(rules))
    return found


def _rules(told: Json) -> Iterable[Rule]:
    for each in told if isinstance(told, Sequence) else ():
        assert isinstance(each, Sequence)
        resource, name, operation, pattern, kind = map(str, each)
        yield Rule(resource=resource, name=name, operations=(operation,), pattern=pattern, type=kind)
