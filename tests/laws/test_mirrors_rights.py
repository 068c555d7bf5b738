"""A right that a mirror does not have stops a named step by its name, and ends whatever waits for that mirror."""

from __future__ import annotations

import itertools

import pytest
from law_watch import estate_of, watch_of
from laws import BEFORE, Walk
from memory_estate import Estate
from writers_move import PLAN, last

from kmigrate.adapters.memory import Watcher
from kmigrate.errors import Blocked, KmigrateError
from kmigrate.manifests.granting import commands
from kmigrate.manifests.rights import MIRROR, MIRROR_BACK, Need, needs, rules_on_target
from kmigrate.manifests.users import user
from kmigrate.model import JsonObject, Side
from kmigrate.world import Key

MIRRORS = tuple(need for need in needs(PLAN) if need.who in (MIRROR, MIRROR_BACK))
FORTH = tuple(need for need in MIRRORS if need.who == MIRROR)
BACK = tuple(need for need in MIRRORS if need.who == MIRROR_BACK)
ONCE_OWNED = tuple(n for n in BACK if n.side is Side.SOURCE and n.right.name in PLAN.topics)
"""Rights to write what the target owns: they come with it, and are wanted nowhere before."""
WRITTEN = PLAN.application("checkout").writes
STILL_OWNED = tuple(n for n in FORTH if n.side is Side.TARGET and n.right.name in WRITTEN)
"""And the right to write what the source owns: it goes with it."""


def taken(estate: Estate, need: Need) -> None:
    """From the ACLs of the source, or from the KafkaUser, and its operator has seen to it."""
    if need.side is Side.SOURCE:
        acls = estate.clusters[Side.SOURCE].acls
        assert need.right in acls.rules
        acls.rules = acls.rules - {need.right}
        acls.work()
        return
    user = estate.store.get(Key("KafkaUser", "kafka", need.right.principal.removeprefix("User:")))
    assert user is not None
    acls = [each for acl in user.spec["authorization"]["acls"] for each in _less(acl, need)]
    assert acls != list(user.spec["authorization"]["acls"])
    body = {name: value for name, value in user.body.items() if name != "status"}
    _applied(estate, {**body, "spec": {**user.spec, "authorization": {"type": "simple", "acls": acls}}})
    assert need.right not in estate.clusters[Side.TARGET].acls.rules


def _applied(estate: Estate, body: JsonObject) -> None:
    """By somebody's hand: no line of the journal speaks of it."""
    watcher, estate.death.watcher = estate.death.watcher, Watcher()
    estate.store.apply(body)
    estate.death.watcher = watcher
    estate.turns(3)


def _less(acl: JsonObject, need: Need) -> list[JsonObject]:
    place, right = acl["resource"], need.right
    same = (place["type"], place["name"]) == (right.resource, right.name)
    operations = [each for each in acl["operations"] if not (same and each == right.operation)]
    return [{**acl, "operations": operations}] if operations else []


def listed() -> Estate:
    """A source whose ACLs tell of the mirror: whoever holds none may have a role instead."""
    estate = estate_of(PLAN)
    acls = estate.clusters[Side.SOURCE].acls
    acls.rules = acls.rules | {need.right for need in FORTH if need.side is Side.SOURCE}
    acls.work()
    return estate


def after(*typed: str) -> Walk:
    walk = Walk(listed())
    for command in typed:
        walk.type(command)
    return walk


