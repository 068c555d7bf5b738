"""The command that grants a missing right asks for what is needed, and for no more."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from kmigrate.adapters.kafka import Connection, KafkaGroups, Login
from kmigrate.adapters.kafka.connection import failure
from kmigrate.adapters.kafka.coordinators import Coordinators, Told
from kmigrate.adapters.kafka.wire import lost
from kmigrate.errors import Blocked, Transient
from kmigrate.model import Group, GroupState

T = TypeVar("T")
LOGIN = Login(name="target", bootstrap="t:1", mechanism="PLAIN", username="kmigrate", password="x")
REFUSED = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)


class Refusing(Coordinators):
    """They let nobody remove a group."""

    def ask_each(self, groups: Iterable[str], asking: Callable[[str, Sequence[str]], T]) -> list[T]:
        raise Told(KafkaError.GROUP_AUTHORIZATION_FAILED, f"asked of {', '.join(groups)}")


class Signed(Connection):
    """Nobody has to be there to sign in to."""

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})


class Stopped(KafkaGroups):
    """Every group is Empty."""

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return {name: Group(name=name, state=GroupState.EMPTY) for name in names}


def test_looking_at_groups_needs_no_right_to_remove_them() -> None:
    told = failure(REFUSED, "source: describing group g", LOGIN)
    assert isinstance(told, Blocked)
    assert told.hint.endswith("--add --allow-principal User:kmigrate --operation Describe --operation Read --group '*'")


def test_a_name_that_has_no_address_is_told_with_who_should_have_written_it() -> None:
    told = lost("b1.kafka.example.org:9094", LOGIN, socket.gaierror(-2, "Name or service not known"))
    assert isinstance(told, Transient)
    assert told.message == "target: b1.kafka.example.org:9094 is not found: Name or service not known"
    assert "b1.kafka.example.org has no address here" in told.hint
    assert "ExternalDNS" in told.hint
    assert isinstance(failure(KafkaError(KafkaError._RESOLVE), "x", LOGIN), Transient)


def test_removing_a_group_asks_for_that_right_on_that_group() -> None:
    connection = Signed(LOGIN)
    connection.coordinators = Refusing(LOGIN)
    with pytest.raises(Blocked, match="lacks Delete") as told:
        Stopped(connection).delete("my group")
    assert told.value.hint.endswith("--allow-principal User:kmigrate --operation Delete --group 'my group'")
