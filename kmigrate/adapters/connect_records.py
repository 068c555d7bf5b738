"""Records of Connect's own topics, decoded; whatever somebody else wrote into them tells nothing, and breaks nothing.

What is not understood counts as not told: a lane seems less far than it is, and is waited for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from kmigrate.model import Partition

_LARGEST = 2**63 - 1


def read_offset(key: bytes | None, value: bytes | None, connector: str) -> tuple[Partition, int | None] | None:
    """The partition and last copied offset a record of an offsets topic tells, None for a removed one.

    Key `["<connector>", {"cluster", "partition", "topic"}]`, value `{"offset": N}`. None for records of other kinds,
    and of other connectors.
    """
    told = _json(key)
    if not isinstance(told, list) or len(told) != 2 or told[0] != connector or not isinstance(told[1], Mapping):
        return None
    topic, number = told[1].get("topic"), told[1].get("partition")
    if not isinstance(topic, str) or not _is_number(number):
        return None
    if value is None:
        return Partition(topic, int(str(number))), None
    says = _json(value)
    if says is None:
        return Partition(topic, int(str(number))), None
    offset = says.get("offset") if isinstance(says, Mapping) else None
    return (Partition(topic, int(str(number))), int(str(offset))) if _is_number(offset) else None


def read_state(key: bytes | None, value: bytes | None) -> tuple[str, str]:
    """Whom a record of the status topic is about, and its state; empty for one that was removed or is not understood.

    Key `status-task-<connector>-<number>` among others, value `{"state", …}`.
    """
    says = _json(value)
    state = says.get("state") if isinstance(says, Mapping) else None
    return (key or b"").decode(errors="replace"), state if isinstance(state, str) else ""


def _json(text: bytes | None) -> object:
    try:
        return json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
