"""The least rights: whose, on which side, in which phase. Whatever grants, tells or asks for rights takes them here.

Describe comes with Read, Write, Delete and Alter (Kafka's StandardAuthorizer), and is named only where none of them is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kmigrate.manifests.internal import READS, MirrorNames, ledger_name
from kmigrate.manifests.lanes import FORWARD, REVERSE, forward_lanes, reverse_lanes
from kmigrate.manifests.users import (
    Rule,
    forward_mirror_rules,
    ledger_rules,
    reverse_mirror_rules,
    reverse_source_rules,
    rights_of,
    worker_rules,
)
from kmigrate.model import BRINGS_DESCRIBE, Auth, Lane, Migration, Right, Side

PHASES = ("assess", "provision", "replicate", "rehearse", "cutover", "rollback", "decommission")
KMIGRATE, MIRROR, MIRROR_BACK = "kmigrate", "the mirror", "the mirror back"
KMIGRATE_USER, MIRROR_USER, REVERSE_USER = "kmigrate", "kmigrate-mirror", "kmigrate-mirror-back"
"""Their KafkaUsers on the target."""

_MADE, _COPIED = PHASES[1:], PHASES[2:]
_MOVES = ("cutover", "rollback")
Row = tuple[Rule, tuple[str, ...]]
"""A rule, and the phases that need it."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Need:
    """A right that somebody needs on a side, and the phases that need it; `made` is what kmigrate grants by itself."""

    side: Side
    who: str
    right: Right
    phases: tuple[str, ...]
    made: bool


def needs(migration: Migration, phases: Iterable[str] = PHASES) -> tuple[Need, ...]:
    """Every right of kmigrate and its mirrors that one of the phases needs, and none that another one brings along."""
    back, own = migration.reverse_auth, migration.source.auth
    reads = [(Rule(resource="topic", name=name, operations=("Read",)), _COPIED) for name in migration.topics]
    found = [
        *_of(Side.SOURCE, KMIGRATE, _name(own), _whole(way_back=migration.way_back)),
        *_of(Side.SOURCE, KMIGRATE, _name(own), _of_names(migration.topics, groups_of(migration), ids_of(migration))),
        *_of(Side.SOURCE, MIRROR, _name(migration.mirror_auth), reads),
        *_of(Side.SOURCE, MIRROR_BACK, _name(back) if back else "", _back_on_source(migration) if back else ()),
        *(need for user, rules in _on_target(migration).items() for need in _of(Side.TARGET, *_user(user), rules)),
    ]
    chosen = frozenset(phases)
    return _least(sorted(need for need in found if not chosen.isdisjoint(need.phases)))


def rules_on_target(migration: Migration) -> dict[str, tuple[Rule, ...]]:
    """The rules of each KafkaUser that kmigrate and its mirrors sign in with on the target: what all phases need."""
    found: dict[str, dict[tuple[str, str, str], list[str]]] = {}
    for right in (need.right for need in needs(migration) if need.side is Side.TARGET):
        things = found.setdefault(right.principal.removeprefix("User:"), {})
        things.setdefault((right.resource, right.name, right.pattern), []).append(right.operation)
    return {user: tuple(_rule(*thing, told) for thing, told in things.items()) for user, things in found.items()}


def _rule(resource: str, name: str, pattern: str, operations: Iterable[str]) -> Rule:
    named = "" if resource == "cluster" else name
    return Rule(resource=resource, name=named, operations=tuple(sorted(operations)), pattern=pattern)


def _on_target(migration: Migration) -> dict[str, tuple[Row, ...]]:
    forward = forward_mirror_rules(forward_lanes(migration), FORWARD)
    users: dict[str, Iterable[Row]] = {
        KMIGRATE_USER: _own_on_target(migration),
        MIRROR_USER: ((rule, _COPIED) for rule in forward),
    }
    if migration.reverse_auth:
        rules = (*reverse_mirror_rules(reverse_lanes(migration), REVERSE), *worker_rules(REVERSE))
        users[REVERSE_USER] = ((rule, _COPIED) for rule in rules)
    return {user: tuple(rows) for user, rows in users.items()}


def for_any_plan(own: str, mirror: str) -> tuple[Need, ...]:
    """What both need on the source where no plan names anything yet: the same, over every name."""
    rows = (*_whole(way_back=True), *_of_names("*", "*", "*"))
    read = Rule(resource="topic", name="*", operations=("Read",))
    found = (*_of(Side.SOURCE, KMIGRATE, own, rows), *_of(Side.SOURCE, MIRROR, mirror, [(read, _COPIED)]))
    return _least(sorted(found))


def _whole(*, way_back: bool) -> Iterator[Row]:
    """What kmigrate needs of the source as a whole: to see all that is there."""
    yield Rule(resource="topic", name="*", operations=("Describe", "DescribeConfigs")), PHASES
    yield Rule(resource="group", name="*", operations=("Describe",)), PHASES
    yield Rule(resource="cluster", operations=("Describe",)), PHASES
    yield Rule(resource="cluster", operations=("Alter",)), _MOVES
    if way_back:
        yield Rule(resource="cluster", operations=("Alter",)), ("provision",)
        ours = REVERSE.all_connector_offsets
        yield Rule(resource="topic", name=ours, operations=("Create",), pattern="prefix"), ("provision",)
        yield Rule(resource="topic", name=ours, operations=("Delete",), pattern="prefix"), ("provision", "rollback")
        yield Rule(resource="topic", name=ours, operations=("Read",), pattern="prefix"), _COPIED


