"""Which ACLs of the source the applications' users take over on the target, beside what the plan gives them. Pure.

Denials come along, and rights that the plan does not speak of. Withheld is what would undo a rule of the migration:
to change what others write or read with while it goes on, to lift fences, to take over what is kmigrate's own; and a
denial of what the plan says that the application does. Denials that a fence may consist of are never taken over: what
they deny, nobody else of the plan is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kmigrate.manifests.audit import Audited, Verdict, audit, mapped_rules
from kmigrate.manifests.lanes import FORWARD, REVERSE, forward_lanes, reverse_lanes
from kmigrate.manifests.users import (
    Rule,
    application_rules,
    fence_rules,
    forward_mirror_rules,
    ledger_rules,
    rights_of,
)
from kmigrate.model import Migration, Right, granted

_EVERYBODY = "User:*"
_LIFTS = ("Alter", "All", "ClusterAction")
_CHANGES = {
    "topic": ("Write", "All", "Delete", "Alter", "AlterConfigs"),
    "group": ("Read", "All", "Delete"),
    "transactionalId": ("Write", "All"),
}
"""What changes, or takes over, something of somebody else."""
_SHOWN = 3


def plan_rules(migration: Migration) -> dict[str, tuple[Rule, ...]]:
    """What the plan gives each of the applications' users on the target; two applications may share one."""
    found: dict[str, tuple[Rule, ...]] = {}
    for app in migration.applications:
        for principal in app.principals:
            found[principal.target] = (*found.get(principal.target, ()), *application_rules(app))
    return found


def taken_over(migration: Migration, listed: Iterable[Right]) -> tuple[Audited, ...]:
    """Every ACL of the source that is about somebody of the plan, sorted, and what becomes of it."""
    users = _users(migration)
    about = [right for right in listed if right.principal in users or right.principal == _EVERYBODY]
    return tuple(_weighed(each, migration) for each in audit(about, users))


def rules_taken_over(migration: Migration, listed: Iterable[Right]) -> dict[str, tuple[Rule, ...]]:
    """The rules that each of the applications' users gets besides, without what the plan gives it anyway, sorted."""
    mapped = mapped_rules(taken_over(migration, listed))
    given = {user: rights_of(f"User:{user}", rules) for user, rules in plan_rules(migration).items()}
    return {user: tuple(_besides(mapped.get(user, ()), f"User:{user}", rights)) for user, rights in given.items()}


def left_out(migration: Migration, listed: Iterable[Right]) -> dict[Right, str]:
    """Those that somebody whom they concern does not take over, and why; without what kmigrate writes as a fence."""
    fences = _fences(migration)
    every = taken_over(migration, listed)
    return {
        each.right: each.why for each in every if (each.rule is None or each.kept_from) and each.right not in fences
    }


def withheld_from(migration: Migration, user: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Those of the rules that the user must not have by this plan, which may be another than when it took them over."""
    return tuple(rule for rule in rules if any(_against(rule, user, migration)))


def _users(migration: Migration) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for principal in (principal for app in migration.applications for principal in app.principals):
        name = f"User:{principal.source.removeprefix('User:')}"
        found[name] = (*found.get(name, ()), principal.target)
    return found


def _besides(rules: Iterable[Rule], principal: str, given: Sequence[Right]) -> Iterator[Rule]:
    for rule in rules:
        if rule.type == "deny" or not all(granted(right, given) for right in rights_of(principal, [rule])):
            yield rule


def _weighed(each: Audited, migration: Migration) -> Audited:
    """The same, without the users that must not have it."""
    if each.rule is None:
        return each
    reasons = {user: next(_against(each.rule, user, migration), "") for user in each.users}
    kept = tuple(user for user in each.users if not reasons[user])
    kept_from = tuple(user for user in each.users if reasons[user])
    told = "; ".join(sorted({why for why in reasons.values() if why}))
    if not kept_from:
        return each
    if not kept:
        return replace(each, verdict=Verdict.WITHHELD, users=(), rule=None, why=told, kept_from=kept_from)
    return replace(each, verdict=Verdict.TRANSLATED, users=kept, why=f"{each.why}; {told}", kept_from=kept_from)


def _against(rule: Rule, user: str, migration: Migration) -> Iterator[str]:
    """Why the user must not have it."""
    (right,) = rights_of(f"User:{user}", [rule])
    if rule.type == "deny":
        given = rights_of(f"User:{user}", plan_rules(migration).get(user, ()))
        lost = [need for need in given if not granted(need, [*given, right])]
        if lost:
            told = f"{lost[0].operation} on {lost[0].resource} {lost[0].name}"
            yield f"it denies {user} what it does by the plan: {told}"
        elif replace(right, principal="") in _nameless(_fences(migration)):
            yield f"it is what a fence of kmigrate says, and {user} has no right there anyway"
        return
    if rule.resource == "cluster" and right.operation in _LIFTS:
        yield f"with it {user} could change rights, and lift fences with them"
    if right.operation in _CHANGES.get(rule.resource, ()):
        met = [name for name, pattern in _of_others(rule.resource, user, migration) if _overlaps(rule, name, pattern)]
        more = f" and {len(met) - _SHOWN} more" if len(met) > _SHOWN else ""
        if met:
            told = f"{right.operation} {', '.join(met[:_SHOWN])}{more}"
            yield f"by it {user} could {told}, and the plan does not say that it does"


def _overlaps(rule: Rule, name: str, pattern: str) -> bool:
    """Whether the rule is about something that is called so, or begins so."""
    if rule.pattern == "prefix":
        return name.startswith(rule.name) or (pattern == "prefix" and rule.name.startswith(name))
    return rule.name in (name, "*") or (pattern == "prefix" and rule.name.startswith(name))


def _of_others(resource: str, user: str, migration: Migration) -> Iterator[tuple[str, str]]:
    """What is somebody else's, by name and pattern: topics and groups of the plan, and all that is kmigrate's own."""
    apps = migration.applications
    own = [app for app in apps if any(principal.target == user for principal in app.principals)]
    if resource == "topic":
        written = {topic for app in own for topic in app.writes}
        yield from ((topic, "literal") for topic in migration.topics if topic not in written)
    if resource == "group":
        mine = {reads.group for app in own for reads in app.reads}
        every = {reads.group for app in apps for reads in app.reads}
        yield from ((group, "literal") for group in sorted(every - mine))
    yield from sorted({(rule.name, rule.pattern) for rule in _ours(migration) if rule.resource == resource})


def _ours(migration: Migration) -> Iterator[Rule]:
    """What kmigrate and both mirrors have for themselves on the target, beside the topics that they copy."""
    yield from ledger_rules(migration.name)
    copied = set(migration.topics)
    for lanes, names in ((forward_lanes(migration), FORWARD), (reverse_lanes(migration), REVERSE)):
        yield from (rule for rule in forward_mirror_rules(lanes, names) if rule.name not in copied)


def _fences(migration: Migration) -> frozenset[Right]:
    """Whatever a fence of kmigrate on the source may say: of anybody, about every group and topic of the plan."""
    groups = sorted({reads.group for app in migration.applications for reads in app.reads})
    rules = fence_rules(groups=groups, topics=migration.topics)
    return frozenset(right for principal in _users(migration) for right in rights_of(principal, rules))


def _nameless(rights: Iterable[Right]) -> frozenset[Right]:
    return frozenset(replace(right, principal="") for right in rights)
