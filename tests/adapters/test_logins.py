"""Whose password is asked for just after a change of their user: the operator is waited for, a moment and no longer."""

from __future__ import annotations

import pytest
from memory_estate import Estate, migration

from kmigrate.adapters.logins import Logins
from kmigrate.adapters.memory import MemoryWorld
from kmigrate.adapters.secrets import SecretReader
from kmigrate.errors import Blocked
from kmigrate.model import JsonObject
from kmigrate.world import Key

USER = Key("KafkaUser", "kafka", "sa-shop")


def user(operation: str) -> JsonObject:
    rule: JsonObject = {"resource": {"type": "topic", "name": "orders"}, "operations": [operation], "host": "*"}
    spec: JsonObject = {"authentication": {"type": "scram-sha-512"}, "authorization": {"acls": [rule]}}
    metadata: JsonObject = {"name": USER.name, "namespace": USER.namespace}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": USER.kind, "metadata": metadata, "spec": spec}


@pytest.fixture
def estate() -> Estate:
    """One whose operator has seen to the user, which was changed since."""
    made = Estate()
    made.store.apply(user("Read"))
    data: JsonObject = {"password": "made by the operator"}
    metadata: JsonObject = {"name": USER.name, "namespace": USER.namespace}
    made.store.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
    made.turns(2)
    made.store.apply(user("Write"))
    return made


def logins(estate: Estate) -> Logins:
    said, world = migration(), MemoryWorld(estate)
    secrets = SecretReader(estate.store, USER.namespace)
    return Logins(world=world, migration=said, resources=estate.store, secrets=secrets, own="kmigrate", ca=str)


def test_an_operator_that_has_not_told_yet_is_waited_for(estate: Estate) -> None:
    estate.operator.slowness = 20
    assert logins(estate).target_password(USER.name) == "made by the operator"
    found = estate.store.get(USER)
    assert found is not None
    assert found.status["observedGeneration"] == found.generation


def test_one_that_never_looks_is_named_after_a_moment(estate: Estate) -> None:
    estate.operator.slowness = 1_000_000
    began = estate.clock.now_ms()
    with pytest.raises(Blocked, match="KafkaUser kafka/sa-shop is not ready: the operator has not looked"):
        logins(estate).target_password(USER.name)
    assert 0 < estate.clock.now_ms() - began <= 10_000


def test_who_is_not_there_is_named_at_once(estate: Estate) -> None:
    began = estate.clock.now_ms()
    with pytest.raises(Blocked, match="there is no KafkaUser kafka/nobody"):
        logins(estate).target_password("nobody")
    assert estate.clock.now_ms() == began