def _of_names(topics: Iterable[str], groups: Iterable[str], ids: Iterable[str]) -> Iterator[Row]:
    """What kmigrate needs of topics, groups and transactional ids of the source, where the plan names them."""
    for name in topics:
        yield Rule(resource="topic", name=name, operations=("Read",)), _COPIED
    for name in groups:
        yield Rule(resource="group", name=name, operations=("Read",)), ("rollback",)
    for name in ids:
        yield Rule(resource="transactionalId", name=name, operations=("Write",)), _MOVES


def _own_on_target(migration: Migration) -> Iterator[Row]:
    """It looks at what it had made, reads what it compares, and writes positions and its ledger, nothing else."""
    yield Rule(resource="cluster", operations=("Describe",)), _MADE
    yield Rule(resource="group", name=READS, operations=("Describe",)), _MADE
    for name in migration.topics:
        yield Rule(resource="topic", name=name, operations=("DescribeConfigs",)), _MADE
        yield Rule(resource="topic", name=name, operations=("Read",)), _COPIED
    for names, lanes in _groups_of_lanes(migration):
        yield from _mirrors_topics(names, lanes)
    yield Rule(resource="topic", name=ledger_name(migration.name), operations=("DescribeConfigs",)), ("provision",)
    yield Rule(resource="topic", name=ledger_name(migration.name), operations=("Read",)), _MADE
    yield from ((rule, _MADE) for rule in ledger_rules(migration.name))
    for group in groups_of(migration):
        yield Rule(resource="group", name=group, operations=("Read", "Delete")), _MOVES
    for name in ids_of(migration):
        yield Rule(resource="transactionalId", name=name, operations=("Write",)), _MOVES


def _groups_of_lanes(migration: Migration) -> tuple[tuple[MirrorNames, tuple[Lane, ...]], ...]:
    forward = ((FORWARD, forward_lanes(migration)),)
    return (*forward, (REVERSE, reverse_lanes(migration))) if migration.reverse_auth else forward


def _mirrors_topics(names: MirrorNames, lanes: Iterable[Lane]) -> Iterator[Row]:
    """The mirror's own topics on the target: that they are as asked, how far it is, what it marked, what runs."""
    read = [names.status, *(names.offset_syncs(lane) for lane in lanes)]
    read += [names.connector_offsets(lane) for lane in lanes if lane.direction == "forward"]
    for name in (names.configs, names.offsets, *read):
        yield Rule(resource="topic", name=name, operations=("Describe", "DescribeConfigs")), ("provision",)
    for name in read:
        yield Rule(resource="topic", name=name, operations=("Read",)), _COPIED


def _back_on_source(migration: Migration) -> Iterator[Row]:
    """Before a topic is handed over it may not be written; then that right comes with it (design §4.3)."""
    yield from ((rule, _MADE) for rule in reverse_source_rules(reverse_lanes(migration), REVERSE, migration.topics))
    for name in sorted({topic for app in migration.applications for topic in app.writes}):
        yield Rule(resource="topic", name=name, operations=("Write",)), _MOVES


def groups_of(migration: Migration) -> tuple[str, ...]:
    """Every group of the plan, sorted."""
    return tuple(sorted({reads.group for app in migration.applications for reads in app.reads}))


def ids_of(migration: Migration) -> tuple[str, ...]:
    """Every transactional id of the plan, sorted."""
    return tuple(sorted({name for app in migration.applications for name in app.transactional_ids}))


def _name(auth: Auth) -> str:
    """What ACLs call whoever has the credential; where the plan does not write it out, where it lies."""
    return auth.known_as or f"User:<{auth.username}>"


def _user(user: str) -> tuple[str, str]:
    who = {KMIGRATE_USER: KMIGRATE, MIRROR_USER: MIRROR, REVERSE_USER: MIRROR_BACK}[user]
    return who, f"User:{user}"


def _of(side: Side, who: str, principal: str, rows: Iterable[Row]) -> Iterator[Need]:
    """By right, with all phases of the rows that have it, in their order."""
    found: dict[Right, set[str]] = {}
    for rule, phases in rows:
        for right in rights_of(principal, [rule]):
            found.setdefault(right, set()).update(phases)
    made = side is Side.TARGET or who == MIRROR_BACK
    for right, named in found.items():
        told = tuple(phase for phase in PHASES if phase in named)
        yield Need(side=side, who=who, right=right, phases=told, made=made)


def _least(found: Iterable[Need]) -> tuple[Need, ...]:
    """Without a Describe that another right to the same thing comes with."""
    every = tuple(found)
    brings = {replace(each.right, operation="Describe") for each in every if each.right.operation in BRINGS_DESCRIBE}
    return tuple(each for each in every if each.right.operation != "Describe" or each.right not in brings)
