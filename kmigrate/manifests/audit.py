"""What becomes of every ACL of the source in a KafkaUser: kept, translated, or impossible and why. Pure.

Strimzi's users have no groups, no roles and no wildcard, their name is that of a Kubernetes object, and the User
Operator removes every ACL that no KafkaUser asks for (`strimzi.md` §2.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kmigrate.manifests.names import is_resource_name
from kmigrate.manifests.users import Rule
from kmigrate.model import Right

RESOURCES = frozenset({"topic", "group", "cluster", "transactionalId"})
OPERATIONS = frozenset(
    {
        "Read",
        "Write",
        "Create",
        "Delete",
        "Alter",
        "Describe",
        "ClusterAction",
        "AlterConfigs",
        "DescribeConfigs",
        "IdempotentWrite",
        "All",
    }
)
"""What a KafkaUser's `acls` can name (Strimzi 1.2)."""
PATTERNS, TYPES = frozenset({"literal", "prefix"}), frozenset({"allow", "deny"})
_EVERYBODY = "User:*"


class Verdict(StrEnum):
    """What becomes of an ACL; `withheld` is what a KafkaUser could have and must not (`taken_over`)."""

    KEPT = "kept"
    TRANSLATED = "translated"
    IMPOSSIBLE = "impossible"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Audited:
    """One ACL of the source, and what becomes of it: `rule` in the KafkaUser of each of `users`.

    `why` says what is otherwise than on the source, or what is in the way; empty where it is kept as it is. `kept_from`
    are users whom it would concern and who do not get it.
    """

    right: Right
    verdict: Verdict
    users: tuple[str, ...] = ()
    rule: Rule | None = None
    why: str = ""
    kept_from: tuple[str, ...] = ()


def audit(rights: Iterable[Right], users: Mapping[str, tuple[str, ...]]) -> tuple[Audited, ...]:
    """Every ACL once, sorted; `users` are the KafkaUsers by principal (`User:sa-…`), as the plan names them.

    A principal that the plan does not name keeps its name where Kubernetes takes that.
    """
    return tuple(_audited(right, users) for right in sorted(set(rights)))


def mapped_rules(audited: Iterable[Audited]) -> dict[str, tuple[Rule, ...]]:
    """The rules of every KafkaUser, sorted: of those that are kept or translated."""
    found: dict[str, set[Rule]] = {}
    for each in audited:
        for user in each.users if each.rule else ():
            found.setdefault(user, set()).update([each.rule] if each.rule else [])
    return {user: tuple(sorted(rules)) for user, rules in sorted(found.items())}


def _audited(right: Right, users: Mapping[str, tuple[str, ...]]) -> Audited:
    why = next(_in_the_way(right, users), "")
    if why:
        return Audited(right=right, verdict=Verdict.IMPOSSIBLE, why=why)
    every = {user for of in users.values() for user in of}
    named = tuple(sorted(every)) if right.principal == _EVERYBODY else _named(right, users)
    rule = Rule(
        resource=right.resource,
        name="" if right.resource == "cluster" else right.name,
        operations=(right.operation,),
        pattern=right.pattern,
        type=right.type,
    )
    told = _otherwise(right, named)
    verdict = Verdict.TRANSLATED if told else Verdict.KEPT
    return Audited(right=right, verdict=verdict, users=named, rule=rule, why=told)


def _in_the_way(right: Right, users: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if right.resource not in RESOURCES:
        known = ", ".join(sorted(RESOURCES))
        yield f"a KafkaUser has no rules about {right.resource}, only about {known}; grant it by other means"
    if right.operation not in OPERATIONS:
        yield f"a KafkaUser cannot name the operation {right.operation}; see whether the application needs it there"
    if right.pattern not in PATTERNS:
        yield f"a KafkaUser has no pattern {right.pattern}, only {' and '.join(sorted(PATTERNS))}"
    if right.type not in TYPES:
        yield f"{right.type} is neither allow nor deny"
    if right.host != "*":
        yield (
            f"it holds for clients at {right.host}: the target sees those of load balancers and pods; decide "
            "whether it shall hold for all, or close the listener to others (sourceRanges)"
        )
    yield from _no_user(right.principal, users)


def _no_user(principal: str, users: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    kind, _, name = principal.partition(":")
    if principal == _EVERYBODY:
        if not users:
            yield "it is about everybody, and the plan names nobody who would get it"
    elif kind != "User":
        yield f"Strimzi has users alone, and this is a {kind}; name its members in the plan, with the rights each needs"
    elif principal not in users and not is_resource_name(name):
        yield (
            f"{name!r} cannot be a KafkaUser: Kubernetes takes lower case letters, digits, '-' and '.'; give the "
            "principal a target in the plan"
        )


def _named(right: Right, users: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(set(users.get(right.principal, (right.principal.partition(":")[2],)))))


def _otherwise(right: Right, named: tuple[str, ...]) -> str:
    if right.principal == _EVERYBODY:
        return "everybody is whom the plan names, each by a rule of their own; who comes later needs one, too"
    if named != (right.principal.removeprefix("User:"),):
        return f"{right.principal} is {' and '.join(named)} there"
    return ""
