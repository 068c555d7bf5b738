"""Which ACLs of the source the applications' users take over on the target, beside what the plan gives them. Pure.

Denials come along, and rights that the plan does not speak of. Withheld is what would undo a rule of the migration:
to change what others write or read with while it goes on, to lift fences, to take over what is kmigrate's own; and a
denial of what the plan says that the application does. Denials that a fence may consist of are never taken over: what
they deny, nobody else of the plan is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

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
from kmigrate.model import Migration, Right, Side, granted

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
    users, held = _users(migration), _Held.by(migration)
    about = [right for right in listed if right.principal in users or right.principal == _EVERYBODY]
    return tuple(_weighed(each, held) for each in audit(about, users))


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


def withheld_from(migration: Migration, rules: Mapping[str, Iterable[Rule]]) -> dict[str, tuple[Rule, ...]]:
    """Of the rules by user those that it must not have by this plan, maybe another than when it took them over."""
    held = _Held.by(migration)
    return {user: tuple(rule for rule in of if any(held.against(rule, user))) for user, of in rules.items()}


def _users(migration: Migration) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for principal in (principal for app in migration.applications for principal in app.principals):
        name = principal.on(Side.SOURCE)
        found[name] = (*found.get(name, ()), principal.target)
    return found


def _besides(rules: Iterable[Rule], principal: str, given: Sequence[Right]) -> Iterator[Rule]:
    for rule in rules:
        if rule.type == "deny" or not all(granted(right, given) for right in rights_of(principal, [rule])):
            yield rule


def _weighed(each: Audited, held: _Held) -> Audited:
    """The same, without the users that must not have it."""
    if each.rule is None:
        return each
    reasons = {user: next(held.against(each.rule, user), "") for user in each.users}
    kept = tuple(user for user in each.users if not reasons[user])
    kept_from = tuple(user for user in each.users if reasons[user])
    told = "; ".join(sorted({why for why in reasons.values() if why}))
    if not kept_from:
        return each
    if not kept:
        return replace(each, verdict=Verdict.WITHHELD, users=(), rule=None, why=told, kept_from=kept_from)
    return replace(each, verdict=Verdict.TRANSLATED, users=kept, why=f"{each.why}; {told}", kept_from=kept_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Who has what by the plan, made once for many ACLs: `given` and `own` by user, `named` by resource.

    `own` are the topics that somebody writes and the groups it reads with; `ours` is what kmigrate has for itself.
    """

    given: Mapping[str, tuple[Right, ...]]
    own: Mapping[str, frozenset[tuple[str, str]]]
    named: Mapping[str, dict[str, None]]
    ours: Mapping[str, tuple[Rule, ...]]
    fences: frozenset[Right]

    @classmethod
    def by(cls, migration: Migration) -> _Held:
        own: dict[str, set[tuple[str, str]]] = {}
        for app in migration.applications:
            holds = {*(("topic", name) for name in app.writes), *(("group", reads.group) for reads in app.reads)}
            for principal in app.principals:
                own.setdefault(principal.target, set()).update(holds)
        groups = sorted({reads.group for app in migration.applications for reads in app.reads})
        ours = tuple(_ours(migration))
        return cls(
            given={user: rights_of(f"User:{user}", rules) for user, rules in plan_rules(migration).items()},
            own={user: frozenset(holds) for user, holds in own.items()},
            named={"topic": dict.fromkeys(migration.topics), "group": dict.fromkeys(groups)},
            ours={kind: tuple(rule for rule in ours if rule.resource == kind) for kind in _CHANGES},
            fences=frozenset(replace(right, principal="") for right in _fences(migration)),
        )

    def against(self, rule: Rule, user: str) -> Iterator[str]:
        """Why the user must not have the rule; nothing where it may."""
        (right,) = rights_of(f"User:{user}", [rule])
        if rule.type == "deny":
            yield from self._denied(right, user)
            return
        if rule.resource == "cluster" and right.operation in _LIFTS:
            yield f"with it {user} could change rights, and lift fences with them"
        if right.operation in _CHANGES.get(rule.resource, ()):
            met = list(islice(self._of_others(rule, user), _SHOWN + 1))
            more = " and more" if len(met) > _SHOWN else ""
            if met:
                told = f"{right.operation} {', '.join(met[:_SHOWN])}{more}"
                yield f"by it {user} could {told}, and the plan does not say that it does"

    def _denied(self, right: Right, user: str) -> Iterator[str]:
        given = self.given.get(user, ())
        lost = [need for need in given if need.resource == right.resource and not granted(need, [need, right])]
        if lost:
            told = f"{lost[0].operation} on {lost[0].resource} {lost[0].name}"
            yield f"it denies {user} what it does by the plan: {told}"
        elif replace(right, principal="") in self.fences:
            yield f"it is what a fence of kmigrate says, and {user} has no right there anyway"

    def _of_others(self, rule: Rule, user: str) -> Iterator[str]:
        """What of somebody else's the rule is about: topics and groups of the plan, then what is kmigrate's own."""
        own, names = self.own.get(user, frozenset()), self.named.get(rule.resource, {})
        about = names if rule.pattern == "prefix" or rule.name == "*" else names.keys() & {rule.name}
        yield from (name for name in about if _overlaps(rule, name) and (rule.resource, name) not in own)
        yield from (each.name for each in self.ours[rule.resource] if _overlaps(rule, each.name, each.pattern))


def _overlaps(rule: Rule, name: str, pattern: str = "literal") -> bool:
    """Whether the rule is about something that is called so, or begins so."""
    if rule.pattern == "prefix":
        return name.startswith(rule.name) or (pattern == "prefix" and rule.name.startswith(name))
    return rule.name in (name, "*") or (pattern == "prefix" and rule.name.startswith(name))


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
