"""The command that grants a missing right asks for what is needed, and for no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from kmigrate.adapters.kafka import Connection, KafkaGroups, Login
from kmigrate.adapters.kafka.connection import failure
from kmigrate.errors import Blocked
from kmigrate.model import Group, GroupState

LOGIN = Login(name="target", bootstrap="t:1", mechanism="PLAIN", username="kmigrate", password="x")
REFUSED = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)


class Refusing(Connection):
    """Its cluster lets nobody remove a group."""

    def admin(self) -> Refusing:  # type: ignore[override]  # as much of an AdminClient as is used here
        return self

    def delete_consumer_groups(self, names: Iterable[str]) -> dict[str, Future[None]]:
        asked: dict[str, Future[None]] = {name: Future() for name in names}
        for future in asked.values():
            future.set_exception(KafkaException(REFUSED))
        return asked


class Stopped(KafkaGroups):
    """Every group is Empty."""

    def describe(self, names: Iterable[str]) -> Mapping[str, Group]:
        return {name: Group(name=name, state=GroupState.EMPTY) for name in names}


def test_looking_at_groups_needs_no_right_to_remove_them() -> None:
    told = failure(REFUSED, "source: describing group g", LOGIN)
    assert isinstance(told, Blocked)
    assert told.hint.endswith("--add --allow-principal User:kmigrate --operation Describe --operation Read --group '*'")


def test_removing_a_group_asks_for_that_right_on_that_group() -> None:
    with pytest.raises(Blocked, match="lacks Delete") as told:
        Stopped(Refusing(LOGIN)).delete("my group")
    assert told.value.hint.endswith("--allow-principal User:kmigrate --operation Delete --group 'my group'")
