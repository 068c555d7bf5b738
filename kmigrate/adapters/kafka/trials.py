"""What a credential may do, tried at one chosen broker. No trial writes, moves or makes anything."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterable, Sequence

from kmigrate.adapters.kafka.login import Login
from kmigrate.adapters.kafka.wire import Answer, Asking, ask, asking, text

_METADATA, _HEARTBEAT, _END_TXN = 3, 12, 26
_BITS = {"Read": 1 << 3, "Write": 1 << 4}
# what a broker leaves that does not tell operations
_NOT_SAID = -(1 << 31)
_UNKNOWN_TOPIC, _TOPIC_DENIED, _GROUP_DENIED, _ID_DENIED = 3, 29, 30, 53
_ERRORS = {_UNKNOWN_TOPIC: "not there, or not to be seen", _TOPIC_DENIED: "may not be described"}
# no producer has it, so that no transaction can be meant
_NOBODY = (1 << 63) - 1

Wanted = tuple[str, str, str]
"""Resource, name and operation: `Read` or `Write` on a topic, `Read` on a group."""


def refused_at(broker: str, login: Login, wanted: Iterable[Wanted]) -> dict[str, str]:
    """What the broker says is missing for each `topic <name>` and `group <name>`; empty text where nothing is.

    Raises Transient when the broker does not answer, PlatformError when it refuses the credential.
    """
    found: dict[str, str] = {}
    for (resource, name, operation), (error, denied) in _tried(broker, login, wanted).items():
        told = f"{operation} is not allowed" if denied else ""
        why = _ERRORS.get(error, f"error {error}") if error else told
        found[f"{resource} {name}"] = found.get(f"{resource} {name}") or why
    return found


def denied_to(broker: str, login: Login, wanted: Iterable[Wanted], over: Asking = asking) -> frozenset[Wanted]:
    """Those that the broker refuses to the credential for want of rights; what it does not tell is not among them.

    Raises as `refused_at` does.
    """
    return frozenset(one for one, (_, denied) in _tried(broker, login, wanted, over).items() if denied)


def ids_refused_at(broker: str, login: Login, ids: Iterable[str]) -> tuple[str, ...]:
    """Transactional ids that the credential may not write, sorted; asks to end a transaction that nobody can have.

    Rights are looked at before the id, the producer and whether this broker coordinates it (EndTxn, KIP-98). Raises as
    `refused_at` does.
    """
    with asking(broker, login) as line:
        return tuple(sorted(name for name in set(ids) if _end_nothing(line, name) == _ID_DENIED))


def _tried(
    broker: str, login: Login, wanted: Iterable[Wanted], over: Asking = asking
) -> dict[Wanted, tuple[int, bool]]:
    """Kafka's error for each, and whether it is denied; all topics are asked for at once."""
    every = tuple(wanted)
    names = sorted({name for resource, name, _ in every if resource == "topic"})
    with over(broker, login) as line:
        topics = _topics(line, names) if names else {}
        groups = {name: _beat(line, name) for name in sorted({n for resource, n, _ in every if resource == "group"})}
    return {one: (0, groups[one[1]]) if one[0] == "group" else _of_topic(*topics[one[1]], one[2]) for one in every}


def _of_topic(error: int, may: int, operation: str) -> tuple[int, bool]:
    told = not error and may != _NOT_SAID
    return error, error == _TOPIC_DENIED or (told and not may & _BITS[operation])


def _topics(line: ssl.SSLSocket, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Error and allowed operations (KIP-430) of each; the broker is forbidden to create a topic."""
    answer = ask(line, _METADATA, 8, struct.pack(">i", len(names)) + b"".join(map(text, names)) + b"\0\0\1")
    answer.number(4)
    for _ in range(answer.number(4)):
        answer.number(4), answer.text(), answer.number(4), answer.text()
    answer.text(), answer.number(4)
    found: dict[str, tuple[int, int]] = {}
    for _ in range(answer.number(4)):
        error, name = answer.number(2), answer.text()
        answer.number(1)
        for _ in range(answer.number(4)):
            _skip_partition(answer)
        found[name] = error, answer.number(4)
    return found


def _skip_partition(answer: Answer) -> None:
    """Error, number, leader, its epoch; then replicas, those in sync, those that are away."""
    answer.take(14)
    for _ in range(3):
        answer.take(4 * answer.number(4))


def _beat(line: ssl.SSLSocket, group: str) -> bool:
    """Whether a heartbeat of nobody is denied: it needs Read on the group, and every broker looks at that first.

    What else is wrong with it is no matter of rights. A group that is not there is not made by it.
    """
    answer = ask(line, _HEARTBEAT, 1, text(group) + struct.pack(">i", -1) + text("kmigrate-tries-the-right-to-read"))
    answer.number(4)
    return answer.number(2) == _GROUP_DENIED


def _end_nothing(line: ssl.SSLSocket, name: str) -> int:
    answer = ask(line, _END_TXN, 1, text(name) + struct.pack(">qhb", _NOBODY, 0, 0))
    answer.number(4)
    return answer.number(2)