def refused(walk: Walk, need: Need, command: str) -> KmigrateError:
    """What stopped the command without the right: it names the right, and the command that grants it."""
    taken(walk.estate, need)
    with pytest.raises(Blocked) as caught:
        walk.type(command)
    told = f"may not {need.right.operation} {need.right.resource} {need.right.name}"
    assert told in caught.value.message
    assert commands(PLAN, [need])[-1] in caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("typed", "command", "wanted", "where"),
    [
        (BEFORE[:2], "replicate", FORTH, "replicate, start-mirror"),
        (BEFORE[:2], "replicate", tuple(set(BACK) - set(ONCE_OWNED)), "replicate, prepare-reverse"),
        (BEFORE, "cutover fraud", FORTH, "cutover/fraud#1, ready"),
        ((*BEFORE, "cutover fraud"), "cutover checkout", FORTH, "cutover/checkout#1, ready"),
        (
            (*BEFORE, "cutover fraud"),
            "cutover checkout",
            tuple(set(BACK) - set(ONCE_OWNED)),
            "cutover/checkout#1, ready",
        ),
        (
            (*BEFORE, "cutover fraud", "cutover checkout"),
            "rollback checkout",
            tuple(set(MIRRORS) - set(STILL_OWNED)),
            "rollback/checkout#1, ready",
        ),
    ],
)
def test_each_right_of_the_mirrors_that_is_taken_away_is_missed_by_name(
    typed: tuple[str, ...], command: str, wanted: tuple[Need, ...], where: str
) -> None:
    start, missed = after(*typed), 0
    for need in sorted(wanted):
        assert refused(start.copy(), need, command).where == where
        missed += 1
    assert missed == len(wanted) > 0
    start.type(command)
    start.exact()


def test_all_rights_of_the_mirrors_are_among_those_taken_away() -> None:
    assert {*FORTH, *BACK} == set(MIRRORS)
    assert ONCE_OWNED
    assert STILL_OWNED


READS_SOURCE = next(need for need in FORTH if need.side is Side.SOURCE)
READS_TARGET = next(n for n in BACK if n.side is Side.TARGET and n.right.name in WRITTEN)


@pytest.mark.parametrize(
    ("command", "behind", "need", "where"),
    [
        ("replicate", "start-mirror", READS_SOURCE, "replicate, catch-up"),
        ("rehearse", "", READS_SOURCE, "rehearse, prove-content"),
        ("cutover fraud", "fence-clients", READS_SOURCE, "cutover/fraud#1, drain-mirror"),
        ("cutover checkout", "fence-clients", READS_SOURCE, "cutover/checkout#1, drain-mirror"),
        ("cutover checkout", "start-workloads", READS_TARGET, "cutover/checkout#1, turn-mirror"),
    ],
)
def test_a_mirror_that_loses_a_right_and_says_nothing_is_not_waited_for(
    command: str, behind: str, need: Need, where: str
) -> None:
    walk = after(*itertools.takewhile(lambda each: each != command, (*BEFORE, "cutover fraud", "cutover checkout")))
    lanes = walk.estate.mirror.back if need.who == MIRROR_BACK else walk.estate.mirror

    lost: list[Need] = []

    def stall() -> None:
        """So that something is waited for."""
        lanes.held_up = True
        walk.estate.turns(6)

    def lose() -> None:
        if not lanes.held_up and last(walk) == ("VERIFIED", "ready"):
            stall()
        if not lost and (not behind or last(walk) == ("VERIFIED", behind)):
            lost.append(need)
            taken(walk.estate, need)

    if not command.startswith("cutover"):
        stall()
    watch_of(walk.estate).at_instant = lose
    began = walk.estate.clock.monotonic_ms()
    with pytest.raises(Blocked) as caught:
        walk.type(command)
    watch_of(walk.estate).at_instant = None
    assert caught.value.where == where
    assert commands(PLAN, [need])[-1] in caught.value.hint
    assert walk.estate.clock.monotonic_ms() - began < PLAN.policy.max_pause_ms
    given_back(walk.estate, need)
    lanes.held_up = False
    walk.type(command)
    walk.exact()


def given_back(estate: Estate, need: Need) -> None:
    """By hand, as the command says that was told."""
    if need.side is Side.SOURCE:
        acls = estate.clusters[Side.SOURCE].acls
        acls.rules = acls.rules | {need.right}
        acls.work()
        return
    key = Key("KafkaUser", "kafka", need.right.principal.removeprefix("User:"))
    _applied(estate, user(key.name, rules_on_target(PLAN)[key.name], PLAN.target))
    assert need.right in estate.clusters[Side.TARGET].acls.rules
