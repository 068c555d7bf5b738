"""What the applications' users take over of the source's ACLs: as they were when a user was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kmigrate.errors import Blocked
from kmigrate.manifests.taken_over import plan_rules, rules_taken_over, withheld_from
from kmigrate.manifests.users import Rule
from kmigrate.model import Json, JsonObject, Migration, Side
from kmigrate.probes.resources import stored
from kmigrate.world import Key, World

TAKEN_OVER = "acls_taken_over"
"""The fact of what the users took over, by user; nothing where the ACLs could not be listed when it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The rules of each user beside the plan's; `unlisted` says why the ACLs could not be listed, where that is so.

    `dropped` are rules that a user took over once and that the plan, as it is now, keeps from it.
    """

    rules: Mapping[str, tuple[Rule, ...]]
    unlisted: str = ""
    dropped: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)


def look_at_acls(world: World, migration: Migration) -> Taken:
    """What each user of the applications takes over: by the ledger where it is there, else by the ACLs as they are.

    A user that is there and of whom the ledger says nothing takes nothing over: it was made without. Raises what the
    world raises when the source does not answer; a source that may not be asked has nothing to give.
    """
    made, left = _made(world, migration)
    if not left:
        return made
    try:
        listed = world.cluster(Side.SOURCE).rights()
    except Blocked as refusal:
        return replace(made, rules={**dict.fromkeys(left, ()), **made.rules}, unlisted=refusal.message)
    return replace(made, rules={**rules_taken_over(migration, listed), **made.rules})


def known_beforehand(world: World, migration: Migration) -> Taken:
    """The same without asking the source: users that are still to be made are left out."""
    return _made(world, migration)[0]


def _made(world: World, migration: Migration) -> tuple[Taken, frozenset[str]]:
    """The rules of those that are there, by the ledger, and who is still to be made."""
    known = _known(world)
    keys = {user: Key("KafkaUser", migration.target.namespace, user) for user in plan_rules(migration)}
    there = stored(world.resources, keys.values())
    made = {user: known.get(user, ()) for user, key in keys.items() if key in there}
    dropped = withheld_from(migration, made)
    kept = {user: tuple(rule for rule in rules if rule not in dropped[user]) for user, rules in made.items()}
    return Taken(rules=kept, dropped=dropped), frozenset(keys.keys() - made.keys())


def as_fact(taken: Taken, *, dropped: bool = False) -> JsonObject:
    """What the ledger keeps: by user each rule as resource, name, operation, pattern and type.

    With what is `dropped` as long as it may still stand: whoever dies before it is gone comes back to it.
    """
    kept: dict[str, Json] = {}
    for user, given in taken.rules.items():
        rules = (*given, *(taken.dropped.get(user, ()) if dropped else ()))
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
