"""Rules 22 to 26."""

from __future__ import annotations

import pytest
from operator_stage import INTERVAL_MS, READY, TARGET, Stage, conditions, told

from kmigrate.lab.operator.admin import Acl
from kmigrate.manifests.users import Rule, fence_rules, user
from kmigrate.model import JsonObject
from kmigrate.world import Key

pytestmark = pytest.mark.kafka

READS = Rule(resource="topic", name="orders", operations=("Describe", "Read"))


def acl(name: str, operation: str, *, resource: str = "topic", on: str = "orders", allow: bool = True) -> Acl:
    return Acl(f"User:{name}", resource, on, "literal", operation, "*", allow)


def acls_of(lab: Stage, name: str) -> set[Acl]:
    return {one for one in lab.admin.acls() if one.principal == f"User:{name}"}


def imported(body: JsonObject, secret: str) -> JsonObject:
    spec = body["spec"]
    assert isinstance(spec, dict)
    password = {"valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}}
    return {**body, "spec": {**spec, "authentication": {"type": "scram-sha-512", "password": password}}}


def secret_of(name: str, password: str) -> JsonObject:
    metadata = {"name": name, "namespace": "kafka"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": password}}


def test_rule_22_a_user_gets_a_password_that_stays_and_can_sign_in_with_it(lab: Stage) -> None:
    seen = lab.apply(user("rule-22", [READS], TARGET))
    secret = lab.seen("Secret", "rule-22")
    assert told(seen) == READY
    assert (seen.status["username"], seen.status["secret"]) == ("rule-22", "rule-22")
    assert len(str(secret.data["password"])) == 32
    assert f'password="{secret.data["password"]}"' in str(secret.data["sasl.jaas.config"])
    assert "rule-22" in lab.admin.scram_users()
    lab.apply(user("rule-22", [], TARGET))
    assert lab.seen("Secret", "rule-22").data == secret.data


def test_rule_23_an_imported_password_is_used_and_a_missing_one_told(lab: Stage) -> None:
    body = imported(user("rule-23", [READS], TARGET), "rule-23-imported")
    seen = lab.apply(body)
    assert told(seen) == [("NotReady", "True", "InvalidResourceException")]
    assert conditions(seen)[0]["message"] == "Secret rule-23-imported with requested user password does not exist."
    lab.store.apply(secret_of("rule-23-imported", "from-elsewhere"))
    lab.until("the user to be ready", lambda: told(lab.seen("KafkaUser", "rule-23")) == READY)
    assert lab.seen("Secret", "rule-23").data["password"] == "from-elsewhere"


def test_rule_24_acls_are_exactly_the_specs_allow_and_deny(lab: Stage) -> None:
    rules = [
        READS,
        *fence_rules(groups=["g"], topics=["orders"]),
        Rule(resource="transactionalId", name="tx-", operations=("Write",), pattern="prefix"),
        Rule(resource="cluster", operations=("IdempotentWrite",)),
    ]
    lab.apply(user("rule-24", rules, TARGET))
    assert acls_of(lab, "rule-24") == {
        acl("rule-24", "Describe"),
        acl("rule-24", "Read"),
        acl("rule-24", "Read", resource="group", on="g", allow=False),
        acl("rule-24", "Write", allow=False),
        Acl("User:rule-24", "transactionalId", "tx-", "prefix", "Write", "*", True),
        acl("rule-24", "IdempotentWrite", resource="cluster", on="kafka-cluster"),
    }
    lab.apply(user("rule-24", [READS], TARGET))
    assert acls_of(lab, "rule-24") == {acl("rule-24", "Describe"), acl("rule-24", "Read")}


def test_rule_25_acls_made_by_hand_go_at_the_interval(lab: Stage) -> None:
    lab.apply(user("rule-25", [READS], TARGET))
    lab.operator.set_interval(600_000)
    assert lab.admin.add_acls([acl("rule-25", "Write"), acl("stranger", "Read")]) == ""
    lab.until("both to be seen", lambda: {"User:stranger", "Write"} <= _words(lab))
    lab.operator.set_interval(INTERVAL_MS)
    lab.until("both to go", lambda: {"User:stranger", "Write"}.isdisjoint(_words(lab)))
    assert acls_of(lab, "rule-25") == {acl("rule-25", "Describe"), acl("rule-25", "Read")}


def _words(lab: Stage) -> set[str]:
    return {word for one in lab.admin.acls() if "25" in one.principal or "stranger" in one.principal
            for word in (one.principal, one.operation)}  # fmt: skip


def test_rule_25_an_acl_removed_by_hand_comes_back_at_the_interval(lab: Stage) -> None:
    lab.apply(user("rule-25-back", [READS], TARGET))
    assert lab.admin.remove_acls([acl("rule-25-back", "Read")]) == ""
    lab.until("it to come back", lambda: acl("rule-25-back", "Read") in lab.admin.acls())


def test_rule_25_credentials_of_strangers_go_and_lost_ones_come_back_at_the_interval(lab: Stage) -> None:
    lab.apply(user("rule-25-lost", [], TARGET))
    assert lab.admin.set_scram("stranger", "x") == ""
    assert lab.admin.remove_scram("rule-25-lost") == ""
    lab.until("the stranger to go", lambda: "stranger" not in lab.admin.scram_users())
    lab.until("the user to be back", lambda: "rule-25-lost" in lab.admin.scram_users())


def test_rule_26_a_resource_that_goes_takes_credentials_acls_and_secret_along(lab: Stage) -> None:
    made = lab.apply(user("rule-26", [READS], TARGET))
    lab.store.delete(made.key)
    lab.until("the credentials to go", lambda: "rule-26" not in lab.admin.scram_users())
    lab.until("the Secret to go", lambda: lab.store.get(Key("Secret", "kafka", "rule-26")) is None)
    assert acls_of(lab, "rule-26") == set()


def test_what_the_stand_in_lacks_is_refused_instead_of_ignored(lab: Stage) -> None:
    lab.only_of_the_stand_in()
    body = user("with-quota", [], TARGET)
    spec = body["spec"]
    assert isinstance(spec, dict)
    seen = lab.apply({**body, "spec": {**spec, "quotas": {"producerByteRate": 1}}})
    assert told(seen) == [("NotReady", "True", "InvalidResourceException")]
