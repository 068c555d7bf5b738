"""The least rights: per phase, none twice, as commands; and what ACLs give of them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from kmigrate.manifests.granting import commands, confluent, in_cloud, kafka_acls
from kmigrate.manifests.internal import READS
from kmigrate.manifests.rights import KMIGRATE, KMIGRATE_USER, MIRROR, MIRROR_BACK, PHASES, needs, rules_on_target
from kmigrate.model import Migration, Right, SecretRef, Side, granted
from kmigrate.planfile.load import load

PLANS = Path(__file__).parents[2] / "plans"
PLAN = load(PLANS / "mirror-back.yaml")
READER = load(PLANS / "one-reader.yaml")
OWN = "User:<env CC_KEY>"
SEES = {
    ("topic", "*", "Describe"),
    ("topic", "*", "DescribeConfigs"),
    ("group", "*", "Describe"),
    ("cluster", "kafka-cluster", "Describe"),
}


def told(
    migration: Migration, *phases: str, side: Side = Side.SOURCE, who: str = KMIGRATE
) -> set[tuple[str, str, str]]:
    found = needs(migration, phases or PHASES)
    mine = [need.right for need in found if (need.side, need.who) == (side, who)]
    return {(right.resource, right.name, right.operation) for right in mine}


def test_assess_only_looks() -> None:
    assert told(PLAN, "assess") == SEES
    assert told(PLAN, "assess", side=Side.TARGET) == set()
    assert told(PLAN, "assess", who=MIRROR) == set()


def test_to_move_it_changes_rights_ends_transactions_and_reads_and_to_come_back_it_writes_positions() -> None:
    reads = {("topic", name, "Read") for name in ("orders", "payments", "kmigrate-reverse-offsets-")}
    moves = (SEES - {("cluster", "kafka-cluster", "Describe")}) | {("cluster", "kafka-cluster", "Alter"), *reads}
    moves |= {("transactionalId", "checkout-0", "Write")}
    assert told(PLAN, "cutover") == moves
    assert told(PLAN, "rollback") == moves | {
        ("group", "fraud", "Read"),
        ("group", "checkout", "Read"),
        ("topic", "kmigrate-reverse-offsets-", "Delete"),
    }


def test_without_a_mirror_back_nothing_is_made_on_the_source_before_the_first_move() -> None:
    for phase in ("assess", "provision", "replicate", "rehearse", "decommission"):
        assert {operation for _, _, operation in told(READER, phase)} <= {"Describe", "DescribeConfigs", "Read"}
    assert told(READER, who=MIRROR_BACK) == set()


def test_the_mirror_reads_topics_of_the_source_and_nothing_else() -> None:
    assert told(PLAN, who=MIRROR) == {("topic", "orders", "Read"), ("topic", "payments", "Read")}


def test_what_the_mirror_back_may_on_the_source_kmigrate_grants_and_to_write_comes_with_a_move() -> None:
    theirs = [need for need in needs(PLAN) if need.who == MIRROR_BACK and need.side is Side.SOURCE]
    assert all(need.made for need in theirs)
    writes = {n.right.name: n.phases for n in theirs if n.right.operation == "Write" and n.right.name in PLAN.topics}
    assert writes == dict.fromkeys(("orders", "payments"), ("cutover", "rollback"))


def test_on_the_target_kmigrate_writes_its_ledger_and_positions_and_no_topic() -> None:
    rights = told(PLAN, side=Side.TARGET)
    assert {(kind, name) for kind, name, operation in rights if operation == "Write"} == {
        ("topic", "kmigrate-ledger-mirror-back"),
        ("transactionalId", "kmigrate-mirror-back"),
        ("transactionalId", "checkout-0"),
    }
    assert not {(kind, name) for kind, name, _ in rights if name == "*"}
    assert {name for kind, name, _ in rights if kind == "group"} == {"fraud", "checkout", READS}
    user = rules_on_target(PLAN)[KMIGRATE_USER]
    assert {(rule.resource, rule.name or "kafka-cluster", op) for rule in user for op in rule.operations} == rights


@pytest.mark.parametrize("plan", sorted(PLANS.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_right_stands_twice_and_none_beside_another_that_brings_it_along(plan: Path) -> None:
    for phases in (PHASES, *((phase,) for phase in PHASES)):
        rights = [(need.side, need.right) for need in needs(load(plan), phases)]
        assert len(rights) == len(set(rights))
        for side, one in rights:
            beside = [right for there, right in rights if there is side and right != one]
            assert not granted(one, [right for right in beside if right.name == one.name])


def test_the_commands_for_the_source_grant_every_right_once() -> None:
    source = [shlex.split(command) for command in commands(PLAN, needs(PLAN)) if command.startswith("kafka-acls.sh")]
    assert all(words[1:3] == ["--bootstrap-server", PLAN.source.bootstrap] for words in source)
    rights = [need for need in needs(PLAN) if need.side is Side.SOURCE]
    assert sum(words.count("--operation") for words in source) == len(rights)


def right(operation: str, *, resource: str = "topic", name: str = "orders", pattern: str = "literal") -> Right:
    return Right(principal="User:k", resource=resource, name=name, operation=operation, pattern=pattern)


def test_a_command_is_one_that_a_shell_and_both_tools_understand() -> None:
    rights = [right("Describe", name="*"), right("DescribeConfigs", name="*")]
    assert kafka_acls("a:1", rights) == (
        "kafka-acls.sh --bootstrap-server a:1 --command-config admin.properties --add --allow-principal User:k"
        " --operation Describe --operation DescribeConfigs --topic '*'"
    )
    assert confluent(rights) == (
        "confluent kafka acl create --allow --principal User:k --operations describe,describe-configs --topic '*'"
    )
    begins = [right("Create", name="kmigrate-", pattern="prefix")]
    assert kafka_acls("a:1", begins).endswith("--operation Create --resource-pattern-type prefixed --topic kmigrate-")
    assert confluent(begins).endswith("--operations create --prefix --topic kmigrate-")
    whole = [right("Alter", resource="cluster", name="kafka-cluster")]
    assert kafka_acls("a:1", whole).endswith("--operation Alter --cluster")
    assert confluent(whole).endswith("--operations alter --cluster-scope")
    assert confluent([right("Read", resource="group")]).endswith("--consumer-group orders")


def test_confluent_cloud_is_told_by_its_address_and_has_its_own_tools_commands_besides() -> None:
    assert in_cloud(PLAN.source.bootstrap)
    assert not in_cloud("127.0.0.1:9092")
    first = [command.split()[0] for command in commands(PLAN, needs(PLAN))]
    assert first.count("confluent") == first.count("kafka-acls.sh") > 0
    elsewhere = replace(PLAN, source=replace(PLAN.source, bootstrap="127.0.0.1:9092"))
    assert "confluent" not in [command.split()[0] for command in commands(elsewhere, needs(elsewhere))]


def test_what_acls_call_kmigrate_is_what_the_plan_says_or_where_that_lies() -> None:
    assert {need.right.principal for need in needs(PLAN) if (need.side, need.who) == (Side.SOURCE, KMIGRATE)} == {OWN}
    auth = replace(PLAN.source.auth, username=SecretRef(env="CC_KEY"), principal="User:sa-kmigrate")
    named = replace(PLAN, source=replace(PLAN.source, auth=auth))
    assert OWN not in {need.right.principal for need in needs(named)}


@pytest.mark.parametrize(
    ("given", "wanted", "enough"),
    [
        (right("Read"), right("Read"), True),
        (right("Read"), right("Describe"), True),
        (right("Describe"), right("Read"), False),
        (right("Write"), right("DescribeConfigs"), False),
        (right("All", name="*"), right("DescribeConfigs"), True),
        (right("Read"), right("Read", name="*"), False),
        (right("Read", name="or", pattern="prefix"), right("Read"), True),
        (right("Read", name="ab", pattern="prefix"), right("Read"), False),
        (right("Read", name="or", pattern="prefix"), right("Read", name="*"), False),
        (right("Read"), right("Read", pattern="prefix"), False),
        (right("Read", name="*"), right("Read", name="or", pattern="prefix"), True),
        (right("Read", resource="group"), right("Read"), False),
        (replace(right("Read"), principal="User:*"), right("Read"), True),
        (replace(right("Read"), principal="User:other"), right("Read"), False),
        (replace(right("Read"), type="deny"), right("Read"), False),
    ],
)
def test_an_acl_gives_a_right_by_its_name_or_a_wider_one(given: Right, wanted: Right, enough: bool) -> None:
    assert granted(wanted, [given]) is enough


def test_a_denial_takes_a_right_away_whoever_else_allows_it() -> None:
    assert not granted(right("Read"), [right("Read"), replace(right("All", name="*"), type="deny")])


def test_a_need_is_told_with_its_phases_in_their_order() -> None:
    assert all(need.phases == tuple(phase for phase in PHASES if phase in need.phases) for need in needs(PLAN))
