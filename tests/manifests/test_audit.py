"""What becomes of every ACL of the source: kept, translated, or impossible, each with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmigrate.manifests.audit import OPERATIONS, Verdict, audit, mapped_rules
from kmigrate.manifests.names import is_resource_name
from kmigrate.manifests.users import Rule, rights_of
from kmigrate.model import Right

USERS = {"User:sa-1": ("orders",), "User:LKC": ("billing",)}
READ = Right(principal="User:sa-1", resource="topic", name="t", operation="Read")


def told(right: Right) -> tuple[Verdict, str]:
    (each,) = audit([right], USERS)
    return each.verdict, each.why


def of(**changes: str) -> Right:
    return Right(**{"principal": "User:sa-1", "resource": "topic", "name": "t", "operation": "Read", **changes})


def test_a_principal_that_keeps_its_name_keeps_its_acls() -> None:
    (each,) = audit([of(principal="User:sa-9", type="deny", pattern="prefix")], USERS)
    assert (each.verdict, each.users, each.why) == (Verdict.KEPT, ("sa-9",), "")
    assert each.rule == Rule(resource="topic", name="t", operations=("Read",), pattern="prefix", type="deny")


def test_a_principal_with_another_name_there_is_translated_and_told() -> None:
    (each,) = audit([READ], USERS)
    assert (each.verdict, each.users, each.why) == (Verdict.TRANSLATED, ("orders",), "User:sa-1 is orders there")


@pytest.mark.parametrize("kind", ["allow", "deny"])
def test_what_holds_for_everybody_becomes_a_rule_of_each(kind: str) -> None:
    (each,) = audit([of(principal="User:*", type=kind)], USERS)
    assert (each.verdict, each.users) == (Verdict.TRANSLATED, ("billing", "orders"))
    assert each.rule is not None
    assert each.rule.type == kind
    (nobody,) = audit([of(principal="User:*")], {})
    assert (nobody.verdict, nobody.rule) == (Verdict.IMPOSSIBLE, None)


@pytest.mark.parametrize(
    ("right", "why"),
    [
        (of(resource="delegationToken"), "no rules about delegationToken"),
        (of(resource="user"), "no rules about user"),
        (of(operation="TwoPhaseCommit"), "cannot name the operation TwoPhaseCommit"),
        (of(operation="Unknown"), "cannot name the operation Unknown"),
        (of(host="10.1.2.3"), "holds for clients at 10.1.2.3"),
        (of(pattern="match"), "no pattern match"),
        (of(type="any"), "any is neither allow nor deny"),
        (of(principal="User:LKC_2"), "'LKC_2' cannot be a KafkaUser"),
        (of(principal="User:"), "'' cannot be a KafkaUser"),
        (of(principal="Group:admins"), "Strimzi has users alone, and this is a Group"),
    ],
)
def test_what_a_user_cannot_say_is_impossible_with_the_reason(right: Right, why: str) -> None:
    (each,) = audit([right], USERS)
    assert (each.verdict, each.rule, each.users) == (Verdict.IMPOSSIBLE, None, ())
    assert why in each.why


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_operation_that_a_user_can_name_is_carried(operation: str) -> None:
    assert told(of(operation=operation))[0] is Verdict.TRANSLATED


def test_a_name_that_kubernetes_refuses_is_given_another_by_the_plan() -> None:
    assert told(of(principal="User:LKC")) == (Verdict.TRANSLATED, "User:LKC is billing there")


def test_the_cluster_has_no_name_there() -> None:
    (each,) = audit([of(resource="cluster", name="kafka-cluster", operation="IdempotentWrite")], USERS)
    assert each.rule == Rule(resource="cluster", operations=("IdempotentWrite",))


_TEXTS = st.sampled_from(["a", "B", "sa-1", "", "*", "x y"])
_RIGHTS = st.builds(
    Right,
    principal=st.builds("{}:{}".format, st.sampled_from(["User", "Group"]), _TEXTS),
    resource=st.sampled_from(["topic", "group", "cluster", "transactionalId", "delegationToken"]),
    name=_TEXTS,
    operation=st.sampled_from([*sorted(OPERATIONS), "CreateTokens"]),
    type=st.sampled_from(["allow", "deny"]),
    pattern=st.sampled_from(["literal", "prefix"]),
    host=st.sampled_from(["*", "10.0.0.1"]),
)


@given(st.lists(_RIGHTS, max_size=20))
def test_every_acl_is_audited_once_and_no_rule_says_more_than_an_acl_did(rights: list[Right]) -> None:
    audited = audit(rights, USERS)
    assert [each.right for each in audited] == sorted(set(rights))
    assert all(bool(each.rule) is bool(each.users) is (each.verdict is not Verdict.IMPOSSIBLE) for each in audited)
    assert all(each.why for each in audited if each.verdict is not Verdict.KEPT)
    had = {(each.type, each.resource, each.operation, each.pattern) for each in rights}
    for user, rules in mapped_rules(audited).items():
        assert is_resource_name(user)
        for made in rights_of(f"User:{user}", rules):
            assert (made.type, made.resource, made.operation, made.pattern) in had
            assert made.host == "*"
