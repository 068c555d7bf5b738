"""Which ACLs of the source the applications' users take over on the target, beside what the plan gives them. Pure.

Denials come along, and rights that the plan does not speak of. Withheld is what would undo a rule of the migration:
to write what others write while it goes on, to lift fences, to take over kmigrate's own names; and a denial of what
the plan says that the application does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kmigrate.manifests.audit import Audited, Verdict, audit, mapped_rules
from kmigrate.manifests.internal import ledger_id, ledger_name
from kmigrate.manifests.lanes import FORWARD, REVERSE
from kmigrate.manifests.users import Rule, application_rules, fence_rules, rights_of
from kmigrate.model import Migration, Right, granted

_EVERYBODY = "User:*"
_WRITES, _LIFTS = ("Write", "All"), ("Alter", "All", "ClusterAction")
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
    given = {user: rights_of(f"User:{user}", rules) for user, rules in plan_rules(migration).items()}
    return tuple(_weighed(each, migration, given) for each in audit(about, users))


def rules_taken_over(migration: Migration, listed: Iterable[Right]) -> dict[str, tuple[Rule, ...]]:
    """The rules that each of the applications' users gets besides, without what the plan gives it anyway, sorted."""
    given = {user: rights_of(f"User:{user}", rules) for user, rules in plan_rules(migration).items()}
    mapped = mapped_rules(taken_over(migration, listed))
    return {user: tuple(_besides(mapped.get(user, ()), f"User:{user}", rights)) for user, rights in given.items()}


def left_out(migration: Migration, listed: Iterable[Right]) -> dict[Right, str]:
    """Those that no user takes over, and why; without the denials that kmigrate itself writes, its fences."""
    fences = _fences(migration)
    return {
        each.right: each.why for each in taken_over(migration, listed) if each.rule is None and each.right not in fences
    }


def _users(migration: Migration) -> dict[str, str]:
    every = (principal for app in migration.applications for principal in app.principals)
    return {f"User:{principal.source.removeprefix('User:')}": principal.target for principal in every}


def _besides(rules: Iterable[Rule], principal: str, given: Sequence[Right]) -> Iterator[Rule]:
    for rule in rules:
        if rule.type == "deny" or not all(granted(right, given) for right in rights_of(principal, [rule])):
            yield rule


def _weighed(each: Audited, migration: Migration, given: Mapping[str, Sequence[Right]]) -> Audited:
    """The same, without the users that must not have it."""
    if each.rule is None:
        return each
    rule = each.rule
    reasons = {user: next(_against(rule, user, migration, given[user]), "") for user in each.users}
    kept = tuple(user for user in each.users if not reasons[user])
    told = sorted({why for why in reasons.values() if why})
    if not kept:
        return replace(each, verdict=Verdict.WITHHELD, users=(), rule=None, why="; ".join(told))
    if told:
        return replace(each, verdict=Verdict.TRANSLATED, users=kept, why="; ".join([each.why, *told]))
    return each


def _against(rule: Rule, user: str, migration: Migration, given: Sequence[Right]) -> Iterator[str]:
    (right,) = rights_of(f"User:{user}", [rule])
    if rule.type == "deny":
        lost = [need for need in given if not granted(need, [*given, right])]
        if lost:
            told = f"{lost[0].operation} on {lost[0].resource} {lost[0].name}"
            yield f"it denies {user} what it does by the plan: {told}"
        return
    if rule.resource == "cluster" and right.operation in _LIFTS:
        yield f"with it {user} could change rights, and lift fences with them"
    if right.operation in _WRITES:
        others = [name for name in _of_others(rule, user, migration) if right.covers(rule.resource, name)]
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        if others:
            yield f"by it {user} could write {', '.join(others[:_SHOWN])}{more}, and the plan does not say that it does"


def _of_others(rule: Rule, user: str, migration: Migration) -> tuple[str, ...]:
    """The names that it must not write: topics of the plan that others write, and our own."""
    if rule.resource == "transactionalId":
        return (ledger_id(migration.name), *(f"{names.group}-" for names in (FORWARD, REVERSE)))
    if rule.resource != "topic":
        return ()
    apps = [app for app in migration.applications if any(p.target == user for p in app.principals)]
    written = {topic for app in apps for topic in app.writes}
    ours = (ledger_name(migration.name), *(names.configs for names in (FORWARD, REVERSE)))
    return (*(topic for topic in migration.topics if topic not in written), *ours)


def _fences(migration: Migration) -> frozenset[Right]:
    """The denials of every application's fence on the source."""
    return frozenset(
        right
        for app in migration.applications
        for principal in app.principals
        for right in rights_of(
            f"User:{principal.source.removeprefix('User:')}",
            fence_rules(groups=[reads.group for reads in app.reads], topics=app.writes),
        )
    )
