"""What makes copies of the world in memory cheap: frozen values are shared, everything else is copied."""

from __future__ import annotations

import copy
from types import MethodType
from typing import TypeVar

T = TypeVar("T", bound="State")


class State:
    """A part of the world that changes; a deep copy goes its own way. Collections hold frozen values or other parts."""

    __slots__ = ()

    def __deepcopy__(self: T, memo: dict[int, object]) -> T:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        for name in getattr(self, "__dataclass_fields__", ()):
            setattr(twin, name, _forked(getattr(self, name), memo))
        return twin


def _forked(value: object, memo: dict[int, object]) -> object:
    if isinstance(value, State | MethodType):
        return copy.deepcopy(value, memo)
    if isinstance(value, dict):
        return {name: _forked(each, memo) for name, each in value.items()}
    if isinstance(value, list | set):
        return value.copy()
    return value
