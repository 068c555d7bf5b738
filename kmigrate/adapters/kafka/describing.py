"""Who is in a group and what becomes of it, asked of its coordinator; and removing it.

A classic group is told by DescribeGroups (version 5), which calls every other one Dead; one of KIP-848 is told by
ConsumerGroupDescribe (version 0), where the broker knows that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from confluent_kafka import KafkaError

from kmigrate.adapters.kafka.coordinators import Coordinators
from kmigrate.adapters.kafka.wire import Answer, compact, listed
from kmigrate.model import Group, GroupKind, GroupState

_DESCRIBE_GROUPS, _DELETE_GROUPS, _CONSUMER_GROUP_DESCRIBE = 15, 42, 69
_UUID_BYTES = 16
_NO_CONSUMER_GROUP = (KafkaError.GROUP_ID_NOT_FOUND, KafkaError.UNSUPPORTED_VERSION)
"""The second is the answer of a cluster that knows KIP-848 and has it switched off (`group.version=0`)."""
_STATES = {
    "Stable": GroupState.STABLE,
    "Empty": GroupState.EMPTY,
    "Dead": GroupState.DEAD,
    "PreparingRebalance": GroupState.REBALANCING,
    "CompletingRebalance": GroupState.REBALANCING,
    "Assigning": GroupState.REBALANCING,
    "Reconciling": GroupState.REBALANCING,
}


def describe(at: Coordinators, groups: Iterable[str]) -> dict[str, Group]:
    """State, kind and members of each group by name; one that is not there is Dead.

    One whose members read a topic that we may not describe is there, and nobody tells more of it: it is UNKNOWN.
    Raises Transient when it is worth asking again, Told when a broker refuses.
    """

    def look(coordinator: str, names: Sequence[str]) -> dict[str, Group]:
        seen = _ask(at, coordinator, _DESCRIBE_GROUPS, 5, names, _classic)
        others = [name for name, group in seen.items() if group.state is GroupState.DEAD]
        if others and at.knows(coordinator, _CONSUMER_GROUP_DESCRIBE, 0):
            seen |= _ask(at, coordinator, _CONSUMER_GROUP_DESCRIBE, 0, others, _consumer)
        return seen

    return {name: group for part in at.ask_each(dict.fromkeys(groups), look) for name, group in part.items()}


def delete(at: Coordinators, group: str) -> None:
    """Remove an Empty group; one that is not there is fine. Raises as `describe` does."""

    def remove(coordinator: str, names: Sequence[str]) -> None:
        body = _names(names) + b"\0"
        answer = at.ask(coordinator, _DELETE_GROUPS, 2, body, flexible=True)
        answer.number(4)
        for _ in range(answer.count() - 1):
            name, code = answer.compact(), answer.number(2)
            answer.skip_tags()
            if code != KafkaError.GROUP_ID_NOT_FOUND:
                at.good(code, f"removing group {name}")

    at.ask_each([group], remove)


def _ask(
    at: Coordinators,
    coordinator: str,
    api: int,
    version: int,
    names: Sequence[str],
    read: Callable[[Coordinators, Answer], Group],
) -> dict[str, Group]:
    """Both requests are the same: names, and whether to tell what may be done with each group."""
    body = _names(names) + b"\0\0"
    answer = at.ask(coordinator, api, version, body, flexible=True)
    answer.number(4)
    seen = [read(at, answer) for _ in range(answer.count() - 1)]
    return {group.name: group for group in seen}


def _names(groups: Sequence[str]) -> bytes:
    return listed([compact(group) for group in groups])


def _classic(at: Coordinators, answer: Answer) -> Group:
    code, name, state = answer.number(2), answer.compact(), answer.compact()
    answer.compact()
    answer.compact()
    members = tuple(_members(answer, _classic_member))
    answer.number(4)
    answer.skip_tags()
    at.good(code, f"describing group {name}")
    kind = GroupKind.UNKNOWN if _STATES.get(state) is GroupState.DEAD else GroupKind.CLASSIC
    return Group(name=name, state=_STATES.get(state, GroupState.UNKNOWN), members=members, kind=kind)


def _consumer(at: Coordinators, answer: Answer) -> Group:
    code = answer.number(2)
    answer.compact()
    name, state = answer.compact(), answer.compact()
    answer.number(4)
    answer.number(4)
    answer.compact()
    members = tuple(_members(answer, _consumer_member))
    answer.number(4)
    answer.skip_tags()
    if code in _NO_CONSUMER_GROUP:
        return Group(name=name, state=GroupState.DEAD, kind=GroupKind.UNKNOWN)
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return Group(name=name, state=GroupState.UNKNOWN, kind=GroupKind.CONSUMER)
    at.good(code, f"describing group {name}")
    state_of = _STATES.get(state, GroupState.UNKNOWN)
    return Group(name=name, state=state_of, members=members, kind=GroupKind.CONSUMER)


def _members(answer: Answer, read: Callable[[Answer], str]) -> Iterator[str]:
    """What the clients of the members call themselves."""
    for _ in range(answer.count() - 1):
        client = read(answer)
        answer.skip_tags()
        yield client


def _classic_member(answer: Answer) -> str:
    answer.compact()
    answer.compact()
    client = answer.compact()
    answer.compact()
    for _ in ("metadata", "assignment"):
        answer.take(max(answer.count() - 1, 0))
    return client


def _consumer_member(answer: Answer) -> str:
    for _ in ("id", "instance", "rack"):
        answer.compact()
    answer.number(4)
    client = answer.compact()
    answer.compact()
    for _ in range(answer.count() - 1):
        answer.compact()
    answer.compact()
    for _ in ("assignment", "target"):
        _skip_assignment(answer)
    return client


def _skip_assignment(answer: Answer) -> None:
    for _ in range(answer.count() - 1):
        answer.take(_UUID_BYTES)
        answer.compact()
        for _ in range(answer.count() - 1):
            answer.number(4)
        answer.skip_tags()
    answer.skip_tags()
