"""The command that grants a missing right asks for what is needed, and for no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import pytest
from confluent_kafka import KafkaError

from kmigrate.adapters.kafka import Connection, KafkaGroups, Login
from kmigrate.adapters.kafka.connection import failure
from kmigrate.adapters.kafka.coordinators import Coordinators, Told
from kmigrate.errors import Blocked
from kmigrate.model import Group, GroupState

T = TypeVar("T")
LOGIN = Login(name="target", bootstrap="t:1", mechanism="PLAIN", username="kmigrate", password="x")
REFUSED = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)


class Refusing(Coordinators):
    """They let nobody remove a group."""

    def ask_each(self, groups: Iterable[str], asking: Callable[[str, Sequence[str]], T]) -> list[T]:
        raise Told(KafkaError.GROUP_AUTHORIZATION_FAILED, f"asked of {', '.join(groups)}")


class Stopped(KafkaGroups):
    """Every group is Empty."""

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return {name: Group(name=name, state=GroupState.EMPTY) for name in names}


def test_looking_at_groups_needs_no_right_to_remove_them() -> None:
    told = failure(REFUSED, "source: describing group g", LOGIN)
    assert isinstance(told, Blocked)
    assert told.hint.endswith("--add --allow-principal User:kmigrate --operation Describe --operation Read --group '*'")


def test_removing_a_group_asks_for_that_right_on_that_group() -> None:
    connection = Connection(LOGIN)
    connection.coordinators = Refusing(LOGIN)
    with pytest.raises(Blocked, match="lacks Delete") as told:
        Stopped(connection).delete("my group")
    assert told.value.hint.endswith("--allow-principal User:kmigrate --operation Delete --group 'my group'")
